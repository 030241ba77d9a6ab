"""Writes predictions to files, each atomically."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from seglit.drawing.predictions import as_rgb
from seglit.errors import InputError
from seglit.images.replacing import replacing
from seglit.images.tiff import Tag, write_tiff
from seglit.labels import Labels
from seglit.predict.jobs import Job
from seglit.predict.predictor import Block, Prediction

Masks = Literal["stored", "color"]
Array = npt.NDArray[Any]


class Writer:
    """Writes the output files of images.

    Args:
        masks: Mask encoding: the values stored in the training masks, or the classes' colours.
        labels: Stored values and colours of the classes.

    Raises:
        InputError: PNG cannot store the values.
    """

    def __init__(self, masks: Masks, labels: Labels) -> None:
        self.labels = labels
        self.encode = labels.colorize if masks == "color" else labels.decode
        example: Array = self.encode(np.zeros((1, 1), np.uint8))  # (1, 1), or RGB (1, 1, 3)
        self.dtype, self.bands = example.dtype, example.shape[2:]
        if self.dtype not in (np.uint8, np.uint16):
            raise InputError(
                f"the stored values of the classes are {self.dtype}, which PNG cannot store; use --masks color"
            )

    def write(self, job: Job, image: Array, prediction: Prediction, tags: list[Tag]) -> None:
        """Writes the output files of an image, the mask last.

        Args:
            job: Output files.
            image: Image (H, W, C), for the overlay.
            prediction: Class indices and, if requested, probabilities.
            tags: Georeference of a TIFF.
        """
        if job.probabilities is not None and prediction.probabilities is not None:
            with replacing(job.probabilities) as part, part.open("wb") as file:
                np.save(file, prediction.probabilities.astype(np.float16))
        if job.overlay is not None:
            with replacing(job.overlay) as part:
                colors = self.labels.colorize(prediction.mask)
                Image.fromarray((as_rgb(image) // 2 + colors // 2).astype(np.uint8)).save(part, "PNG")
        values = self.encode(prediction.mask)
        with replacing(job.mask) as part:
            if job.is_tiff:
                write_tiff(part, [values], values.shape, values.dtype, tags)
            else:
                Image.fromarray(values).save(part, "PNG")

    def write_blocks(self, job: Job, size: tuple[int, int], blocks: Iterable[Block], tags: list[Tag]) -> None:
        """Writes the mask, and probabilities if requested, of a large TIFF while it is predicted.

        Args:
            job: Output files.
            size: Image height and width.
            blocks: Finished parts of the prediction, in reading order.
            tags: Georeference.
        """
        shape = (*size, *self.bands)
        with replacing(job.mask) as part:
            if job.probabilities is None:
                write_tiff(part, self._encoded_rows(blocks), shape, self.dtype, tags)
                return
            with replacing(job.probabilities) as file:
                stored = np.lib.format.open_memmap(file, "w+", np.float16, (self.labels.num_classes, *size))
                rows = self._encoded_rows(_store_probabilities(blocks, stored))
                write_tiff(part, rows, shape, self.dtype, tags)
                del rows, stored  # closes the file

    def _encoded_rows(self, blocks: Iterable[Block]) -> Iterator[Array]:
        """Joins the blocks of each row of tiles and encodes them."""
        row: list[npt.NDArray[np.uint8]] = []
        for block in blocks:
            row.append(block.mask)
            if block.column.done == block.grid.size[1]:
                yield self.encode(np.concatenate(row, 1))
                row = []


def _store_probabilities(blocks: Iterable[Block], stored: npt.NDArray[np.float16]) -> Iterator[Block]:
    for block in blocks:
        stored[:, block.row.finished, block.column.finished] = block.scores.cpu().numpy()
        yield block
