"""Overlapping tiles, blended with Gaussian weights, in memory that does not grow with the image height.

The weights are those of nnU-Net (Isensee et al. 2021, https://doi.org/10.1038/s41592-020-01008-z): a Gaussian with a
standard deviation of an eighth of the tile. They are separable, so each axis is normalised on its own in advance and
no final division is needed.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from seglit.predict.settings import ALIGNMENT, Settings

MAX_WHOLE_PIXELS = 2048 * 2048
"""Images of up to this many pixels are predicted whole, unless a tile size is set."""
DEFAULT_TILE = 1024
SMALLEST_TILE = 256
MAX_CARRIED_BYTES = 1_250_000_000
"""Limit of the sums carried over to the next row of tiles; tiles are made smaller to stay below it."""


class Span(NamedTuple):
    """The extent of a tile along one axis, in pixels.

    Args:
        start: First pixel of the network's input.
        stop: End of the network's input, exclusive.
        done: End, exclusive, of the part that is final once this tile and its predecessors are predicted.
        weight: Blending weights float32 (stop - start,); at each pixel, the weights of all spans sum to 1.
    """

    start: int
    stop: int
    done: int
    weight: Tensor

    @property
    def seen(self) -> slice:
        """The network's input: start to stop."""
        return slice(self.start, self.stop)

    @property
    def finished(self) -> slice:
        """The final part: start to done."""
        return slice(self.start, self.done)


class Grid(NamedTuple):
    """The tiles of an image: all pairs of row and column, in reading order. A whole image is a grid of one tile."""

    rows: tuple[Span, ...]
    columns: tuple[Span, ...]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the image."""
        return self.rows[-1].stop, self.columns[-1].stop

    @property
    def overlap(self) -> int:
        """Largest number of pixel rows that two successive rows of tiles share."""
        return max(row.stop - row.done for row in self.rows)

    @property
    def is_whole(self) -> bool:
        """Whether there is only one tile."""
        return len(self) == 1

    def __len__(self) -> int:
        return len(self.rows) * len(self.columns)

    def places(self) -> Iterator[tuple[Span, Span]]:
        """Row and column of every tile, in reading order."""
        return ((row, column) for row in self.rows for column in self.columns)


def make_grid(height: int, width: int, num_classes: int, settings: Settings) -> Grid:
    """Divides an image into tiles, or keeps it whole."""
    if settings.tile is not None:
        return divide_image(height, width, settings.tile, settings.overlap)
    tile = max(height, width) if height * width <= MAX_WHOLE_PIXELS else DEFAULT_TILE
    grid = divide_image(height, width, tile, settings.overlap)
    while tile > SMALLEST_TILE and 4 * num_classes * width * grid.overlap > MAX_CARRIED_BYTES:
        tile //= 2
        grid = divide_image(height, width, tile, settings.overlap)
    return grid


def divide_image(height: int, width: int, tile: int, overlap: float) -> Grid:
    """Divides an image into tiles of this height and width."""
    return Grid(divide(height, tile, overlap), divide(width, tile, overlap))


def divide(length: int, tile: int, overlap: float) -> tuple[Span, ...]:
    """Divides an axis into spans of `tile` pixels that overlap by at least the fraction `overlap`.

    Spans start at multiples of 32, with a stride of at least 32. The last one may be up to 31 pixels shorter to end
    with the image; the network pads it as it pads the image.
    """
    last = -(-max(length - tile, 0) // ALIGNMENT) * ALIGNMENT
    stride = max(ALIGNMENT, int(tile * (1 - overlap)) // ALIGNMENT * ALIGNMENT)
    steps = max(1, -(-last // stride))
    starts = sorted({last * step // steps // ALIGNMENT * ALIGNMENT for step in range(steps + 1)})
    stops = [min(start + tile, length) for start in starts]
    total = np.zeros(length)
    for start, stop in zip(starts, stops, strict=True):
        total[start:stop] += _gaussian(stop - start)
    weights = (
        torch.from_numpy((_gaussian(stop - start) / total[start:stop]).astype(np.float32))
        for start, stop in zip(starts, stops, strict=True)
    )
    return tuple(map(Span, starts, stops, [*starts[1:], length], weights))


def _gaussian(length: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    offsets = np.arange(length) - (length - 1) / 2
    return np.exp(-0.5 * (8 * offsets / length) ** 2)


class Blend:
    """Blends the scores of a grid's tiles, in reading order.

    The partial sum of a pixel that lies in several tiles is kept until the last of them is added: of the tile to the
    left, and of the row of tiles above, which takes 4 * num_classes * width * (tile - stride) bytes.

    Args:
        grid: The tiles.
        num_classes: Channels of the scores.
        device: Device of the scores.
    """

    def __init__(self, grid: Grid, num_classes: int, device: torch.device) -> None:
        self._width = grid.size[1]
        self._above = torch.zeros(num_classes, grid.overlap, self._width, device=device)
        self._above_height = 0
        self._left: Tensor | None = None

    def add(self, scores: Tensor, row: Span, column: Span) -> Tensor:
        """Adds the scores of the next tile.

        Args:
            scores: float32 (num_classes, row.stop - row.start, column.stop - column.start); modified in place.
            row: Extent of the tile's rows.
            column: Extent of the tile's columns.

        Returns:
            The scores that are now final, of the image's pixels at `row.finished` and `column.finished`.
        """
        weight = row.weight.to(scores.device)[:, None] * column.weight.to(scores.device)
        sums = scores.mul_(weight)
        if self._left is not None:
            sums[:, :, : self._left.shape[2]] += self._left
        split = column.done - column.start
        is_last_column = column.done == self._width
        # a copy, as a view would keep the whole tile in memory
        self._left = None if is_last_column else sums[:, :, split:].clone()
        sums = sums[:, :, :split]
        sums[:, : self._above_height] += self._above[:, : self._above_height, column.finished]
        split = row.done - row.start
        carried = sums[:, split:]
        self._above[:, : carried.shape[1], column.finished] = carried
        if is_last_column:
            self._above_height = carried.shape[1]
        return sums[:, :split]
