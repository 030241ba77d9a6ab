"""How far scores would move with other images of the same kind: bootstrap intervals over images.

Neither torchmetrics' `BootStrapper` (a copy of the metric for each resample, drawn within each batch) nor
`scipy.stats.bootstrap` (copies every resample's images) gets through 10,000 resamples in seconds. But an IoU depends on
sums over images alone, and the sums of a resample are a row of how often each image was drawn, times the counts.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seglit.metrics import Counts, PerClass, divide

RESAMPLES = 10_000
LEVEL = 0.95
"""The share of resamples within an interval."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """Bootstrap intervals of IoU, 0..1, or of a difference of IoU, -1..1; nan where a class is in no resample.

    Args:
        miou: Lower and upper end for the mean over the classes that occur.
        iou: Lower and upper ends for each class, float64 (2, C).
    """

    miou: tuple[float, float]
    iou: NDArray[np.float64]


def bootstrap_iou(images: Counts, resamples: int = RESAMPLES, seed: int = 0) -> Intervals:
    """Percentile intervals (Efron 1979) of IoU over images that are drawn with replacement.

    Each resample is scored as a split is: counts are summed, then divided, and classes that do not occur in it are left
    out of its mean. A class's own interval is over the resamples in which it occurs.

    Args:
        images: Each image's pixels per class, int64 (N, 3, C): right, in the target, predicted.
        resamples: How many resamples of N images each.
        seed: Seed of the draw; the same images in the same order give the same intervals.
    """
    iou = _resample(images, resamples, seed)
    return _intervals(_means(iou), iou)


def bootstrap_difference(first: Counts, second: Counts, resamples: int = RESAMPLES, seed: int = 0) -> Intervals:
    """Percentile intervals of how much higher a second network's IoU is than a first one's on the same images.

    Paired: every resample scores both networks on the same draw of images, so that how hard these are cancels out, as
    in a paired test. A class's own interval is over the resamples in which both have an IoU.

    Args:
        first: The first network's pixels per class in each image, int64 (N, 3, C), as for `bootstrap_iou`.
        second: The second one's, of the same images in the same order.
        resamples: How many resamples of N images each.
        seed: Seed of the draw.
    """
    iou_first, iou_second = np.split(_resample(np.concatenate([first, second], axis=2), resamples, seed), 2, axis=1)
    return _intervals(_means(iou_second) - _means(iou_first), iou_second - iou_first)


def _resample(images: Counts, resamples: int, seed: int) -> NDArray[np.float64]:
    """IoU (resamples, C) of resamples of images (N, 3, C); nan where a class does not occur."""
    count, _, num_classes = images.shape
    iou = np.full((resamples, num_classes), np.nan)
    if count == 0:
        return iou
    correct, target, predicted = images.swapaxes(0, 1)
    # float64 holds sums of counts exactly up to 2^53, and its matrix product is the fast one
    sums = np.concatenate([correct, target + predicted - correct], axis=1).astype(np.float64)  # (N, 2C)
    generator = np.random.default_rng(seed)
    block = max(1, 2**20 // max(count, num_classes))  # bounds the memory, to some 30 MB
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        drawn = generator.integers(count, size=(rows, count)) + count * np.arange(rows)[:, np.newaxis]
        weights = np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count)
        drawn_sums = weights.astype(np.float64) @ sums
        iou[start : start + rows] = divide(drawn_sums[:, :num_classes], drawn_sums[:, num_classes:])
    return iou


def _means(iou: NDArray[np.float64]) -> PerClass:
    """The mean (resamples,) over the classes that occur."""
    occurs = ~np.isnan(iou)
    return divide(np.where(occurs, iou, 0).sum(axis=1), occurs.sum(axis=1))


def _intervals(miou: PerClass, iou: NDArray[np.float64]) -> Intervals:
    low, high = _percentiles(miou)
    return Intervals((float(low), float(high)), np.stack([_percentiles(each) for each in iou.T], axis=1))


def _percentiles(values: PerClass) -> PerClass:
    """The ends (2,) that leave (1 - `LEVEL`) / 2 of the values beyond each; nan if there are none."""
    defined = values[~np.isnan(values)]
    return np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) if len(defined) else np.full(2, np.nan)
