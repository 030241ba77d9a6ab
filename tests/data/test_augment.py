"""Augmentation: image and mask alike, outside is void, drawn from a seed alone, as the YAML says."""

import argparse
import json
from pathlib import Path
from typing import Any

import albumentations as A
import cv2
import numpy as np
import pytest
from jsonargparse import auto_cli
from numpy.typing import NDArray

from seglit.data import Augment, SyntheticDataset
from seglit.data.augment import Pipeline
from seglit.data.first_image import check_transforms
from seglit.errors import InputError
from seglit.labels import IGNORE_INDEX

PRESETS = sorted((Path(__file__).parents[2] / "configs" / "augment").glob("*.yaml"))

GEOMETRIC: dict[str, Any] = {
    "flip": lambda: A.HorizontalFlip(p=1),
    "square": lambda: A.D4(p=1),
    "rotate": lambda: A.Rotate((20, 45), p=1),
    "safe rotate": lambda: A.SafeRotate((20, 45), p=1),
    "affine": lambda: A.Affine(scale=(0.5, 0.8), rotate=(-40, 40), shear=(-10, 10), p=1),
    "perspective": lambda: A.Perspective((0.1, 0.2), fit_output=True, p=1),
    "crop and pad": lambda: A.CropAndPad(px=(5, 9), p=1),
    "pad": lambda: A.PadIfNeeded(70, 80, p=1),
    "elastic": lambda: A.ElasticTransform(alpha=30, sigma=6, p=1),
    "grid": lambda: A.GridDistortion(distort_limit=(0.2, 0.4), normalized=False, p=1),
    "nested": lambda: A.OneOf([A.Sequential([A.Rotate((20, 45), p=1)]), A.Affine(scale=(0.5, 0.6), p=1)], p=1),
    "user's fill": lambda: A.Rotate((20, 45), fill_mask=0, p=1),
}
RESIZING: dict[str, Any] = {
    "scale": Augment((0.5, 1.5)),
    "resize": Augment(transforms=[A.Resize(77, 91)]),
    "random crop": Augment(transforms=[A.OneOf([A.RandomResizedCrop((80, 70), scale=(0.6, 1))], p=1)]),
    "nearest": Augment(transforms=[A.Resize(50, 50, interpolation=cv2.INTER_NEAREST)]),
    "downscale": Augment(transforms=[A.Downscale(scale_range=(0.25, 0.25), p=1)]),
    "longest": Augment(transforms=[A.LongestMaxSize(70)]),
    "crop and pad": Augment(transforms=[A.CropAndPad(px=(4, 9), p=1)]),
    "warped": Augment(transforms=[A.Affine(scale=(0.7, 1.4), rotate=(-20, 20), p=1)]),
}
BRINGS_IN_OUTSIDE = {"rotate", "safe rotate", "affine", "perspective", "crop and pad", "pad", "nested", "user's fill"}


def shapes(index: int, channels: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A mask (H, W) and an image (H, W, C) that shows nothing else: class 0 as 40, class 1 as 80, ..."""
    mask = SyntheticDataset(9, size=(53, 64)).read(index)[1]
    return np.stack([40 * (mask + 1)] * channels, -1).astype(np.uint8), mask


@pytest.mark.parametrize("name", RESIZING)
def test_mask_is_not_shifted_against_the_image(name: str) -> None:
    """The centre of a square, in the image and in its mask, on average over sizes."""
    pipeline, shifts = RESIZING[name].pipeline(None), []
    for seed in range(60):
        y, x = np.random.default_rng(seed).integers(30, 50, 2)
        mask = np.zeros((96, 96), np.uint8)
        mask[y : y + 21, x : x + 21] = 1
        image, mask = pipeline(np.stack([200 * mask] * 3, -1), mask, seed)
        rows, columns = np.indices(mask.shape)
        squares = image[..., 0].astype(float), (mask == 1).astype(float)
        centers = [np.array([(rows * part).sum(), (columns * part).sum()]) / part.sum() for part in squares]
        shifts.append(centers[1] - centers[0])
    assert np.abs(np.mean(shifts, axis=0)).max() < 0.15  # OpenCV's INTER_NEAREST gives 0.5


@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("name", GEOMETRIC)
def test_image_and_mask_are_transformed_together(name: str, channels: int) -> None:
    pipeline = Augment((0.7, 1.4), [GEOMETRIC[name]()]).pipeline((48, 56))
    expected = np.zeros(256)  # what comes in from outside is black
    expected[:6] = 40 * np.arange(1, 7)
    for seed in range(3):
        image, mask = pipeline(*shapes(seed, channels), seed)
        assert {image.dtype.name, mask.dtype.name} == {"uint8"}
        image = image.reshape(*mask.shape, channels)
        away_from_edges = cv2.dilate(mask, np.ones((5, 5))) == cv2.erode(mask, np.ones((5, 5)))
        away_from_edges[[0, -1]] = away_from_edges[:, [0, -1]] = False
        assert away_from_edges.mean() > 0.3
        wrong = np.abs(image[away_from_edges] - expected[mask[away_from_edges]][:, None]) > 2
        assert wrong.mean() < 0.01, f"{wrong.mean():.1%} of the pixels differ"


@pytest.mark.parametrize("name", GEOMETRIC)
def test_transforms_fill_masks_with_void(name: str) -> None:
    pipeline = Pipeline([GEOMETRIC[name]()])
    found = set[int]()
    for seed in range(5):
        _, mask = pipeline(np.full((53, 64, 3), 9, np.uint8), np.full((53, 64), 7, np.uint8), seed)
        found |= set(np.unique(mask).tolist())
    assert found <= {7, IGNORE_INDEX}
    assert 7 in found
    assert IGNORE_INDEX in found or name not in BRINGS_IN_OUTSIDE


def test_dropout_does_not_change_the_mask() -> None:
    image, mask = shapes(0, 3)
    hidden, same = Pipeline([A.CoarseDropout(p=1)])(image, mask, 0)
    assert (hidden == 0).any()
    np.testing.assert_array_equal(same, mask)


def test_small_images_are_padded_to_the_crop_with_void() -> None:
    image, mask = np.full((10, 12, 3), 200, np.uint8), np.zeros((10, 12), np.uint8)
    image, mask = Augment().pipeline((16, 11))(image, mask, 0)
    assert mask.shape == (16, 11)
    assert (mask == IGNORE_INDEX).sum() == 6 * 11
    np.testing.assert_array_equal(image, np.where(mask == IGNORE_INDEX, 0, 200)[..., None].repeat(3, -1))


def test_scale_resizes_within_its_range() -> None:
    pipeline = Augment((0.5, 2.0)).pipeline(None)
    heights = [
        pipeline(np.zeros((40, 60, 3), np.uint8), np.zeros((40, 60), np.uint8), s)[1].shape[0] for s in range(40)
    ]
    assert 20 <= min(heights) < 30
    assert 60 < max(heights) <= 80
    image, mask = shapes(0, 3)
    np.testing.assert_array_equal(Augment().pipeline(None)(image, mask, 1)[0], image)


@pytest.mark.parametrize("scale", [(0.0, 1.0), (1.5, 0.5), (-1.0, 1.0)])
def test_invalid_scale_is_rejected(scale: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="two positive factors") as error:
        Augment(scale)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("transform", [A.Normalize, A.ToFloat, A.ToTensorV2])
def test_normalizing_transforms_are_rejected(transform: Any) -> None:
    with pytest.raises(InputError, match="remove Normalize") as error:
        Augment(transforms=[transform(p=1)]).pipeline(None)(*shapes(0, 3), 0)
    assert "\n" not in str(error.value)


def deep(dtype: str, channels: int) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """As `shapes`, with values that only the type holds: class 0 as 1000, class 1 as 2000, ..., signed ones below 0."""
    mask = SyntheticDataset(9, size=(53, 64)).read(0)[1]
    sign = 1 if dtype == "uint16" else -1
    return np.stack([sign * 1000 * (mask + 1).astype(np.int32)] * channels, -1).astype(dtype), mask


@pytest.mark.parametrize("dtype", ["uint16", "int16", "float32"])
@pytest.mark.parametrize("name", GEOMETRIC)
def test_multi_band_images_are_moved_with_their_masks(name: str, dtype: str) -> None:
    pipeline = Augment((0.7, 1.4), [GEOMETRIC[name]()]).pipeline((48, 56))
    check_transforms(pipeline, deep(dtype, 7)[0])
    sign = 1 if dtype == "uint16" else -1
    image, mask = pipeline(*deep(dtype, 7), 0)
    assert image.dtype == dtype
    away_from_edges = cv2.dilate(mask, np.ones((5, 5))) == cv2.erode(mask, np.ones((5, 5)))
    away_from_edges &= mask != IGNORE_INDEX
    away_from_edges[[0, -1]] = away_from_edges[:, [0, -1]] = False
    expected = sign * 1000 * (mask[away_from_edges].astype(int) + 1)
    assert (np.abs(image[away_from_edges] - expected[:, None]) > 50).mean() < 0.01


@pytest.mark.parametrize(
    ("transform", "channels", "dtype", "reason"),
    [
        (A.ColorJitter, 5, "uint8", "ColorJitter transformation expects 1-channel or 3-channel images"),
        (A.ColorJitter, 3, "uint16", "it fails on them"),
        (A.HueSaturationValue, 4, "uint8", "HueSaturationValue transformation expects 1-channel or 3-channel images"),
        (A.ToGray, 2, "uint8", ""),
        (A.RandomFog, 5, "uint8", ""),
        (A.RandomFog, 3, "uint16", "it converts them to float32"),
        (lambda: A.OneOf([A.HorizontalFlip(), A.Sequential([A.RGBShift(p=0.1)])]), 5, "uint8", ""),
        (A.GaussianBlur, 5, "float32", "it clips floats to 0..1"),
        (A.GaussNoise, 1, "int16", "it fails on them"),
        (A.RandomGamma, 3, "int16", "it converts them to"),
        (A.ToRGB, 1, "uint8", "it converts them to 3 channels"),
        (A.Normalize, 3, "uint8", "it converts them to float32"),
        (lambda: A.GridElasticDeform(num_grid_xy=(4, 4), magnitude=4), 5, "uint8", ""),
    ],
)
def test_unsuitable_transforms_are_rejected_before_training(
    transform: Any, channels: int, dtype: str, reason: str
) -> None:
    image = deep(dtype, channels)[0] if dtype != "uint8" else shapes(0, channels)[0]
    step = transform()
    name = "RGBShift" if isinstance(step, A.OneOf) else type(step).__name__
    with pytest.raises(InputError) as error:
        check_transforms(Augment(transforms=[A.HorizontalFlip(), step]).pipeline((16, 16)), image)
    message = str(error.value)
    assert message.startswith(f"augment: {name} does not accept images of {channels} channels of {dtype} ({reason}")
    assert message.endswith("leave it out, as configs/augment/light.yaml does")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("transform", "channels", "dtype"),
    [
        (A.ColorJitter, 1, "uint8"),
        (A.GaussianBlur, 7, "uint16"),
        (A.RandomBrightnessContrast, 7, "uint16"),
        (A.ChannelDropout, 5, "float32"),
        (A.Blur, 5, "int16"),
    ],
)
def test_suitable_transforms_are_accepted(transform: Any, channels: int, dtype: str) -> None:
    image = deep(dtype, channels)[0] if dtype != "uint8" else shapes(0, channels)[0]
    check_transforms(Pipeline([transform()]), image)
    unit = np.random.default_rng(0).random((20, 30, 3), np.float32)
    check_transforms(Pipeline([A.GaussianBlur(), A.ColorJitter()]), unit)  # floats of 0..1


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_presets_accept_8_bit_images_and_light_accepts_all(path: Path) -> None:
    pipeline = from_yaml(str(path)).pipeline((40, 44))
    check_transforms(pipeline, shapes(0, 3)[0])
    if path.stem == "light":
        for dtype in ("uint16", "int16", "float32"):
            check_transforms(pipeline, deep(dtype, 13)[0])


def build(augment: Augment) -> Augment:
    return augment


def from_yaml(settings: str) -> Augment:
    augment: Augment = auto_cli(build, args=["--augment", settings], as_positional=False, exit_on_error=False)
    return augment


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_presets_are_deterministic_per_seed(path: Path) -> None:
    first, second = from_yaml(str(path)).pipeline((40, 44)), from_yaml(str(path)).pipeline((40, 44))
    image, mask, _ = SyntheticDataset(9, size=(53, 64)).read(0)
    drawn = [first(image, mask, seed) for seed in range(12)]
    for seed in reversed(range(12)):  # in another order
        for one, other in zip(drawn[seed], second(image, mask, seed), strict=True):
            np.testing.assert_array_equal(one, other)
    assert {(i.shape, i.dtype.name, m.shape, m.dtype.name) for i, m in drawn} == {
        ((40, 44, 3), "uint8", (40, 44), "uint8")
    }
    assert len({image.tobytes() for image, _ in drawn}) == 12
    assert {int(value) for _, mask in drawn for value in np.unique(mask)} <= {*range(6), IGNORE_INDEX}


def test_presets_exist() -> None:
    assert [path.stem for path in PRESETS] == ["light", "standard", "strong"]


@pytest.mark.parametrize("transform", ["PadIfNeeded", "Rotate", "ColorJitter"])
def test_unknown_arguments_are_rejected(transform: str) -> None:
    transforms = [{"class_path": f"albumentations.{transform}", "init_args": {"value": 255}}]
    with pytest.raises(argparse.ArgumentError, match="value"):
        from_yaml(json.dumps({"class_path": "seglit.data.Augment", "init_args": {"transforms": transforms}}))
