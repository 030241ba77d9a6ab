"""What the counts suggest for training: class weights, crop size, batch size."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

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
    return Advice(
        crop,
        reason,
        batch,
        class_weights(
            np.array([max(1, value.count.trained_pixels) for value in coding.classes], np.float64),
            np.array([max(1, value.count.trained_area) for value in coding.classes], np.float64),
        ),
    )


def _crop(side: int) -> int:
    return int(min(512, max(32, side // 32 * 32)))


def class_weights(pixels: npt.NDArray[np.float64], areas: npt.NDArray[np.float64]) -> dict[str, list[float]]:
    """The weights that each common formula gives, scaled so that their mean over the pixels is 1.

    Args:
        pixels: Pixels of each class (C,), none 0.
        areas: All pixels of the images that hold it (C,).

    Returns:
        `inverse`: 1 / share; `median_frequency`: 1 / share of the images that hold the class (Eigen and Fergus 2015);
        `sqrt_inverse`: root of inverse; `enet`: 1 / ln(1.02 + share) (Paszke et al. 2016); `effective_number`:
        (1 - beta) / (1 - beta^n) with beta 0.999 and n the share of 100,000 pixels (Cui et al. 2019).
    """
    shares = pixels / pixels.sum()
    beta = 0.999
    formulas = {
        "inverse": 1 / shares,
        "median_frequency": areas / pixels,
        "sqrt_inverse": 1 / np.sqrt(shares),
        "enet": 1 / np.log(1.02 + shares),
        "effective_number": (1 - beta) / (1 - beta ** np.maximum(1, shares * 1e5)),
    }
    return {name: (weights / (weights * shares).sum()).round(3).tolist() for name, weights in formulas.items()}
