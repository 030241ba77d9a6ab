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


class Outlines:
    """The outlines of class indices (H, W).

    One dilation and one erosion serve all classes: near an outline, the window's maximum and minimum differ. Cheng et
    al. erode each class.
    """

    def __init__(self, classes: Classes) -> None:
        window = np.ones((3, 3), np.uint8)
        self._near: dict[int, Mask] = {1: np.asarray(cv2.dilate(classes, window) != cv2.erode(classes, window))}

    def near(self, width: int) -> Mask:
        """Returns the pixels (H, W) at most `width` away from a pixel of another class or void."""
        if width not in self._near:
            known = max(smaller for smaller in self._near if smaller < width)
            side = 2 * (width - known) + 1
            near = cv2.dilate(self._near[known].view(np.uint8), np.ones((side, side), np.uint8))
            self._near[width] = np.asarray(near).view(np.bool_)
        return self._near[width]
