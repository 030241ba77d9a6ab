"""Pixels near the outlines of class maps.

An outline consists of the pixels that have one of another class or void among their eight neighbours. Distances are
chessboard distances in pixels.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Classes = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def in_pixels(share: float, classes: Classes) -> int:
    """Converts a share of the image diagonal to whole pixels, at least one."""
    return max(1, round(share * float(np.hypot(*classes.shape))))


def near_outline(classes: Classes, width: int) -> Mask:
    """Returns the pixels (H, W) at most `width` away from a pixel of another class or void.

    One dilation and one erosion serve all classes: near an outline, the window's maximum and minimum differ. Cheng et
    al. erode each class.
    """
    window = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    return np.asarray(cv2.dilate(classes, window) != cv2.erode(classes, window))
