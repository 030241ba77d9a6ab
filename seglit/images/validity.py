"""Pixels without data: NaN, infinity, transparency, and values that a tag or the `nodata` setting declares as such.

Images with such pixels are NumPy masked arrays, whose mask is True where there is no data; all others are plain arrays.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from seglit.images.scaling import resize_nearest
from seglit.labels import IGNORE_INDEX

NODATA_TAG = 42113
"""GDAL's TIFF tag for the value of pixels without data, as text."""

Array = npt.NDArray[Any]
Flags = npt.NDArray[np.bool_]


def parse_tag(text: object) -> tuple[float, ...]:
    """Returns the value of a TIFF's `NODATA_TAG` as a tuple; empty if there is none."""
    try:
        return (float(str(text).strip("\0 ")),)
    except ValueError:
        return ()


def matches(array: Array, values: Sequence[float]) -> Flags:
    """Marks the pixels of (H, W, C) that equal a value: one for all bands, or one per band. NaN equals NaN.

    A value that the dtype cannot represent, such as -9999 in uint8, occurs nowhere.
    """
    found = np.zeros(array.shape, bool)
    for band in range(array.shape[2]):
        value = values[band if len(values) > 1 else 0]
        if array.dtype.kind == "f":
            with np.errstate(over="ignore"):  # the float64 text of a float32 value rounds to it
                value = array.dtype.type(value)
            found[..., band] = np.isnan(array[..., band]) if np.isnan(value) else array[..., band] == value
        elif float(value).is_integer():
            found[..., band] = array[..., band] == int(value)
    return found


def mark_invalid(array: Array, invalid: Flags | None) -> Array:
    """Marks pixels without data, and fills them with the mean of the band's other pixels (0 if there are none).

    Args:
        array: (H, W, C).
        invalid: (H, W, C), or (H, W, 1) for all bands alike; None for none.

    Returns:
        A masked array, or `array` itself if no pixel is invalid.
    """
    if invalid is None or not invalid.any():
        return array
    holes = np.broadcast_to(invalid, array.shape)
    filled = array.copy()
    for band in range(array.shape[2]):
        hole = holes[..., band]
        if hole.any():
            mean = array[..., band][~hole].mean(dtype=np.float64) if not hole.all() else 0.0
            filled[hole, band] = mean if array.dtype.kind == "f" else round(mean)
    return np.ma.MaskedArray(filled, holes.copy())


def no_data(array: Array) -> Flags | None:
    """Marks the pixels (H, W) of (H, W) or (H, W, C) without data in all bands; None if there are none."""
    if not isinstance(array, np.ma.MaskedArray):
        return None
    void: Flags = np.logical_and.reduce(np.ma.getmaskarray(array).reshape(*array.shape[:2], -1), -1)
    return void if void.any() else None


def void_without_data(mask: npt.NDArray[np.uint8], image: Array) -> npt.NDArray[np.uint8]:
    """Makes pixels of a mask (H, W) void where the image (H, W, C), maybe of another scale, has no data in any band."""
    empty = no_data(image)
    if empty is None:
        return mask
    return np.where(resize_nearest(empty, (mask.shape[0], mask.shape[1])), np.uint8(IGNORE_INDEX), mask)
