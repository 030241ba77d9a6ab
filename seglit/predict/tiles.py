"""Overlapping tiles, and their answers put together with Gaussian weights, in memory that does not grow with height.

The weights are nnU-Net's (Isensee et al. 2021, https://doi.org/10.1038/s41592-020-01008-z): a Gaussian of an eighth of
the tile. Over a grid they are products of one factor a row and one a column, so that each axis is normalised alone and
nothing has to be divided in the end.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from seglit.predict.settings import ALIGNMENT, Settings

WHOLE = 2048 * 2048
"""Images of up to so many pixels are taken whole, unless a tile is set."""
TILE = 1024
SMALLEST_TILE = 256
CARRIED = 1_250_000_000
"""Bytes that may wait for the next row of tiles; beyond, tiles are made smaller."""


class Span(NamedTuple):
    """A tile's place along one axis, in pixels.

    `start` to `stop` is what the network sees, `start` to `done` what is finished once it and its predecessors have
    been answered, and `weight` (stop - start,) what its answers count: over all spans a pixel's weights add up to 1.
    """

    start: int
    stop: int
    done: int
    weight: Tensor

    @property
    def seen(self) -> slice:
        """From start to stop."""
        return slice(self.start, self.stop)

    @property
    def finished(self) -> slice:
        """From start to done."""
        return slice(self.start, self.done)


class Grid(NamedTuple):
    """The tiles of an image: every row with every column, in reading order. The whole image is a grid of one."""

    rows: tuple[Span, ...]
    columns: tuple[Span, ...]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the image."""
        return self.rows[-1].stop, self.columns[-1].stop

    @property
    def overlap(self) -> int:
        """How many rows wait, at most, for the next row of tiles."""
        return max(row.stop - row.done for row in self.rows)

    @property
    def is_whole(self) -> bool:
        """Whether there is but one tile."""
        return len(self) == 1

    def __len__(self) -> int:
        return len(self.rows) * len(self.columns)

    def places(self) -> Iterator[tuple[Span, Span]]:
        """Row and column of every tile."""
        return ((row, column) for row in self.rows for column in self.columns)


def make_grid(height: int, width: int, num_classes: int, settings: Settings) -> Grid:
    """Divides an image into tiles, or leaves it whole."""
    tile = settings.tile
    if tile is None and height * width <= WHOLE:
        tile = max(height, width)
    if tile is not None:
        return Grid(divide(height, tile, settings.overlap), divide(width, tile, settings.overlap))
    tile = TILE
    while True:
        grid = Grid(divide(height, tile, settings.overlap), divide(width, tile, settings.overlap))
        if tile == SMALLEST_TILE or 4 * num_classes * width * grid.overlap <= CARRIED:
            return grid
        tile //= 2


def divide(length: int, tile: int, overlap: float) -> tuple[Span, ...]:
    """Divides an axis into spans of `tile` pixels that overlap by that part or more; the last may be 31 pixels shorter.

    It then ends where the image does, and still starts at a multiple of 32: the network pads it as it pads the image.
    """
    last = -(-max(length - tile, 0) // ALIGNMENT) * ALIGNMENT
    stride = max(ALIGNMENT, int(tile * (1 - overlap)) // ALIGNMENT * ALIGNMENT)
    steps = max(1, -(-last // stride))
    starts = sorted({last * step // steps // ALIGNMENT * ALIGNMENT for step in range(steps + 1)})
    stops = [min(start + tile, length) for start in starts]
    total = np.zeros(length)
    for start, stop in zip(starts, stops, strict=True):
        total[start:stop] += _importance(stop - start)
    weights = (
        torch.from_numpy((_importance(stop - start) / total[start:stop]).astype(np.float32))
        for start, stop in zip(starts, stops, strict=True)
    )
    return tuple(map(Span, starts, stops, [*starts[1:], length], weights))


def _importance(length: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    places = np.arange(length) - (length - 1) / 2
    return np.exp(-0.5 * (8 * places / length) ** 2)


class Blend:
    """Puts the answers for a grid's tiles together, in reading order.

    Of a pixel that lies in several tiles, the sum so far is kept until the last of them has been answered: to the right
    for one tile, downwards for one row of tiles, 4 * num_classes * width * (tile - stride) bytes in all.

    Args:
        grid: The tiles.
        num_classes: Channels of the answers.
        device: Where the answers are.
    """

    def __init__(self, grid: Grid, num_classes: int, device: torch.device) -> None:
        width = grid.size[1]
        self._above = torch.zeros(num_classes, grid.overlap, width, device=device)
        self._above_height = 0
        self._left: Tensor | None = None
        self._width = width

    def add(self, answer: Tensor, row: Span, column: Span) -> Tensor:
        """Adds the answer for the next tile.

        Args:
            answer: (num_classes, height of the row, width of the column), float32; it is written over.
            row: The tile's place.
            column: The tile's place.

        Returns:
            What is finished by it: `row.finished` and `column.finished` of the image.
        """
        weight = row.weight.to(answer.device)[:, None] * column.weight.to(answer.device)
        sums = answer.mul_(weight)
        if self._left is not None:
            sums[:, :, : self._left.shape[2]] += self._left
        split = column.done - column.start
        ends = column.done == self._width
        self._left = None if ends else sums[:, :, split:].clone()  # not a view, which would keep the whole tile
        sums = sums[:, :, :split]
        sums[:, : self._above_height] += self._above[:, : self._above_height, column.finished]
        split = row.done - row.start
        waiting = sums[:, split:]
        self._above[:, : waiting.shape[1], column.finished] = waiting
        if ends:
            self._above_height = waiting.shape[1]
        return sums[:, :split]
