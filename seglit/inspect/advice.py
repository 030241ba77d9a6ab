"""Suggestions for training, from the survey: class weights, crop size, batch size, model."""

from collections.abc import Mapping
from dataclasses import dataclass

from seglit.class_weights import FORMULAS, ClassCounts
from seglit.images.crop_choice import choose_batch, choose_crop, low_size
from seglit.inspect.coding import Coding
from seglit.inspect.model_choice import ModelChoice, choose_model, has_gpu
from seglit.inspect.survey import TRAINING_SPLITS, Survey

_UNEQUAL = 10


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
    low = low_size(survey.sizes.elements())
    height, width = crop = choose_crop(low)
    images = sum(survey.split_counts[split] for split in TRAINING_SPLITS)
    batch = choose_batch(crop, images)
    padded = ", smaller ones padded to 32" * (min(low) < 32)
    reason = (
        f"a multiple of 32 that fits in 90 % of the images{padded} (10th percentile {low[0]} x {low[1]}), at most 512; "
        f"{batch} of them are {batch * height * width:,} pixels per step"
    )
    counts = ClassCounts(
        tuple(value.count.training_pixels for value in coding.classes),
        tuple(value.count.training_area for value in coding.classes),
    )
    model = choose_model(images, len(coding.classes), survey.channels, has_gpu())
    return Advice(crop, reason, batch, {formula: counts.weights(formula) for formula in FORMULAS}, model)
