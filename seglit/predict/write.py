"""Writes predictions to files, each atomically."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from seglit.drawing.predictions import as_rgb
from seglit.errors import InputError
from seglit.images.replacing import replacing
from seglit.images.tiff import Tag, write_tiff
from seglit.labels import IGNORE_INDEX, Labels
from seglit.predict.jobs import Job
from seglit.predict.predictor import Block, Prediction

Masks = Literal["stored", "color"]
Array = npt.NDArray[Any]
Encoder = Callable[[npt.NDArray[np.uint8]], Array]


def mask_encoder(masks: Masks, labels: Labels) -> Encoder:
    """Returns the function that maps class indices uint8 (H, W) to the values of a mask file, (H, W) or RGB (H, W, 3).

    Raises:
        InputError: PNG cannot store the values.
    """
    if masks == "color":
        return labels.colorize
    dtype = labels.decode(np.zeros((1, 1), np.uint8)).dtype
    if dtype not in (np.uint8, np.uint16):
        raise InputError(f"the stored values of the classes are {dtype}, which PNG cannot store; use --masks color")
    return labels.decode


def write(job: Job, image: Array, prediction: Prediction, values: Array, labels: Labels, tags: list[Tag]) -> None:
    """Writes the output files of an image, the mask last.

    Args:
        job: Output files.
        image: Image (H, W, C), for the overlay.
        prediction: Class indices and, if requested, probabilities.
        values: Values of the mask file, from `mask_encoder`.
        labels: Colours of the overlay.
        tags: Georeference of a TIFF.
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
            _picture(values, labels).save(part, "PNG")


def _picture(values: Array, labels: Labels) -> Image.Image:
    """The values as a picture; 8-bit values in the colours of their classes, by a palette that keeps the values."""
    picture = Image.fromarray(values)
    if picture.mode == "L":
        table = labels.colorize(np.full(256, IGNORE_INDEX))  # (256, 3)
        for stored, index in labels.values.items():
            if isinstance(stored, int) and index < labels.num_classes and 0 <= stored < 256:
                table[stored] = labels.palette[index]
        picture.putpalette(table.tobytes())
    return picture


def write_blocks(
    job: Job,
    size: tuple[int, int],
    blocks: Iterable[Block],
    encode: Encoder,
    num_classes: int,
    tags: list[Tag],
) -> None:
    """Writes the mask, and probabilities if requested, of a large TIFF while it is predicted.

    Args:
        job: Output files.
        size: Image height and width.
        blocks: Finished parts of the prediction, in reading order.
        encode: Maps class indices to mask values, see `mask_encoder`.
        num_classes: Channels of the probabilities.
        tags: Georeference.
    """
    example = encode(np.zeros((1, 1), np.uint8))
    shape = (*size, *example.shape[2:])
    with replacing(job.mask) as part:
        if job.probabilities is None:
            write_tiff(part, _bands(blocks, encode), shape, example.dtype, tags)
            return
        with replacing(job.probabilities) as probabilities_part:
            stored = np.lib.format.open_memmap(probabilities_part, "w+", np.float16, (num_classes, *size))
            write_tiff(part, _bands(_store_probabilities(blocks, stored), encode), shape, example.dtype, tags)
            del stored  # closes the file


def _bands(blocks: Iterable[Block], encode: Encoder) -> Iterator[Array]:
    """Joins the blocks of each row of tiles and encodes them."""
    row: list[npt.NDArray[np.uint8]] = []
    for block in blocks:
        row.append(block.mask)
        if block.column.done == block.grid.size[1]:
            yield encode(np.concatenate(row, 1))
            row = []


def _store_probabilities(blocks: Iterable[Block], stored: npt.NDArray[np.float16]) -> Iterator[Block]:
    for block in blocks:
        stored[:, block.row.finished, block.column.finished] = block.scores.cpu().numpy()
        yield block
