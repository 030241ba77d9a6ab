"""Shapes as pixels: equal to COCO's reference, to Pillow, and to distances computed for every pixel."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw
from pycocotools import mask as reference

from seglit.annotations import rasterize
from seglit.annotations.rasterize import (
    clipped,
    ellipse_pixels,
    outlined_polygon,
    polygon_pixels,
    stroke_pixels,
    union,
    window,
)
from seglit.annotations.regions import Bitmap

Mask = npt.NDArray[np.bool_]


def on_image(part: Bitmap, height: int, width: int) -> Mask:
    image = np.zeros((height, width), np.bool_)
    window(image, part)[...] = part.pixels
    return image


def polygons(count: int) -> Any:
    """Polygons with self-intersections, repeated corners, and parts outside of the image."""
    rng = np.random.default_rng(0)
    for index in range(count):
        height, width = (int(length) for length in rng.integers(1, 80, 2))
        low, high = [(0.0, 1.0), (-0.3, 1.3), (-3.0, 4.0)][index % 3]
        points = rng.uniform(low, high, (rng.integers(3, 12), 2)) * [width, height]
        points = [points, points.round(), (points * 2).round() / 2, points.repeat(2, 0)][index % 4]
        yield height, width, points


def test_polygons_are_those_of_pycocotools() -> None:
    for height, width, points in polygons(400):
        encoded = reference.frPyObjects([points.ravel().tolist()], height, width)
        expected = reference.decode(reference.merge(encoded)) > 0
        np.testing.assert_array_equal(on_image(polygon_pixels(points, (height, width)), height, width), expected)


def test_long_polygons_are_drawn_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [polygon_pixels(points, (height, width)) for height, width, points in polygons(30)]
    monkeypatch.setattr(rasterize, "_CHUNK", 16)
    for (height, width, points), expected in zip(polygons(30), whole, strict=True):
        np.testing.assert_array_equal(polygon_pixels(points, (height, width)).pixels, expected.pixels)


def test_outlined_polygons_are_those_of_pillow() -> None:
    for height, width, points in polygons(400):
        image = Image.new("L", (width, height))
        ImageDraw.Draw(image).polygon([tuple(point) for point in points.tolist()], fill=1, outline=1)
        drawn = on_image(outlined_polygon(points, (height, width)), height, width)
        np.testing.assert_array_equal(drawn, np.array(image, np.bool_))


def test_polygon_area_matches_supersampling() -> None:
    corners, scale = np.array([(5.3, 40.2), (58.9, 31.7), (23.1, 3.4), (20.0, 20.0)]), 16
    fine = Image.new("L", (64 * scale, 48 * scale))
    ImageDraw.Draw(fine).polygon([tuple(corner) for corner in (corners * scale).tolist()], fill=255)
    expected = np.asarray(fine.resize((64, 48), Image.Resampling.BOX)) >= 128
    drawn = on_image(polygon_pixels(corners, (48, 64)), 48, 64)
    assert expected.sum() > 500
    assert (drawn != expected).sum() <= 0.03 * expected.sum()


def test_holes_are_cut() -> None:
    outer = np.array([(10, 10), (40, 10), (40, 40), (10, 40)], float)
    inner = np.array([(20, 20), (25, 20), (25, 30), (20, 30)], float)
    assert polygon_pixels(outer, (50, 50), [inner]).pixels.sum() == 30 * 30 - 5 * 10
    assert outlined_polygon(outer, (50, 50), [inner]).pixels.sum() == 31 * 31 - 6 * 11


def test_strokes_are_the_pixels_near_a_line() -> None:
    rng = np.random.default_rng(1)
    for _ in range(100):
        height, width = (int(length) for length in rng.integers(5, 60, 2))
        points, thickness = rng.uniform(-0.2, 1.2, (rng.integers(1, 6), 2)) * [width, height], rng.uniform(0.5, 8)
        y, x = np.mgrid[:height, :width] + 0.5
        distance = np.full((height, width), np.inf)
        for start, end in zip(points, points[1:] if len(points) > 1 else points, strict=False):
            along = end - start
            share = (x - start[0]) * along[0] + (y - start[1]) * along[1]
            share = np.clip(share / max(along @ along, 1e-9), 0, 1)
            nearest = np.hypot(x - start[0] - share * along[0], y - start[1] - share * along[1])
            distance = np.minimum(distance, nearest)
        drawn = on_image(stroke_pixels(points, thickness, (height, width)), height, width)
        np.testing.assert_array_equal(drawn, distance <= thickness / 2)


@pytest.mark.parametrize("thickness", [1, 2, 3, 8])
def test_a_level_line_is_as_wide_as_stated(thickness: int) -> None:
    for y in (10.0, 10.5):
        drawn = on_image(stroke_pixels(np.array([(5, y), (50, y)]), thickness, (64, 80)), 64, 80)
        assert drawn[:, 20].sum() == thickness


def test_ellipses() -> None:
    rng = np.random.default_rng(2)
    for _ in range(100):
        height, width = (int(length) for length in rng.integers(5, 60, 2))
        (x_center, y_center), radii, angle = rng.uniform(0, 60, 2), rng.uniform(1, 20, 2), rng.uniform(0, 360)
        y, x = np.mgrid[:height, :width] + 0.5
        turn = np.deg2rad(angle)
        along = (x - x_center) * np.cos(turn) + (y - y_center) * np.sin(turn)
        across = (y - y_center) * np.cos(turn) - (x - x_center) * np.sin(turn)
        drawn = ellipse_pixels((x_center, y_center), (radii[0], radii[1]), angle, (height, width))
        expected = (along / radii[0]) ** 2 + (across / radii[1]) ** 2 <= 1
        np.testing.assert_array_equal(on_image(drawn, height, width), expected)


def test_bitmaps_are_clipped_and_joined() -> None:
    whole = np.random.default_rng(3).random((9, 7)) < 0.5
    for left in range(-8, 7):
        for top in range(-10, 6):
            expected = np.zeros((30, 30), np.bool_)
            expected[12 + top : 21 + top, 12 + left : 19 + left] = whole
            part = clipped(Bitmap(whole, left, top), (5, 6))
            np.testing.assert_array_equal(on_image(part, 5, 6), expected[12:17, 12:18])
    joined = union([Bitmap(whole, 2, 1), Bitmap(whole, 5, 4), Bitmap(whole[:0], 9, 9)])
    assert on_image(joined, 20, 20).sum() == 2 * whole.sum() - (whole[3:, 3:] & whole[:-3, :-3]).sum()


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 1e9])
def test_coordinates_far_outside_are_rejected(wrong: float) -> None:
    points = np.array([(1, 1), (wrong, 2), (3, 4)])
    for draw in (polygon_pixels, outlined_polygon):
        with pytest.raises(ValueError, match="a shape reaches"):
            draw(points, (10, 12))
    with pytest.raises(ValueError, match="a shape reaches"):
        stroke_pixels(points, 3, (10, 12))
    with pytest.raises(ValueError, match="a shape reaches"):
        ellipse_pixels((1, 1), (wrong, 1), 0, (10, 12))
