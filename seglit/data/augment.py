"""Augmentation: Albumentations transforms listed in YAML, drawn from a seed per sample."""

import os
from collections.abc import Iterator
from typing import Any

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # else it looks for a newer version online on import

import albumentations as A
import cv2
import numpy as np
import numpy.typing as npt

from seglit.errors import InputError
from seglit.labels import IGNORE_INDEX

cv2.setNumThreads(0)  # the workers already use all cores


class Augment:
    """Augmentation of training pairs: random scale, crop to the data's `crop_size`, then any transforms, in order.

    The crop comes first, so that the other transforms are cheap. Pixels from outside the image are void in the mask.

    Args:
        scale: Range of the random factor that image and mask are resized by before the crop; [1, 1] does not resize.
        transforms: Albumentations transforms by `class_path`, applied to the crop in this order.
        rare_rate: Share of the crops, 0 to 1, placed on a rare class, in an image drawn from all that contain it. The
            others are placed at random.
        rare_classes: Names of the rare classes, drawn equally often; None takes those with less than an equal share of
            the labelled pixels.

    Raises:
        InputError: `scale` or `rare_rate` is out of range.
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
            raise InputError(f"augment: scale is [{low}, {high}]; give two positive factors, the smaller first")
        if not 0 <= rare_rate <= 1:
            raise InputError(f"augment: rare_rate is {rare_rate}; give a share of the crops from 0 to 1, such as 0.3")
        if rare_classes is not None and not rare_rate:
            raise InputError("augment: rare_classes requires rare_rate, the share of the crops, such as 0.3")
        self.scale = scale
        self.transforms = transforms or []
        self.rare_rate = rare_rate
        self.rare_classes = rare_classes

    def pipeline(self, crop_size: tuple[int, int] | None) -> "Pipeline":
        """Returns the pipeline for crops of `crop_size` (height, width) pixels; None does not crop."""
        low, high = self.scale
        steps: list[Any] = []
        if (low, high) != (1.0, 1.0):
            steps.append(A.RandomScale((low - 1, high - 1), p=1.0))
        if crop_size is not None:
            height, width = crop_size
            steps.append(A.PadIfNeeded(height, width, position="random", border_mode=cv2.BORDER_CONSTANT))
            steps.append(ClassCrop(height, width))
        elif self.rare_rate:
            raise InputError("augment: rare_rate places crops and requires crop_size")
        return Pipeline([*steps, *self.transforms])


class ClassCrop(A.RandomCrop):  # type: ignore[misc]  # Albumentations has no types
    """A random crop that contains a random pixel of `target_class`, if one is set and the image has such a pixel."""

    @property
    def targets_as_params(self) -> list[str]:
        """Names of the data passed to `get_params_dependent_on_data`."""
        return ["mask", "target_class"]

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """Draws the crop uniformly among those that contain the pixel."""
        drawn: dict[str, Any] = super().get_params_dependent_on_data(params, data)
        pixels = () if data["target_class"] is None else np.flatnonzero(data["mask"] == data["target_class"])
        if len(pixels):
            rows, columns = params["shape"][:2]
            row, column = divmod(int(pixels[self.py_random.randrange(len(pixels))]), columns)
            top = self.py_random.randint(max(0, row - self.height + 1), min(row, rows - self.height))
            left = self.py_random.randint(max(0, column - self.width + 1), min(column, columns - self.width))
            drawn["crop_coords"] = (left, top, left + self.width, top + self.height)
        return drawn


class Pipeline:
    """Composed transforms, drawn from the seed of each call, so that workers share no random state."""

    def __init__(self, steps: list[A.BasicTransform | A.BaseCompose]) -> None:
        for step in steps:
            for leaf in leaf_transforms(step):
                if "fill_mask" in vars(leaf) and leaf.fill_mask is not None:  # None leaves the mask alone (dropout)
                    leaf.fill_mask = IGNORE_INDEX  # Albumentations fills with 0, which is a class
                _center_nearest(leaf)
        self.compose = A.Compose(steps, additional_targets={"valid": "mask"})

    def __call__(
        self, image: npt.NDArray[Any], mask: npt.NDArray[np.uint8], seed: int, target_class: int | None = None
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8]]:
        """Augments image (H, W, C) and mask (H, W) uint8; the same seed gives the same result.

        Args:
            image: As stored; a masked array stays one, and lacks data outside the image.
            mask: Class indices, void 255.
            seed: Random seed.
            target_class: The class that the crop must contain; None places it at random.

        Raises:
            InputError: A transform changes the dtype of the image.
        """
        self.compose.set_random_seed(seed)
        valid = {"valid": (~image.mask).astype(np.uint8)} if isinstance(image, np.ma.MaskedArray) else {}
        result = self.compose(image=np.ma.getdata(image), mask=mask, target_class=target_class, **valid)
        if result["image"].dtype != image.dtype:
            raise InputError(
                f"augment: transforms convert the images from {image.dtype} to {result['image'].dtype}; remove "
                "Normalize, ToFloat and ToTensorV2: images are normalised on the device"
            )
        if valid:
            lacking = (result["valid"] != 1).reshape(result["image"].shape)
            return np.ma.MaskedArray(result["image"], lacking), result["mask"]
        return result["image"], result["mask"]


def _resizes(transform: A.BasicTransform) -> bool:
    """Whether a transform of Albumentations, or of a class derived from it, resizes by `cv2.resize`."""
    return any(kind.__module__.endswith((".geometric.resize", ".crops.transforms")) for kind in type(transform).__mro__)


def _center_nearest(transform: A.BasicTransform) -> None:
    """Replaces `INTER_NEAREST`, by which OpenCV shifts what it resizes by half a pixel, in place."""
    for name in ("interpolation", "mask_interpolation"):
        if _resizes(transform) and vars(transform).get(name) == cv2.INTER_NEAREST:
            setattr(transform, name, cv2.INTER_NEAREST_EXACT)
    if isinstance(transform, A.Downscale) and transform.interpolation_pair["downscale"] == cv2.INTER_NEAREST:
        transform.interpolation_pair["downscale"] = cv2.INTER_AREA


def leaf_transforms(step: A.BasicTransform | A.BaseCompose) -> Iterator[A.BasicTransform]:
    """Yields every transform, those nested in compositions included."""
    if isinstance(step, A.BaseCompose):
        for inner in step.transforms:
            yield from leaf_transforms(inner)
    else:
        yield step
