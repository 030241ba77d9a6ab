"""Bootstrap intervals over test images: how much scores would vary with other images of the same kind.

Neither torchmetrics' `BootStrapper` (one copy of the metric per resample, drawn within each batch) nor
`scipy.stats.bootstrap` (copies the images of every resample) computes 10,000 resamples within seconds. But IoU depends
only on sums over images, and the sums of a resample are a matrix product: how often each image is drawn, times its
counts. Where images are alike, groups of them are drawn, see `seglit.evaluation.groups`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seglit.metrics import Counts, PerClass, divide

RESAMPLES = 10_000
LEVEL = 0.95
"""Confidence level: the share of resamples within an interval."""
LEVEL_TEXT = f"{100 * LEVEL:g} %"


@dataclass(frozen=True, slots=True)
class Intervals:
    """Bootstrap intervals of IoU, 0..1, or of a difference of IoU, -1..1.

    One image shows no variation, and all its resamples are equal: without two images, and for a class in fewer, the
    ends are nan.

    Args:
        miou: Lower and upper end for the mean over the occurring classes.
        iou: Lower and upper ends for each class, float64 (2, C).
    """

    miou: tuple[float, float]
    iou: NDArray[np.float64]


def bootstrap_iou(images: Counts, resamples: int = RESAMPLES, seed: int = 0) -> Intervals:
    """Computes percentile intervals (Efron 1979) of IoU over images drawn with replacement.

    Each resample is scored like a split: counts are summed, then divided, and its mean skips classes that do not occur
    in it. The interval of a class is over the resamples in which it occurs.

    Args:
        images: Pixels per image and class, int64 (N, 3, C): correct, in the target, predicted.
        resamples: Number of resamples of N images each.
        seed: Random seed; the same images in the same order give the same intervals.
    """
    iou = _resample(images, resamples, seed)
    return _intervals(_means(iou), iou, _occurrences(images))


def bootstrap_difference(first: Counts, second: Counts, resamples: int = RESAMPLES, seed: int = 0) -> Intervals:
    """Computes percentile intervals of the IoU of a second network minus that of a first, on the same images.

    The bootstrap is paired: every resample scores both networks on the same images, so that their difficulty cancels
    out, as in a paired test. The interval of a class is over the resamples in which both networks have an IoU.

    Args:
        first: Pixels per image and class of the first network, int64 (N, 3, C), as for `bootstrap_iou`.
        second: Those of the second network, for the same images in the same order.
        resamples: Number of resamples of N images each.
        seed: Random seed.
    """
    both = np.concatenate([first, second], axis=2)
    iou_first, iou_second = np.split(_resample(both, resamples, seed), 2, axis=1)
    occurrences = np.minimum(*np.split(_occurrences(both), 2))
    return _intervals(_means(iou_second) - _means(iou_first), iou_second - iou_first, occurrences)


def _resample(images: Counts, resamples: int, seed: int) -> NDArray[np.float64]:
    """Returns the IoU (resamples, C) of resampled images (N, 3, C); nan for absent classes and without two images."""
    count, _, num_classes = images.shape
    iou = np.full((resamples, num_classes), np.nan)
    if count < 2:
        return iou
    correct, target, predicted = images.swapaxes(0, 1)
    # float64 sums counts exactly up to 2^53 and has a fast matrix product
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
    """Returns the mean (resamples,) over the occurring classes."""
    occurs = ~np.isnan(iou)
    return divide(np.where(occurs, iou, 0).sum(axis=1), occurs.sum(axis=1))


def _occurrences(images: Counts) -> NDArray[np.int64]:
    """Returns the number of images with each class in target or prediction, (C,)."""
    occurrences: NDArray[np.int64] = images.any(axis=1).sum(axis=0)
    return occurrences


def _intervals(miou: PerClass, iou: NDArray[np.float64], occurrences: NDArray[np.int64]) -> Intervals:
    low, high = _percentiles(miou)
    defined = np.where(occurrences < 2, np.nan, iou)
    return Intervals((float(low), float(high)), np.stack([_percentiles(values) for values in defined.T], axis=1))


def _percentiles(values: PerClass) -> PerClass:
    """Returns the interval's ends (2,), with (1 - `LEVEL`) / 2 of the values beyond each; nan without values."""
    defined = values[~np.isnan(values)]
    return np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) if len(defined) else np.full(2, np.nan)
