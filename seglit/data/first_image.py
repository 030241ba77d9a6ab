"""Checks of the first training image: units of floats, and transforms, many of which are made for 8-bit RGB only."""

import copy
from typing import Any

import albumentations as A
import cv2
import numpy as np
import numpy.typing as npt
from albumentations.core.transforms_interface import ImageOnlyTransform

from seglit.data.augment import Pipeline, leaf_transforms
from seglit.errors import InputError

# Albumentations raises no common error for images that a transform cannot handle.
_FAILURES = (ValueError, TypeError, KeyError, RuntimeError, cv2.error)
_CORNER = 128  # pixels: enough for every transform


def check_units(image: npt.NDArray[Any], name: str) -> None:
    """Rejects float images (H, W, C) outside 0..1 for data without `mean` and `std`.

    Raises:
        InputError: A value is below -1 or above 2.
    """
    if image.dtype.kind == "f" and (image.min() < -1 or image.max() > 2):
        raise InputError(
            f"{name}: values range from {image.min():g} to {image.max():g}, not from 0 to 1; set the data's mean and "
            "std, which `seglit inspect` prints"
        )


def check_transforms(pipeline: Pipeline, image: npt.NDArray[np.generic]) -> None:
    """Tries every transform of pixel values on an image (H, W, C); transforms that move pixels accept any image.

    Raises:
        InputError: A transform fails, or changes what the values mean.
    """
    corner = np.ascontiguousarray(image[:_CORNER, :_CORNER])
    for step in leaf_transforms(pipeline.compose):
        if isinstance(step, ImageOnlyTransform | A.GridElasticDeform) and (reason := _error(step, corner)):
            raise InputError(
                f"augment: {type(step).__name__} does not accept images of {image.shape[2]} channels of {image.dtype} "
                f"({reason}); leave it out, as configs/augment/light.yaml does"
            )


def _error(step: A.BasicTransform, image: npt.NDArray[np.generic]) -> str:
    """Error message if the transform cannot handle this image, else ''."""
    always = copy.deepcopy(step)
    always.p = 1.0
    compose = A.Compose([always])
    compose.set_random_seed(0)
    try:
        with np.errstate(all="ignore"):
            result = compose(image=image, mask=np.zeros(image.shape[:2], np.uint8))["image"]
    except _FAILURES as error:
        return str(error).partition("\n")[0] if isinstance(error, ValueError | TypeError) else "it fails on them"
    if result.dtype != image.dtype:
        return f"it converts them to {result.dtype}"
    if result.size != image.size:
        return f"it converts them to {result.shape[2]} channels"
    if image.dtype.kind == "f" and 0 <= result.min() <= result.max() <= 1 and not 0 <= image.min() <= image.max() <= 1:
        return "it clips floats to 0..1"
    return ""
