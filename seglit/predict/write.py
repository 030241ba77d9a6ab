"""Predictions written to files, each put in its place only when it is whole."""

from collections.abc import Callable, Iterable, Iterator
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


def coder(masks: Masks, labels: Labels) -> Callable[[npt.NDArray[np.uint8]], Array]:
    """What turns class indices (H, W) into the values of a mask file: (H, W), or (H, W, 3) in colour.

    Raises:
        InputError: The stored values fit no PNG.
    """
    if masks == "color":
        return labels.colorize
    dtype = labels.decode(np.zeros((1, 1), np.uint8)).dtype
    if dtype not in (np.uint8, np.uint16):
        raise InputError(f"the stored values of the classes are {dtype}, which no PNG holds; use --masks color")
    return labels.decode


def write(job: Job, image: Array, prediction: Prediction, values: Array, labels: Labels, tags: list[Tag]) -> None:
    """Writes an image's files; the mask last.

    Args:
        job: The files.
        image: (H, W, C), for the overlay.
        prediction: Class indices and, where wanted, probabilities.
        values: What the mask file holds, see `coder`.
        labels: The colours of the overlay.
        tags: The georeference of a TIFF.
    """
    if job.probabilities is not None and prediction.probabilities is not None:
        with replacing(job.probabilities) as part, part.open("wb") as file:
            np.save(file, prediction.probabilities.astype(np.float16))
    if job.overlay is not None:
        with replacing(job.overlay) as part:
            colors = labels.colorize(prediction.mask)
            Image.fromarray((as_rgb(image) // 2 + colors // 2).astype(np.uint8)).save(part, "PNG")
    with replacing(job.mask) as part:
        if job.is_tiff:
            write_tiff(part, [values], values.shape, values.dtype, tags)
        else:
            Image.fromarray(values).save(part, "PNG")


def write_blocks(
    job: Job,
    size: tuple[int, int],
    blocks: Iterable[Block],
    encode: Callable[[npt.NDArray[np.uint8]], Array],
    num_classes: int,
    tags: list[Tag],
) -> None:
    """Writes the mask, and probabilities, of a large TIFF while they are made.

    Args:
        job: The files.
        size: Height and width.
        blocks: The finished pieces, in reading order.
        encode: See `coder`.
        num_classes: Channels of the probabilities.
        tags: The georeference.
    """
    example = encode(np.zeros((1, 1), np.uint8))
    shape = (*size, *example.shape[2:])
    with replacing(job.mask) as part:
        if job.probabilities is None:
            write_tiff(part, _bands(blocks, encode), shape, example.dtype, tags)
            return
        with replacing(job.probabilities) as other:
            stored = np.lib.format.open_memmap(other, "w+", np.float16, (num_classes, *size))
            write_tiff(part, _bands(_storing(blocks, stored), encode), shape, example.dtype, tags)
            del stored  # closes the file


def _bands(blocks: Iterable[Block], encode: Callable[[npt.NDArray[np.uint8]], Array]) -> Iterator[Array]:
    """Joins the pieces of each row of tiles."""
    row: list[npt.NDArray[np.uint8]] = []
    for block in blocks:
        row.append(block.mask)
        if block.column.done == block.grid.size[1]:
            yield encode(np.concatenate(row, 1))
            row = []


def _storing(blocks: Iterable[Block], stored: npt.NDArray[np.float16]) -> Iterator[Block]:
    for block in blocks:
        stored[:, block.row.finished, block.column.finished] = block.scores.cpu().numpy()
        yield block
