"""Masks to polygons, checked by drawing them again."""

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from seglit.annotations.rasterize import outlined_polygon, polygon_pixels, window
from seglit.annotations.regions import Bitmap, Coordinates
from seglit.labels import IGNORE_INDEX

_TOLERANCE = 0.5  # pixels by which a simplified outline may deviate
_LEAST_IOU = 0.99  # of a part drawn from its simplified outline; else the outline is exact

Mask = npt.NDArray[np.uint8]


class Outline(NamedTuple):
    """A polygon of a class."""

    class_index: int
    points: Coordinates


def outlines(mask: Mask, background: int | None) -> Iterator[Outline]:
    """Yields one polygon for each connected part of each class but `background`, in continuous coordinates.

    A hole is joined to the outline by a bridge of no width, since YOLO's polygons have none; filled even-odd, as
    everywhere, it is a hole again.
    """
    size = mask.shape[0], mask.shape[1]
    for index, part in _parts(mask, background):
        for tolerance in (_TOLERANCE, 0.0):
            rings = _rings(part.pixels, tolerance)
            points = _bridged(rings) + np.array([part.left, part.top])
            if tolerance == 0 or (len(points) > 2 and _iou(polygon_pixels(points, size), part) >= _LEAST_IOU):
                yield Outline(index, points)
                break


def layers(mask: Mask, fill: int | None) -> Iterator[Outline]:
    """Yields polygons that, drawn over each other in this order with their outlines, give the mask again.

    Whole coordinates are pixels, as in labelme. A hole is a later polygon of the class in it.

    Args:
        mask: Class indices (H, W).
        fill: The class of the canvas, of which a polygon is needed only in others; None if there is none.
    """
    canvas = np.full(mask.shape, IGNORE_INDEX if fill is None else fill, np.uint8)
    filled = [(index, part, _filled(part.pixels)) for index, part in _parts(mask)]
    for index, part, whole in sorted(filled, key=lambda entry: -int(entry[2].sum())):
        if (window(canvas, part)[part.pixels] == index).all():
            continue
        for tolerance in (_TOLERANCE, 0.0):
            (ring,) = _contours(part.pixels, cv2.RETR_EXTERNAL, tolerance)
            ring = _at_least_three(ring)
            drawn = outlined_polygon(ring, (whole.shape[0], whole.shape[1]))
            if tolerance == 0 or _iou(drawn, Bitmap(whole)) >= _LEAST_IOU:
                window(window(canvas, part), drawn)[drawn.pixels] = index
                yield Outline(index, ring + np.array([part.left, part.top]))
                break


def _parts(mask: Mask, without: int | None = None) -> Iterator[tuple[int, Bitmap]]:
    """Yields the class index and the pixels of each part whose pixels are connected by their edges; not of void."""
    for index in set(np.unique(mask).tolist()) - {IGNORE_INDEX, without}:
        count, numbers, boxes, _ = cv2.connectedComponentsWithStats((mask == index).astype(np.uint8), connectivity=4)
        for number in range(1, count):
            left, top, width, height, _ = boxes[number].tolist()
            yield index, Bitmap(numbers[top : top + height, left : left + width] == number, left, top)


def _contours(pixels: npt.NDArray[np.bool_], mode: int, tolerance: float) -> list[Coordinates]:
    """The rings (N, 2) of x and y of a part."""
    rings, _ = cv2.findContours(np.pad(pixels.astype(np.uint8), 1), mode, cv2.CHAIN_APPROX_SIMPLE, offset=(-1, -1))
    simplified = (cv2.approxPolyDP(ring, tolerance, closed=True) if tolerance else ring for ring in rings)
    return [ring[:, 0].astype(np.float64) for ring in simplified]


def _filled(pixels: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The pixels of a part and of its holes."""
    rings, _ = cv2.findContours(np.pad(pixels.astype(np.uint8), 1), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    canvas = np.zeros(np.add(pixels.shape, 2), np.uint8)
    return cv2.drawContours(canvas, rings, -1, 1, cv2.FILLED)[1:-1, 1:-1] > 0


def _rings(pixels: npt.NDArray[np.bool_], tolerance: float) -> list[Coordinates]:
    """The outer ring of a part, and its holes, between the centres of the pixels and their edges."""
    fine = pixels.repeat(2, 0).repeat(2, 1)
    rings = [(ring + 0.5) / 2 for ring in _contours(fine, cv2.RETR_CCOMP, 2 * tolerance)]
    outer = max(range(len(rings)), key=lambda number: float(np.ptp(rings[number], 0).sum()))
    return [rings[outer], *(ring for number, ring in enumerate(rings) if number != outer and len(ring) > 2)]


def _bridged(rings: list[Coordinates]) -> Coordinates:
    """Joins holes to the outer ring, each by a way there and back from its leftmost corner to the nearest further left.

    Holes are joined from left to right, so that no way crosses a hole.
    """
    joined = rings[0]
    for hole in sorted(rings[1:], key=lambda ring: float(ring[:, 0].min())):
        start = int(hole[:, 0].argmin())
        distance = np.square(joined - hole[start]).sum(1)
        at = int(np.where(joined[:, 0] <= hole[start, 0], distance, np.inf).argmin())
        joined = np.concatenate([joined[: at + 1], hole[start:], hole[: start + 1], joined[at:]])
    return joined


def _at_least_three(points: Coordinates) -> Coordinates:
    """Repeats the last point of a part of one or two pixels, as a polygon has three."""
    return points if len(points) > 2 else np.concatenate([points, points[-1:].repeat(3 - len(points), 0)])


def _iou(drawn: Bitmap, part: Bitmap) -> float:
    """The intersection over union of two bitmaps."""
    left, top = min(drawn.left, part.left), min(drawn.top, part.top)
    right = max(bitmap.left + bitmap.pixels.shape[1] for bitmap in (drawn, part))
    bottom = max(bitmap.top + bitmap.pixels.shape[0] for bitmap in (drawn, part))
    both = np.zeros((bottom - top, right - left), np.uint8)
    for bitmap in (drawn, part):
        window(both, bitmap, left, top)[bitmap.pixels] += 1
    return float((both == 2).sum() / max(1, (both > 0).sum()))
