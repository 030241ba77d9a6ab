"""What the predictor accepts from Python: each gives the mask of the same image as a file."""

from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from torch import nn

from seglit.errors import InputError
from seglit.labels import Labels
from seglit.normalization import Normalization
from seglit.predict.inputs import Input
from seglit.predict.predictor import Predictor
from seglit.predict.settings import Settings

KINDS = ["turned.jpg", "turned.tif", "palette.png", "key.png", "alpha.png", "grey.png", "cmyk.jpg"]
LABELS = Labels.create(["background", "b", "c"])


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    torch.manual_seed(0)
    network, settings = nn.Conv2d(3, 3, 3, padding=1), Settings(precision="32-true")
    return Predictor(network, LABELS, Normalization((0.5,), (0.25,)), settings=settings)


def pixels(height: int = 20, width: int = 30, seed: int = 0) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def test_files_arrays_pictures_and_tensors_give_one_mask(predictor: Predictor, tmp_path: Path) -> None:
    array = pixels()
    Image.fromarray(array).save(tmp_path / "a.png")
    tensor = torch.from_numpy(array).permute(2, 0, 1)
    expected = predictor(array)
    inputs: list[Input] = [tmp_path / "a.png", str(tmp_path / "a.png"), Image.fromarray(array), tensor]
    for image in inputs:
        np.testing.assert_array_equal(predictor(image), expected)
    near = predictor(tensor.float() / 255)
    assert (near == expected).mean() > 0.999
    for mask in predictor(inputs):
        np.testing.assert_array_equal(mask, expected)
    assert predictor([]) == []
    assert [probs.shape for probs in predictor.probabilities((array, pixels(8, 9)))] == [(3, 20, 30), (3, 8, 9)]


@pytest.mark.parametrize("kind", KINDS)
def test_pillow_image_equals_its_file(predictor: Predictor, tmp_path: Path, kind: str) -> None:
    file, image = tmp_path / kind, Image.fromarray(pixels())
    exif = Image.Exif()
    exif[0x0112] = 6
    if kind.startswith("turned"):
        image.save(file, exif=exif)
    elif kind == "palette.png":
        indexed = image.convert("P")
        indexed.save(file, transparency=indexed.getpixel((0, 0)))
    elif kind == "key.png":
        image.save(file, transparency=tuple(pixels()[0, 0].tolist()))
    elif kind == "alpha.png":
        image.putalpha(Image.fromarray(pixels(seed=1)[..., 0] // 200))
        image.save(file)
    else:
        image.convert("L" if kind == "grey.png" else "CMYK").save(file)
    with Image.open(file) as opened:
        opened.load()
        info = dict(opened.info)
        mask = predictor(opened)
        assert opened.info == info  # the caller's image is not changed
    with Image.open(file) as unread:
        np.testing.assert_array_equal(predictor(unread), mask)
    np.testing.assert_array_equal(mask, predictor(file))
    assert mask.shape == ((30, 20) if kind.startswith("turned") else (20, 30))
    assert (mask == 255).any() == (kind in ("palette.png", "key.png", "alpha.png"))


def test_what_is_not_an_image_is_rejected(predictor: Predictor) -> None:
    tensor = torch.from_numpy(pixels())
    for image, message in (
        (tensor, r"^image: has the shape \(20, 30, 3\); a tensor is \(channels, height, width\), and the network has"),
        (tensor.permute(2, 0, 1)[None], r"^image: has the shape \(1, 3, 20, 30\), .*; of several, give a list$"),
        (tensor.permute(2, 0, 1).float(), r"^image: float values range from 0 to 255, not from 0 to 1; "),
        (pixels().astype(np.float32), r"^image: float values range from 0 to 255"),
        (7, r"^image: of type int, not a path"),
        ([pixels(), pixels()[..., :2]], r"^images\[1\]: has 2 bands"),
    ):
        with pytest.raises(InputError, match=message):
            predictor(cast(Input, image))


def test_file_is_named(predictor: Predictor, tmp_path: Path) -> None:
    np.save(file := tmp_path / "a.npy", pixels().astype(np.float32))
    for image in (file, str(file), [pixels(), file]):
        with pytest.raises(InputError, match=rf"^{file}: float values range from 0 to 255"):
            predictor(cast(Input, image))


def test_overlay_and_description(predictor: Predictor) -> None:
    array = pixels()
    mask = predictor(array)
    assert len(np.unique(mask)) == 3
    color = np.array(LABELS.palette, np.uint8)[mask]
    overlay = np.asarray(predictor.overlay(Image.fromarray(array)))
    np.testing.assert_array_equal(overlay, np.where(mask[..., None] > 0, array // 2 + color // 2, array))
    assert repr(predictor) == "Predictor(Conv2d, 84 parameters, 3 channels, 3 classes: background, b, c; cpu, 32-true)"
