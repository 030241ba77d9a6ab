"""Connected components of all classes at once, found from runs of pixels.

OpenCV labels one binary mask at a time: each class, or each pair of classes, would take a pass over the image. Runs are
labelled together, by the connected components of the graph of runs that touch.
"""

from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Map = TypeVar("Map", NDArray[np.uint8], NDArray[np.uint16])
Indices = NDArray[np.intp]

_NEIGHBOURS = ((0, 1), (1, -1), (1, 0), (1, 1))  # rows down, columns to the right; the other four mirror them


class PixelRuns(Generic[Map]):
    """Runs of pixels along rows, in raster order, that are constant in each of some maps of an image.

    Args:
        maps: Class indices or codes, (H, W) each.

    Attributes:
        values: The runs' values in each map, (R,).
        first: Flat index of their first pixels, (R,).
        lengths: Their numbers of pixels, (R,).
        index: Index of the run of each pixel, int32 (H, W).
    """

    def __init__(self, *maps: Map) -> None:
        begins = np.zeros(maps[0].shape, bool)
        begins[:, 0] = True
        for classes in maps:
            begins[:, 1:] |= classes[:, 1:] != classes[:, :-1]
        self.first = np.flatnonzero(begins)
        self.values: list[Map] = [classes.ravel()[self.first] for classes in maps]
        self.lengths = np.diff(self.first, append=begins.size)
        self.index: NDArray[np.int32] = np.cumsum(begins, dtype=np.int32).reshape(begins.shape) - np.int32(1)
        pixels = [_contacts(maps, begins, *step) for step in _NEIGHBOURS]
        self._touching = self.index.ravel()[np.concatenate(pixels, axis=1)]

    def connect(self, values: NDArray[np.integer]) -> NDArray[np.int32]:
        """Numbers the connected components (8-connectivity) of runs with equal values, from 0 in raster order.

        Args:
            values: Values of the runs (R,); equal only where one of the maps is.

        Returns:
            The component of each run (R,).
        """
        first, second = self._touching
        same = np.flatnonzero(values[first] == values[second])
        edges = np.ones(len(same), np.int8), (first[same], second[same])
        _, components = connected_components(coo_array(edges, shape=2 * (len(values),)), directed=False)
        return np.asarray(components, np.int32)

    def pixels(self, runs: Indices) -> Indices:
        """Returns the flat indices of the pixels in some runs."""
        lengths = self.lengths[runs]
        ends = lengths.cumsum()
        pixels: Indices = np.arange(lengths.sum()) + np.repeat(self.first[runs] - ends + lengths, lengths)
        return pixels


def value_of(components: NDArray[np.int32], values: Map) -> Map:
    """Returns the value of each component (N,), from those of its runs (R,)."""
    value = np.empty(components.max() + 1, values.dtype)
    value[components] = values
    return value


def _contacts(maps: tuple[Map, ...], begins: NDArray[np.bool_], down: int, right: int) -> Indices:
    """Returns the flat indices (2, N) of pixels and neighbours in another run that are equal in any map."""
    height, width = begins.shape
    before, after = max(0, -right), max(0, right)
    pixel = slice(height - down), slice(before, width - after)
    neighbour = slice(down, height), slice(after, width - before)
    if not right:  # runs touch over some columns, in whose first one or the other begins
        is_new = begins[pixel] | begins[neighbour]
    elif not down:
        is_new = begins[neighbour]
    else:  # unless a run begins in both rows, they are connected through the pixel above or below
        is_new = begins[: height - 1, 1:] & begins[1:, 1:]
    is_equal = np.zeros_like(is_new)
    for classes in maps:
        is_equal |= classes[pixel] == classes[neighbour]
    found = np.flatnonzero(is_equal & is_new)
    if right:
        found += found // is_equal.shape[1] + before
    return np.stack([found, found + down * width + right])
