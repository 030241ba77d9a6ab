"""Drawn predictions: layout and colours."""

import numpy as np
import pytest
from PIL import Image

from seglit.drawing.predictions import Prediction, as_rgb, draw_grid, shrink
from seglit.labels import IGNORE_INDEX, Labels

LABELS = Labels.create(["ground", "thing"], palette=[[10, 20, 30], [200, 100, 50]])
WRONG = [225, 40, 50]
VOID = [200, 200, 200]


def prediction(channels: int = 3) -> Prediction:
    """A grey image (20, 40): the right half is `thing`, predicted except for one corner; the top left is void."""
    image = np.full((20, 40, channels), 90, np.uint8)
    target = np.zeros((20, 40), np.uint8)
    target[:, 20:] = 1
    preds = target.copy()
    preds[10:, 30:] = 0
    target[:10, :10] = IGNORE_INDEX
    preds[:10, :10] = 1
    return Prediction(image, target, preds, "name")


def panels(page: Image.Image, width: int) -> list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    """The four panels of the first row."""
    pixels, height = np.asarray(page), width // 2
    (top,) = {int(rows[0]) for rows in [np.flatnonzero((pixels[:, 6 : 6 + width] == 90).all((1, 2)))]}
    return [pixels[top : top + height, 6 + index * (width + 6) :][:, :width] for index in range(4)]


def test_a_row_shows_image_target_prediction_and_errors() -> None:
    image, target, preds, errors = panels(draw_grid([prediction()], LABELS, width=40), 40)
    assert (image == 90).all()
    assert (target[:10, :10] == VOID).all()
    assert (target[:, 20:] == LABELS.palette[1]).all()
    assert (target[10:, :20] == LABELS.palette[0]).all()
    assert (preds[:10, :10] == LABELS.palette[1]).all()
    assert (preds[10:, 30:] == LABELS.palette[0]).all()
    wrong = (errors == WRONG).all(-1)
    assert wrong[10:, 30:].all()
    assert wrong.sum() == 10 * 10  # void is never wrong


def test_grid_has_one_row_per_prediction() -> None:
    one, three = (draw_grid([prediction()] * count, LABELS, width=60) for count in (1, 3))
    assert three.width == one.width
    assert three.height - one.height == 2 * (30 + 6)


def test_legend_wraps_lines() -> None:
    heights = [
        draw_grid([prediction()], Labels.create([f"class {c}" for c in range(count)]), 60).height for count in (2, 40)
    ]
    assert heights[1] > heights[0] + 100


@pytest.mark.parametrize(("channels", "shown"), [(1, [0, 0, 0]), (2, [0, 0, 0]), (3, [0, 1, 2]), (5, [0, 1, 2])])
def test_any_number_of_channels_can_be_drawn(channels: int, shown: list[int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (4, 5, channels), np.uint8)
    np.testing.assert_array_equal(as_rgb(image), image[..., shown])
    draw_grid([prediction(channels)], LABELS)


@pytest.mark.parametrize("dtype", ["uint16", "int16", "float32"])
@pytest.mark.parametrize(("channels", "shown"), [(1, [0, 0, 0]), (6, [0, 1, 2])])
def test_images_other_than_uint8_are_stretched_between_percentiles(dtype: str, channels: int, shown: list[int]) -> None:
    ramp = np.linspace(0, 1, 10_000).reshape(100, 100, 1)
    image = (ramp * [1000 * (c + 1) for c in range(channels)] + 200).astype(dtype)
    image[0, 0] = 30_000  # an outlier does not darken the rest
    drawn = as_rgb(image)
    assert drawn.dtype == np.uint8
    expected = ((ramp - 0.02) / 0.96 * 255).clip(0, 255).repeat(3, -1)
    assert np.abs(drawn - expected)[1:].max() < 3
    np.testing.assert_array_equal(drawn[..., shown.index(shown[2])], drawn[..., 2])
    draw_grid([prediction(channels)._replace(image=image[:20, :40])], LABELS)


def test_constant_uint16_image_is_drawn() -> None:
    assert (as_rgb(np.full((4, 5, 3), 700, np.uint16)) == 0).all()


def test_shrink_keeps_aspect_ratio_and_classes() -> None:
    mask = np.random.default_rng(0).choice(np.array([0, 7, IGNORE_INDEX], np.uint8), (30, 90))
    small = shrink(mask, 31, Image.Resampling.NEAREST)
    assert small.shape == (10, 31)
    assert set(np.unique(small)) <= {0, 7, IGNORE_INDEX}
    assert shrink(np.zeros((1, 500), np.uint8), 20, Image.Resampling.NEAREST).shape == (1, 20)
