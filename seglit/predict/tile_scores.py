"""Tiles of images, and the blocks of scores that the network makes of them."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from seglit.errors import RunError
from seglit.images.scaling import Size
from seglit.images.validity import Flags
from seglit.labels import IGNORE_INDEX
from seglit.predict.tiles import Grid, Span, divide_image

Array = npt.NDArray[Any]


class Prediction(NamedTuple):
    """Class indices uint8 (H, W), and probabilities float32 (num_classes, H, W), or None if not requested."""

    mask: npt.NDArray[np.uint8]
    probabilities: npt.NDArray[np.float32] | None


class Tile(NamedTuple):
    """A tile of an image: its position and pixels (h, w, C)."""

    grid: Grid
    row: Span
    column: Span
    pixels: Array


class Block(NamedTuple):
    """A finished part of a prediction.

    `scores` are probabilities (num_classes, h, w), or logits if only the mask is requested; `empty` marks the pixels
    (h, w) without data, None if all have data.
    """

    grid: Grid
    row: Span
    column: Span
    scores: Tensor
    empty: Flags | None

    @property
    def mask(self) -> npt.NDArray[np.uint8]:
        """Class indices (h, w); 255 where the image has no data.

        Raises:
            RunError: The network answered NaN or infinity.
        """
        largest, indices = self.scores.max(0)
        if not largest.isfinite().all():
            raise RunError("the network answers NaN or infinity")
        mask = indices.byte().cpu().numpy()
        if self.empty is not None:
            mask[self.empty] = IGNORE_INDEX
        return mask


def cut(image: Array, grid: Grid) -> Iterator[Tile]:
    """Yields the tiles of an image (H, W, C)."""
    return (Tile(grid, row, column, image[row.seen, column.seen]) for row, column in grid.places())


def at_stored_size(
    blocks: Iterable[Block], stored: deque[tuple[Size, Flags | None]], probabilities: bool
) -> Iterator[Block]:
    """Joins the blocks of a resized image to one, with scores resized as a test resizes logits to the mask (bilinear).

    Args:
        blocks: All blocks of an image in reading order; of an image that is predicted whole, with logits.
        stored: Of each image, its size as stored, and its pixels without data; removed when they are used.
        probabilities: Whether the scores must be probabilities.
    """
    scores = torch.empty(0)
    for block in blocks:
        if block.row.start == block.column.start == 0:
            scores = block.scores.new_empty(len(block.scores), *block.grid.size)
        scores[:, block.row.finished, block.column.finished] = block.scores
        if (block.row.done, block.column.done) == block.grid.size:
            size, empty = stored.popleft()
            resized = F.interpolate(scores[None], size, mode="bilinear", align_corners=False)[0]
            grid = divide_image(*size, tile=max(size), overlap=0)
            softmax = probabilities and block.grid.is_whole
            yield Block(grid, grid.rows[0], grid.columns[0], resized.softmax(0) if softmax else resized, empty)
