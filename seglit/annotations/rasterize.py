"""Shapes to pixels: by the centres of the pixels, or with every pixel that an outline touches.

Each function returns only the rectangle of pixels that the shape can cover. Coordinates are x, y in pixels, where the
pixel in row i and column j covers [j, j + 1) x [i, i + 1).
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from seglit.annotations.regions import Bitmap, Coordinates

Size = tuple[int, int]
"""Height and width in pixels."""
_SCALE = 5  # COCO's: corners are rounded to fifths of a pixel
_CHUNK = 2**21  # boundary points held at once
_EMPTY = Bitmap(np.zeros((0, 0), np.bool_))


def check_coordinates(points: Coordinates, size: Size) -> None:
    """Rejects coordinates that are invalid, or so large that drawing overflows.

    Raises:
        ValueError: A coordinate is NaN, or beyond ten times the image's longer side.
    """
    outside = points[~(np.abs(points) <= 10 * max(size))]  # NaN included
    if len(outside):
        raise ValueError(f"a shape reaches {outside[0]:g} in an image of {size[0]} x {size[1]} pixels (height x width)")


def union(parts: Sequence[Bitmap]) -> Bitmap:
    """Joins bitmaps; all of them must lie in the image."""
    parts = [part for part in parts if part.pixels.size]
    if len(parts) < 2:
        return parts[0] if parts else _EMPTY
    left, top = min(part.left for part in parts), min(part.top for part in parts)
    right = max(part.left + part.pixels.shape[1] for part in parts)
    bottom = max(part.top + part.pixels.shape[0] for part in parts)
    pixels = np.zeros((bottom - top, right - left), np.bool_)
    for part in parts:
        window(pixels, part, left, top)[part.pixels] = True
    return Bitmap(pixels, left, top)


def window(pixels: npt.NDArray[Any], part: Bitmap, left: int = 0, top: int = 0) -> npt.NDArray[Any]:
    """Returns the view of an array, whose first pixel is at `left`, `top`, that a bitmap in it covers."""
    rows, columns = part.pixels.shape
    return pixels[part.top - top : part.top - top + rows, part.left - left : part.left - left + columns]


def clipped(bitmap: Bitmap, size: Size) -> Bitmap:
    """Returns the part of a bitmap that lies in the image."""
    left, top = max(0, -bitmap.left), max(0, -bitmap.top)
    pixels = bitmap.pixels[top : max(top, size[0] - bitmap.top), left : max(left, size[1] - bitmap.left)]
    return Bitmap(pixels, bitmap.left + left, bitmap.top + top)


def polygon_pixels(exterior: Coordinates, size: Size, holes: Iterable[Coordinates] = ()) -> Bitmap:
    """Draws a polygon, even-odd: the pixels whose centres are inside, exactly as COCO's reference draws them.

    Corners are rounded to fifths of a pixel (pycocotools 2.0, maskApi.c, rleFrPoly). A hole is even-odd as well.

    Raises:
        ValueError: A coordinate is invalid.
    """
    toggles = [np.zeros((0, 2), np.int64)]
    for ring in (exterior, *holes):
        check_coordinates(ring, size)
        toggles += _toggles(ring, size)
    columns, rows = np.concatenate(toggles).T
    if not len(columns):
        return _EMPTY
    left, top = int(columns.min()), int(rows.min())
    shape = int(columns.max()) - left + 1, int(rows.max()) - top + 1
    counts = np.bincount((columns - left) * shape[1] + rows - top, minlength=shape[0] * shape[1]).reshape(shape)
    inside = np.bitwise_xor.accumulate((counts & 1).astype(np.bool_), 1)
    return Bitmap(inside.T[:-1], left, top)


def _toggles(ring: Coordinates, size: Size) -> list[npt.NDArray[np.int64]]:
    """Column and row (K, 2) of each pixel at whose upper edge a column enters or leaves the ring, in parts."""
    start = np.trunc(_SCALE * ring + 0.5).astype(np.int64)
    end = np.roll(start, -1, 0)
    lengths = np.abs(end - start).max(1) + 1
    chunk = np.cumsum(lengths) // _CHUNK
    return [_edge_toggles(start[chunk == c], end[chunk == c], size) for c in np.unique(chunk)]


def _edge_toggles(start: npt.NDArray[np.int64], end: npt.NDArray[np.int64], size: Size) -> npt.NDArray[np.int64]:
    """The toggles of edges (E, 2), which are walked in steps of one fifth of a pixel along their longer axis."""
    extent = np.abs(end - start)
    flat = extent[:, 0] >= extent[:, 1]
    flip = np.where(flat, start[:, 0] > end[:, 0], start[:, 1] > end[:, 1])[:, None]
    first, last = np.where(flip, end, start), np.where(flip, start, end)
    steps = extent.max(1)
    slope = (last - first) / np.maximum(steps, 1)[:, None]  # (E, 2), exactly 1 along the longer axis
    edge = np.repeat(np.arange(len(steps)), steps + 1)
    step = np.arange(len(edge)) - np.repeat(np.cumsum(steps + 1) - steps - 1, steps + 1)
    x, y = (np.trunc(first[edge, axis] + slope[edge, axis] * step + 0.5).astype(np.int64) for axis in (0, 1))
    x[flat[edge]], y[~flat[edge]] = (first[edge, 0] + step)[flat[edge]], (first[edge, 1] + step)[~flat[edge]]
    moves = (x[1:] != x[:-1]) & (edge[1:] == edge[:-1])
    left, upper = (np.minimum(axis[1:], axis[:-1])[moves] for axis in (x, y))
    column, row = (left - 2) // _SCALE, np.clip((upper + 2) // _SCALE, 0, size[0])
    inside = ((left - 2) % _SCALE == 0) & (column >= 0) & (column < size[1])
    toggles: npt.NDArray[np.int64] = np.stack([column, row], 1)[inside]
    return toggles


def stroke_pixels(points: Coordinates, width: float, size: Size) -> Bitmap:
    """Draws the pixels whose centres are within half of `width` of a line; of a single point, a disk.

    Raises:
        ValueError: A coordinate is invalid.
    """
    check_coordinates(points, size)
    ends = points[1:] if len(points) > 1 else points
    return union([_segment(start, end, width / 2, size) for start, end in zip(points, ends, strict=False)])


def _segment(start: Coordinates, end: Coordinates, radius: float, size: Size) -> Bitmap:
    """All pixels within a radius of a segment: two disks and the rectangle between them."""
    low, high = min(start[1], end[1]) - radius, max(start[1], end[1]) + radius
    rows, y = _rows(low, high, size)
    lows, highs = [], []
    for x_center, y_center in (start, end):
        half = np.sqrt(np.maximum(radius**2 - (y - y_center) ** 2, 0))
        reached = np.abs(y - y_center) <= radius
        lows.append(np.where(reached, x_center - half, np.inf))
        highs.append(np.where(reached, x_center + half, -np.inf))
    length = float(np.hypot(*(end - start)))
    if length > 0:
        dx, dy = (end - start) / length
        along = _between(dx, (y - start[1]) * dy, 0, length)
        across = _between(-dy, (y - start[1]) * dx, -radius, radius)
        low_x, high_x = np.maximum(along[0], across[0]), np.minimum(along[1], across[1])
        lows.append(np.where(low_x <= high_x, start[0] + low_x, np.inf))
        highs.append(np.where(low_x <= high_x, start[0] + high_x, -np.inf))
    return _fill(rows, np.min(lows, 0), np.max(highs, 0), size)


def _between(factor: float, offset: Coordinates, low: float, high: float) -> tuple[Coordinates, Coordinates]:
    """The interval of x with low <= factor * x + offset <= high, for each offset; reversed if there is none."""
    if abs(factor) < 1e-12:
        inside = (low <= offset) & (offset <= high)
        return np.where(inside, -np.inf, np.inf), np.where(inside, np.inf, -np.inf)
    ends = (low - offset) / factor, (high - offset) / factor
    return np.minimum(*ends), np.maximum(*ends)


def ellipse_pixels(center: tuple[float, float], radii: tuple[float, float], angle: float, size: Size) -> Bitmap:
    """Draws the pixels whose centres are inside an ellipse that is rotated clockwise by `angle` degrees.

    Raises:
        ValueError: A coordinate or the angle is invalid.
    """
    check_coordinates(np.array([*center, *radii]), size)
    if not np.isfinite(angle):
        raise ValueError(f"a shape is rotated by {angle} degrees")
    if min(radii) <= 0:
        return _EMPTY
    sine, cosine = np.sin(np.deg2rad(angle)), np.cos(np.deg2rad(angle))
    a, b = 1 / radii[0] ** 2, 1 / radii[1] ** 2
    xx, xy, yy = a * cosine**2 + b * sine**2, (a - b) * sine * cosine, a * sine**2 + b * cosine**2
    reach = np.hypot(radii[0] * sine, radii[1] * cosine)
    rows, y = _rows(center[1] - reach, center[1] + reach, size)
    y = y - center[1]
    root = np.sqrt(np.maximum((xy * y) ** 2 - xx * (yy * y**2 - 1), 0))
    return _fill(rows, center[0] + (-xy * y - root) / xx, center[0] + (-xy * y + root) / xx, size)


def _rows(low: float, high: float, size: Size) -> tuple[int, Coordinates]:
    """The first row of the image whose centre is in [low, high), and the centres of all of them."""
    first, end = (int(np.clip(np.ceil(edge - 0.5), 0, size[0])) for edge in (low, high))
    return first, np.arange(first, end, dtype=np.float64) + 0.5


def _fill(first: int, low: Coordinates, high: Coordinates, size: Size) -> Bitmap:
    """Draws, in each row from `first` on, the pixels whose centres are in [low, high)."""
    start, end = (np.clip(np.ceil(edge - 0.5), 0, size[1]).astype(np.int64) for edge in (low, high))
    filled = start < end
    if not filled.any():
        return _EMPTY
    left, right = int(start[filled].min()), int(end[filled].max())
    column = np.arange(left, right)
    return Bitmap((column >= start[:, None]) & (column < end[:, None]), left, first)


def outlined_polygon(exterior: Coordinates, size: Size, holes: Iterable[Coordinates] = ()) -> Bitmap:
    """Draws a polygon with every pixel that its outline touches, where whole coordinates are pixels (as Pillow does).

    Raises:
        ValueError: A coordinate is invalid.
    """
    rings = [exterior, *holes]
    for ring in rings:
        check_coordinates(ring, size)
    canvas = Image.new("L", size[::-1])  # the whole image: Pillow rounds differently if a polygon is moved
    for ring, value in zip(rings, [1, *[0] * len(rings)], strict=False):
        ImageDraw.Draw(canvas).polygon([tuple(point) for point in ring.tolist()], fill=value, outline=value)
    return _of_canvas(canvas)


def outlined_ellipse(center: tuple[float, float], radii: tuple[float, float], size: Size) -> Bitmap:
    """Draws an upright ellipse as Pillow does.

    Raises:
        ValueError: A coordinate is invalid.
    """
    check_coordinates(np.array([*center, *radii]), size)
    canvas = Image.new("L", size[::-1])
    edges = [c + sign * abs(r) for sign in (-1, 1) for c, r in zip(center, radii, strict=True)]
    ImageDraw.Draw(canvas).ellipse(edges, fill=1)
    return _of_canvas(canvas)


def _of_canvas(canvas: Image.Image) -> Bitmap:
    """The drawn part of a canvas of the image's size."""
    box = canvas.getbbox()
    return _EMPTY if box is None else Bitmap(np.array(canvas.crop(box), np.bool_), box[0], box[1])
