"""Masks at another scale than their image: which scales two sizes allow; resizing of images and masks."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from seglit.errors import InputError

Size = tuple[int, int]
Resize = float | Size | None
"""Size that the network sees: a factor on the stored size, or (height, width) in pixels; None is the stored size."""

_MAX_FACTOR, _MAX_SIDE = 64, 2**16


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


def check_resize(resize: Resize) -> Resize:
    """Returns a valid `Resize`.

    Raises:
        InputError: It is not above 0, or so large that no memory holds the images.
    """
    if resize is None:
        return None
    values, most = (resize, _MAX_SIDE) if isinstance(resize, tuple) else ((resize,), _MAX_FACTOR)
    if not all(0 < value <= most for value in values):
        raise InputError(f"resize is {resize}; give a factor such as 0.5, or [height, width] in pixels")
    return resize


def resized_shape(size: Size, resize: Resize) -> Size:
    """Returns the height and width of an image after resizing."""
    if resize is None or isinstance(resize, tuple):
        return resize or size
    return max(1, round(size[0] * resize)), max(1, round(size[1] * resize))


def resize_image(image: npt.NDArray[Any], resize: Resize) -> npt.NDArray[Any]:
    """Resizes an image (H, W[, C]) of any dtype: averages along an axis that shrinks, interpolates linearly otherwise.

    Of a masked array, means are of the pixels with data, and pixels of which less than half has data have none.
    """
    size = resized_shape((image.shape[0], image.shape[1]), resize)
    if size == image.shape[:2]:
        return image
    image = image.reshape(*image.shape[:2], -1)
    if not isinstance(image, np.ma.MaskedArray):
        return _resize_bands(image, size)
    valid = (~np.ma.getmaskarray(image)).astype(np.float32)
    share = _resize_bands(valid, size)
    filled = np.ma.getdata(image).astype(np.float32)
    means = _resize_bands(filled * valid, size) / np.where(share > 0, share, 1)
    values = np.where(share > 0, means, _resize_bands(filled, size))
    values = values if image.dtype.kind == "f" else np.rint(values)
    return np.ma.MaskedArray(values.astype(image.dtype), share < 0.5)


def _resize_bands(image: npt.NDArray[Any], size: Size) -> npt.NDArray[Any]:
    """Resizes (H, W, C); band by band, as OpenCV does no more than four at once."""
    bands = np.split(image, image.shape[2], axis=2)
    height, width = map(min, image.shape, size)  # shrunk first: INTER_AREA takes means only if no axis grows
    means = (cv2.resize(band, (width, height), interpolation=cv2.INTER_AREA) for band in bands)
    return np.stack([cv2.resize(band, size[::-1], interpolation=cv2.INTER_LINEAR) for band in means], axis=2)
