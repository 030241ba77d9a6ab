"""Masks at another scale than their image: which scales two sizes allow, and nearest-neighbour resizing."""

from typing import Any

import numpy as np
import numpy.typing as npt

Size = tuple[int, int]


def scale_range(image: Size, mask: Size) -> tuple[float, float] | None:
    """Returns the open range of scales that both sides allow; None if mask and image differ in aspect ratio.

    The sides of the smaller one are those of the larger, scaled and rounded down, up or to the nearest.

    Args:
        image: Height and width of the image.
        mask: Height and width of the mask, which is `scale` times as large.
    """
    if mask[0] * mask[1] <= image[0] * image[1]:
        ranges = [((small - 1) / large, (small + 1) / large) for small, large in zip(mask, image, strict=True)]
    else:
        ranges = [
            (large / (small + 1), large / (small - 1) if small > 1 else np.inf)
            for small, large in zip(image, mask, strict=True)
        ]
    low, high = max(low for low, _ in ranges), min(high for _, high in ranges)
    return (low, high) if low < high else None


def resize_nearest(array: npt.NDArray[Any], size: Size) -> npt.NDArray[Any]:
    """Resizes (H, W, ...) to a size: each pixel is the one below its centre, as in `nearest-exact` of PyTorch."""
    for axis, length in enumerate(size):
        if array.shape[axis] != length:
            array = array.take((2 * np.arange(length) + 1) * array.shape[axis] // (2 * length), axis)
    return array
