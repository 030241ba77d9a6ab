"""Outlines and blended pixels of masks, and how well outlines follow those of the image."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from seglit.images.scaling import resize_nearest

_SIDE = 256  # pixels of the longer side that outlines are compared at: annotators miss an outline by a few pixels
_NOISE = (3, 3)  # pixels whose mean the gradient is of, against noise


def outlines(stored: npt.NDArray[Any], step: int = 0) -> npt.NDArray[np.bool_]:
    """Marks pixels (H, W) that differ by more than `step` from one of their four neighbours, in any channel."""
    wide = _channels(stored)
    edges = np.zeros(stored.shape[:2], bool)
    across, down = (np.abs(np.diff(wide, axis=axis)).max(-1) > step for axis in (1, 0))
    edges[:, 1:] |= across
    edges[:, :-1] |= across
    edges[1:] |= down
    edges[:-1] |= down
    return edges


def blends(stored: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Marks pixels (H, W) between two opposite neighbours: in all channels within, in one strictly, as blur makes."""
    wide = _channels(stored)
    between = np.zeros(stored.shape[:2], bool)
    for axis in (0, 1):
        rows, rise = np.moveaxis(between, axis, 0), np.moveaxis(np.diff(wide, axis=axis), axis, 0)
        agreement = np.sign(rise[:-1]) * np.sign(rise[1:])  # 1 if a channel rises, or falls, on both sides
        rows[1:-1] |= (agreement > 0).any(-1) & (agreement >= 0).all(-1)
    return between


def prefer_upright(image: npt.NDArray[Any], upright: npt.NDArray[Any], turned: npt.NDArray[Any], step: int) -> float:
    """Compares two readings of a mask by the image's gradient along their outlines.

    Args:
        image: The upright image (H, W, C).
        upright: The mask as it is, at the scale of the image or another.
        turned: The mask turned like the image.
        step: See `outlines`.

    Returns:
        Logarithm of the ratio of the mean gradients: positive if those of the mask as it is are stronger.
    """
    factor = max(1, max(image.shape[:2]) // _SIDE)
    height, width = (side // factor for side in image.shape[:2])
    if min(height, width) < 2:
        return 0.0
    grey = np.ma.getdata(image)[: height * factor, : width * factor].mean(-1, dtype=np.float32)
    small = grey.reshape(height, factor, width, factor).mean((1, 3))
    gradient = np.hypot(*np.gradient(cv2.blur(small, _NOISE)))
    means = [
        float(gradient[edges].mean()) if edges.any() else 0.0
        for edges in (outlines(resize_nearest(mask, (height, width)), step) for mask in (upright, turned))
    ]
    return float(np.log(means[0] / means[1])) if min(means) > 0 else 0.0


def _channels(stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The values (H, W, C) in a type that holds their differences."""
    return stored.reshape(*stored.shape[:2], -1).astype(np.int32 if stored.dtype.itemsize < 4 else np.int64)
