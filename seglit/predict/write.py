"""Writes predictions to files, each atomically."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from seglit.drawing.predictions import draw_overlay
from seglit.errors import InputError
from seglit.images.replacing import replacing
from seglit.images.tiff import Tag, write_stack, write_tiff
from seglit.images.validity import NODATA_TAG
from seglit.labels import IGNORE_INDEX, Labels, Stored
from seglit.predict.jobs import Job
from seglit.predict.settings import Masks
from seglit.predict.tile_scores import Block, Prediction

Array = npt.NDArray[Any]


class Writer:
    """Writes the output files of images.

    Args:
        masks: Mask encoding: the values stored in the training masks, or the classes' colours.
        labels: Stored values and colours of the classes.
        nodata: Whether masks of TIFFs state the value of pixels without data.

    Raises:
        InputError: PNG cannot store the values.
    """

    def __init__(self, masks: Masks, labels: Labels, *, nodata: bool) -> None:
        self.labels = labels
        self.in_palette = masks == "color"
        self.void = _void_value(labels) if nodata else None
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
        values = self.write_all_but_mask(job, image, prediction)
        with replacing(job.mask) as part:
            if job.is_tiff:
                write_tiff(part, [values], values.shape, values.dtype, self._tags(tags))
            else:
                self.picture(values).save(part, "PNG")

    def write_all_but_mask(self, job: Job, image: Array, prediction: Prediction) -> Array:
        """Writes probabilities and overlay, if requested; returns the values of the mask's file, see `encode`."""
        if job.probabilities is not None and prediction.probabilities is not None:
            with replacing(job.probabilities) as part, part.open("wb") as file:
                np.save(file, prediction.probabilities.astype(np.float16))
        if job.overlay is not None:
            with replacing(job.overlay) as part:
                draw_overlay(image, prediction.mask, self.labels).save(part, "PNG")
        return self.encode(prediction.mask)

    def write_masks(self, job: Job, masks: Iterable[Array], tags: list[Tag]) -> None:
        """Writes the masks of a stack's slices, as `encode` returns them, while they are predicted."""
        with replacing(job.mask) as part:
            write_stack(part, masks, len(job.slices), self._tags(tags))

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
                write_tiff(part, self._encoded_rows(blocks), shape, self.dtype, self._tags(tags))
                return
            with replacing(job.probabilities) as file:
                stored = np.lib.format.open_memmap(file, "w+", np.float16, (self.labels.num_classes, *size))
                rows = self._encoded_rows(_store_probabilities(blocks, stored))
                write_tiff(part, rows, shape, self.dtype, self._tags(tags))
                del rows, stored  # closes the file

    def encode(self, mask: npt.NDArray[np.uint8]) -> Array:
        """Maps class indices (H, W), void 255, to the values of a mask file: (H, W), or RGB (H, W, 3)."""
        if self.in_palette:
            return self.labels.colorize(mask)
        empty = mask == IGNORE_INDEX
        values = self.labels.decode(np.where(empty, 0, mask))
        if empty.any():
            if self.void is None:
                raise InputError(
                    "classes store every value from 0 to 255: none is left for no data; use --nodata false"
                )
            values[empty] = self.void
        return values

    def picture(self, values: Array) -> Image.Image:
        """Returns values of `encode` as a picture; 8-bit ones by a palette that shows their classes' colours."""
        picture = Image.fromarray(values)
        if picture.mode == "L":
            table = self.labels.colorize(np.full(256, IGNORE_INDEX))  # (256, 3)
            for stored, index in self.labels.values.items():
                if isinstance(stored, int) and index < self.labels.num_classes and 0 <= stored < 256:
                    table[stored] = self.labels.palette[index]
            picture.putpalette(table.tobytes())
        return picture

    def _tags(self, georeference: list[Tag]) -> list[Tag]:
        """Replaces the image's value for pixels without data by the mask's."""
        tags = [tag for tag in georeference if tag[0] != NODATA_TAG]
        if not isinstance(self.void, int) or self.in_palette:
            return tags
        text = str(self.void).encode()
        return [*tags, (NODATA_TAG, 2, len(text) + 1, text, True)]  # 2: text

    def _encoded_rows(self, blocks: Iterable[Block]) -> Iterator[Array]:
        """Joins the blocks of each row of tiles and encodes them."""
        row: list[npt.NDArray[np.uint8]] = []
        for block in blocks:
            row.append(block.mask)
            if block.column.done == block.grid.size[1]:
                yield self.encode(np.concatenate(row, 1))
                row = []


def _void_value(labels: Labels) -> Stored | None:
    """Returns the highest value up to 255, or grey, that no class stores; None if they store all."""
    classes = {value for value, index in labels.values.items() if index != IGNORE_INDEX}
    greys = ((level, level, level) if labels.stored_as_color else level for level in range(255, -1, -1))
    return next((value for value in greys if value not in classes), None)


def _store_probabilities(blocks: Iterable[Block], stored: npt.NDArray[np.float16]) -> Iterator[Block]:
    for block in blocks:
        stored[:, block.row.finished, block.column.finished] = block.scores.cpu().numpy()
        yield block
