"""Augmentation: Albumentations transforms named in YAML, drawn from a seed and never from shared state."""

import copy
import os
from collections.abc import Iterator
from typing import Any

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it would ask the network for a newer version on import

import albumentations as A
import cv2
import numpy as np
import numpy.typing as npt
from albumentations.core.transforms_interface import ImageOnlyTransform

from seglit.errors import InputError
from seglit.labels import IGNORE_INDEX

cv2.setNumThreads(0)  # workers are the parallelism; threads inside each would multiply

# Albumentations has no one error for images that a transform is not made for.
_FAILURES = (ValueError, TypeError, KeyError, RuntimeError, cv2.error)
_CORNER = 128  # pixels: enough for every transform


class Augment:
    """What happens to a training pair: random scale, crop to the data's `crop_size`, then any transforms, in order.

    Crops come before the other transforms, which makes those cheap, and whatever a transform brings in from
    outside the picture is void in the mask.

    Args:
        scale: Range of the random factor by which image and mask are resized before the crop; [1, 1] is none.
        transforms: Albumentations transforms by `class_path`, applied to the crop in this order.
        rare_rate: The share of crops, 0 to 1, that are taken where a rare class is, drawn anew each epoch from all
            images that hold one. The others lie anywhere.
        rare_classes: The names of the classes that count as rare, each drawn as often; None takes those of less than
            their even share of the labelled pixels.

    Raises:
        InputError: The range of scales is empty or not positive, or the rate is none.
    """

    def __init__(
        self,
        scale: tuple[float, float] = (1.0, 1.0),
        transforms: list[A.BasicTransform | A.BaseCompose] | None = None,
        rare_rate: float = 0.0,
        rare_classes: list[str] | None = None,
    ) -> None:
        low, high = scale
        if not 0 < low <= high:
            raise InputError(f"augment: scale is [{low}, {high}]; it takes two positive factors, the smaller first")
        if not 0 <= rare_rate <= 1:
            raise InputError(f"augment: rare_rate is {rare_rate}; it is a share of the crops, from 0 to 1, such as 0.3")
        if rare_classes is not None and not rare_rate:
            raise InputError(
                "augment: rare_classes is set and rare_rate is not: say which share of the crops, as in 0.3"
            )
        self.scale = scale
        self.transforms = transforms or []
        self.rare_rate = rare_rate
        self.rare_classes = rare_classes

    def pipeline(self, crop_size: tuple[int, int] | None) -> "Pipeline":
        """The whole pipeline for crops of `crop_size` (height, width) pixels; None leaves the size as it is."""
        low, high = self.scale
        steps: list[Any] = []
        if (low, high) != (1.0, 1.0):
            steps.append(A.RandomScale((low - 1, high - 1), p=1.0))
        if crop_size is not None:
            height, width = crop_size
            steps.append(A.PadIfNeeded(height, width, position="random", border_mode=cv2.BORDER_CONSTANT))
            steps.append(ClassCrop(height, width))
        elif self.rare_rate:
            raise InputError("augment: rare_rate chooses where crops lie, and crop_size is not set")
        return Pipeline([*steps, *self.transforms])


class ClassCrop(A.RandomCrop):  # type: ignore[misc]  # Albumentations has no types
    """A random crop that shows some pixel of a wanted class, if one is wanted and has not been scaled away."""

    @property
    def targets_as_params(self) -> list[str]:
        """What `get_params_dependent_on_data` is given."""
        return ["mask", "wanted"]

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """Where the crop lies: all places that show the drawn pixel are alike."""
        found: dict[str, Any] = super().get_params_dependent_on_data(params, data)
        pixels = () if data["wanted"] is None else np.flatnonzero(data["mask"] == data["wanted"])
        if len(pixels):
            rows, columns = params["shape"][:2]
            row, column = divmod(int(pixels[self.py_random.randrange(len(pixels))]), columns)
            top = self.py_random.randint(max(0, row - self.height + 1), min(row, rows - self.height))
            left = self.py_random.randint(max(0, column - self.width + 1), min(column, columns - self.width))
            found["crop_coords"] = (left, top, left + self.width, top + self.height)
        return found


class Pipeline:
    """A composed pipeline that draws from the seed it is called with, so that workers share no random state."""

    def __init__(self, steps: list[A.BasicTransform | A.BaseCompose]) -> None:
        for step in steps:
            _fill_with_void(step)
        self.compose = A.Compose(steps)

    def __call__(
        self, image: npt.NDArray[Any], mask: npt.NDArray[np.uint8], seed: int, wanted: int | None = None
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8]]:
        """Augments image (H, W, C) and mask (H, W) uint8 alike; the same seed gives the same result.

        Args:
            image: As stored.
            mask: Class indices, void 255.
            seed: All that is drawn depends on it.
            wanted: The class that the crop has to show; None lets it lie anywhere.

        Raises:
            InputError: A transform changes the type of the image.
        """
        self.compose.set_random_seed(seed)
        result = self.compose(image=image, mask=mask, wanted=wanted)
        if result["image"].dtype != image.dtype:
            raise InputError(
                f"augment: transforms turn the images from {image.dtype} into {result['image'].dtype}; leave out "
                "Normalize, ToFloat and ToTensorV2: the module does that, in training as in use"
            )
        return result["image"], result["mask"]

    def try_on(self, image: npt.NDArray[Any]) -> None:
        """Tries every transform of pixel values alone on an image (H, W, C): many are made for 8-bit RGB.

        Those that move pixels take any image.

        Raises:
            InputError: One fails, or changes what the values mean.
        """
        corner = np.ascontiguousarray(image[:_CORNER, :_CORNER])
        for step in _leaves(self.compose):
            if isinstance(step, ImageOnlyTransform | A.GridElasticDeform) and (reason := _refusal(step, corner)):
                raise InputError(
                    f"augment: {type(step).__name__} takes no images of {image.shape[2]} channels of {image.dtype} "
                    f"({reason}); leave it out, as configs/augment/light.yaml does"
                )


def _leaves(step: A.BasicTransform | A.BaseCompose) -> Iterator[A.BasicTransform]:
    """Every transform within compositions."""
    if isinstance(step, A.BaseCompose):
        for inner in step.transforms:
            yield from _leaves(inner)
    else:
        yield step


def _refusal(step: A.BasicTransform, image: npt.NDArray[Any]) -> str:
    """Why a transform is none for such images; empty if it is one."""
    always = copy.deepcopy(step)
    always.p = 1.0
    alone = A.Compose([always])
    alone.set_random_seed(0)
    try:
        with np.errstate(all="ignore"):
            result = alone(image=image, mask=np.zeros(image.shape[:2], np.uint8))["image"]
    except _FAILURES as error:
        return str(error).partition("\n")[0] if isinstance(error, ValueError | TypeError) else "it fails on them"
    if result.dtype != image.dtype:
        return f"it turns them into {result.dtype}"
    if result.size != image.size:
        return f"it turns them into {result.shape[2]} channels"
    if image.dtype.kind == "f" and 0 <= result.min() <= result.max() <= 1 and not 0 <= image.min() <= image.max() <= 1:
        return "it cuts floats off at 0 and 1"
    return ""


def _fill_with_void(step: A.BasicTransform | A.BaseCompose) -> None:
    """Albumentations fills masks with 0, which is a class; ours are filled with void."""
    for inner in _leaves(step):
        if "fill_mask" in vars(inner) and inner.fill_mask is not None:  # None leaves the mask alone (dropout)
            inner.fill_mask = IGNORE_INDEX
