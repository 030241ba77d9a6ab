"""Connected regions of an image with the same target and the same wrong prediction."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seglit.evaluation.components import PixelRuns, value_of
from seglit.evaluation.outlines import Classes

CODE = 256
"""A confusion is coded as target * `CODE` + prediction."""
CORRECT = np.uint16(CODE**2 - 1)
"""The code of pixels that are correct or void."""

_Codes = NDArray[np.uint16]
_Counts = NDArray[np.int64]
_Indices = NDArray[np.intp]


class RegionFacts(NamedTuple):
    """A region: its confusion, box (left, top, width, height), number of pixels, and their mean confidence."""

    code: int
    box: tuple[int, int, int, int]
    pixels: int
    confidence: float


def confusions(target: Classes, preds: Classes) -> _Codes:
    """Returns the codes of pixels or of runs."""
    codes = target.astype(np.uint16) * np.uint16(CODE) + preds
    return np.where(target == preds, CORRECT, codes)


class ConfusedRegions:
    """Connected regions (8-connectivity) with the same confusion.

    Args:
        runs: Runs of pixels with the same confusion, R.
        codes: Their confusions, uint16 (R,).

    Attributes:
        of_run: The region of each run, (R,).
        codes: Confusions of the regions, uint16 (N,).
        pixels: Their numbers of pixels, (N,); 0 for regions without error.
    """

    def __init__(self, runs: PixelRuns[Classes] | PixelRuns[_Codes], codes: _Codes) -> None:
        self._runs = runs
        self.of_run = runs.connect(codes)
        self.codes = value_of(self.of_run, codes)
        self.pixels = np.bincount(self.of_run, runs.lengths * (codes != CORRECT)).astype(np.int64)

    def largest(self, count: int, min_pixels: int | _Counts, groups: _Codes | None = None) -> _Indices:
        """Returns the indices of the `count` largest regions, and of others as large as the last of them.

        Args:
            count: Number of regions.
            min_pixels: Minimum number of pixels, at least 1, or one for each region.
            groups: Groups of the regions, (N,), of which `count` are returned each.
        """
        large = np.flatnonzero(self.pixels >= min_pixels)
        group = np.zeros(len(large), np.uint16) if groups is None else groups[large]
        order = np.lexsort((-self.pixels[large], group))
        large, group = large[order], group[order]
        first = np.flatnonzero(np.diff(group, prepend=-1))
        lengths = np.diff(first, append=len(large))
        least = self.pixels[large[first + np.minimum(lengths, count) - 1]]
        return large[self.pixels[large] >= np.repeat(least, lengths)]

    def describe(self, indices: _Indices, confidence: NDArray[np.float32]) -> Iterator[RegionFacts]:
        """Describes regions by their indices, with the confidence (H, W) rounded to four digits."""
        indices = np.sort(indices)
        runs = np.flatnonzero(np.isin(self.of_run, indices))
        runs = runs[np.argsort(self.of_run[runs], kind="stable")]
        pixels = self._runs.pixels(runs)
        rows, columns = np.divmod(pixels, confidence.shape[1])
        first = np.cumsum(self.pixels[indices]) - self.pixels[indices]
        left, top = (np.minimum.reduceat(places, first) for places in (columns, rows))
        right, bottom = (np.maximum.reduceat(places, first) for places in (columns, rows))
        boxes = np.stack([left, top, right - left + 1, bottom - top + 1], axis=1).tolist()
        means = np.add.reduceat(confidence.ravel()[pixels], first, dtype=np.float64) / self.pixels[indices]
        of_region = self.codes[indices].tolist(), boxes, self.pixels[indices].tolist(), means.tolist()
        for code, box, count, mean in zip(*of_region, strict=True):
            yield RegionFacts(code, tuple(box), count, round(mean, 4))
