"""Suggestions for training, from the survey: class weights, crop size, batch size, model."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from seglit.class_weights import FORMULAS, ClassCounts
from seglit.inspect.coding import Coding
from seglit.inspect.model_choice import ModelChoice, choose_model, has_gpu
from seglit.inspect.survey import TRAINING_SPLITS, Survey

_UNEQUAL = 10
_BATCH_PIXELS = 8 * 256 * 256  # with these, a step of the default network needs about 4 GB


@dataclass(frozen=True)
class Advice:
    """Suggested settings.

    Args:
        crop_size: Height and width of the training crops in pixels.
        crop_reason: Why this size.
        batch_size: Crops per step.
        weights: Name of a formula to one weight per class, with mean 1 over the pixels.
        model: The model to train.
    """

    crop_size: tuple[int, int]
    crop_reason: str
    batch_size: int
    weights: Mapping[str, list[float]]
    model: ModelChoice

    @property
    def is_unequal(self) -> bool:
        """Whether the largest class has more than ten times the pixels of the smallest."""
        inverse = self.weights["inverse"]
        return max(inverse) > _UNEQUAL * min(inverse)


def advise(survey: Survey, coding: Coding) -> Advice:
    """Suggests crop size, batch size, class weights and model."""
    low_height, low_width = (int(np.percentile(sides, 10)) for sides in zip(*survey.sizes.elements(), strict=True))
    height, width = (min(512, max(32, side // 32 * 32)) for side in (low_height, low_width))
    images = sum(survey.split_counts[split] for split in TRAINING_SPLITS)
    # several steps per epoch, even with few images
    batch = 2 ** round(math.log2(max(2, min(32, images / 4, _BATCH_PIXELS / (height * width)))))
    reason = (
        f"a multiple of 32 that fits in 90 % of the images (10th percentile {low_height} x {low_width}), at most 512; "
        f"{batch} of them are {batch * height * width:,} pixels per step"
    )
    counts = ClassCounts(
        tuple(value.count.training_pixels for value in coding.classes),
        tuple(value.count.training_area for value in coding.classes),
    )
    model = choose_model(images, len(coding.classes), survey.channels, has_gpu())
    return Advice((height, width), reason, batch, {formula: counts.weights(formula) for formula in FORMULAS}, model)
