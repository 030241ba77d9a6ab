"""What the counts suggest for training: class weights, crop size, batch size."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from seglit.class_weights import FORMULAS, ClassCounts
from seglit.inspect.coding import Coding
from seglit.inspect.survey import TRAINED, Survey

_BATCH_PIXELS = 8 * 256 * 256  # what a step of the default network holds in about 4 GB


@dataclass(frozen=True)
class Advice:
    """What to start from.

    Args:
        crop_size: Height and width of the training crops in pixels.
        crop_reason: Why.
        batch_size: Crops a step.
        weights: Name of a formula to one weight a class, their mean over the pixels 1.
    """

    crop_size: tuple[int, int]
    crop_reason: str
    batch_size: int
    weights: Mapping[str, list[float]]


def advise(survey: Survey, coding: Coding) -> Advice:
    """Suggests crop, batch and class weights."""
    heights, widths = zip(*survey.sizes.elements(), strict=True)
    low = int(np.percentile(heights, 10)), int(np.percentile(widths, 10))
    crop = _crop(low[0]), _crop(low[1])
    trained = sum(survey.counts[split] for split in TRAINED)
    batch = 2 ** round(math.log2(max(2, min(32, trained, _BATCH_PIXELS / (crop[0] * crop[1])))))
    reason = (
        f"a multiple of 32 that 90 % of the images fill (10th percentile {low[0]} x {low[1]}), at most 512; "
        f"{batch} of them are {batch * crop[0] * crop[1] / 1e6:.1f} million pixels a step"
    )
    counts = ClassCounts(
        tuple(value.count.trained_pixels for value in coding.classes),
        tuple(value.count.trained_area for value in coding.classes),
    )
    return Advice(
        crop,
        reason,
        batch,
        {formula: counts.weights(formula) for formula in FORMULAS},
    )


def _crop(side: int) -> int:
    return int(min(512, max(32, side // 32 * 32)))
