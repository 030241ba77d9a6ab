"""Photos and layers of the pages: exact colours, the same size, and within the limit."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from seglit.drawing.layers import Layer, encode_layers
from seglit.drawing.predictions import lay_over, overlay_colors
from seglit.labels import IGNORE_INDEX, Labels


def decoded(url: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(url.removeprefix("data:image/webp;base64,"))))


@pytest.mark.parametrize(
    ("names", "black", "background"),
    [
        (["background", "disk", "box"], None, 0),
        (["disk", "_Background_", "box"], None, 1),
        (["ground", "crack"], None, 0),
        (["crack", "background"], None, 1),
        (["road", "building", "sky"], None, None),
        (["field", "rest", "road"], 1, 1),
        (["crack", "ground"], 1, 1),
        (["background", "tyre", "road"], 1, 0),
    ],
)
def test_background_is_transparent(names: list[str], black: int | None, background: int | None) -> None:
    palette = [(0, 0, 0) if index == black else (250, 60 * index, 30) for index in range(len(names))]
    labels = Labels.create(names, palette=None if black is None else palette)
    mask = np.array([[*range(len(names)), IGNORE_INDEX]], np.uint8)
    image = np.full((*mask.shape, 3), 101, np.uint8)
    overlay = lay_over(image, mask, labels)[0].astype(int)
    for index, color in enumerate([*labels.palette, (200, 200, 200)]):
        expected = [101] * 3 if index == background else [(101 + part) / 2 for part in color]
        assert np.abs(overlay[index] - expected).max() <= 1
    assert overlay_colors(labels)[:, 3].sum() == 255 * (256 - (background is not None))


def test_foreground_of_two_classes_is_bright_by_default() -> None:
    saturation_and_value = Image.new("RGB", (1, 1), Labels.create(["ground", "crack"]).palette[1]).convert("HSV")
    assert min(saturation_and_value.getpixel((0, 0))[1:]) > 200  # type: ignore[index]


def test_layers_have_the_photos_size_and_exact_colours() -> None:
    labels = Labels.create(["background", "disk", "box"])
    mask = np.repeat(np.array([[0, 1, 2, IGNORE_INDEX]], np.uint8), 8, 1).repeat(20, 0)
    picture = encode_layers(
        np.full((20, 32, 3), (10, 200, 90), np.uint8), {"target": Layer(mask, overlay_colors(labels))}, 100_000
    )
    photo, layer = decoded(picture.photo), decoded(picture.layers["target"])
    assert photo.size == layer.size == (32, 20)
    assert picture.ratio == 1.6
    assert np.abs(np.asarray(photo.convert("RGB")).astype(int) - (10, 200, 90)).max() < 8
    pixels = np.asarray(layer.convert("RGBA"))
    assert (pixels[mask == 0, 3] == 0).all()
    for index, color in ((1, labels.palette[1]), (2, labels.palette[2]), (IGNORE_INDEX, (200, 200, 200))):
        assert (pixels[mask == index] == (*color, 255)).all()


def test_pictures_are_reduced_until_they_fit() -> None:
    random = np.random.default_rng(0)
    colors = random.integers(0, 256, (256, 4), np.uint8)
    noise = {title: Layer(random.integers(0, 20, (200, 280), np.uint8), colors) for title in ("a", "b")}
    photo = random.integers(0, 256, (500, 700, 3), np.uint8)
    picture = encode_layers(photo, noise, 50_000)
    assert 25_000 < sum(map(len, [picture.photo, *picture.layers.values()])) <= 50_000
    assert decoded(picture.photo).width / decoded(picture.photo).height == pytest.approx(1.4, abs=0.01)
