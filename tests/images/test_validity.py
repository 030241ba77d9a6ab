"""Pixels without data: recognised, filled, in no statistic, void in the mask, and neutral for the network."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
import torch
from PIL import Image

from seglit.data import Augment, Cache, FolderDataModule
from seglit.errors import InputError
from seglit.images.picture import open_picture
from seglit.images.read import read_image
from seglit.labels import Labels
from seglit.normalization import Normalization, Normalize
from tests.images.reading import read_pair

Array = npt.NDArray[Any]

RNG = np.random.default_rng(0)
FLOATS = RNG.uniform(0, 0.3, (12, 17, 4)).astype(np.float32)
COLORS = RNG.integers(1, 255, (12, 17, 3)).astype(np.uint8)
HOLE = np.zeros((12, 17), bool)
HOLE[:, :5] = HOLE[3:5] = True
LABELS = Labels.create(["land", "water"])


def write_tiff(path: Path, array: Array, nodata: str | None = None, **options: Any) -> Path:
    tags = [] if nodata is None else [(42113, "s", 0, nodata, True)]
    tifffile.imwrite(path, array, photometric="minisblack", planarconfig="contig", extratags=tags, **options)
    return path


def with_hole(value: float, array: Array = FLOATS, bands: slice = slice(None)) -> Array:
    filled = array.copy()
    filled[HOLE, bands] = value
    return filled


def write_rgba(path: Path) -> Path:
    Image.fromarray(np.dstack([COLORS, np.where(HOLE, 0, 255).astype(np.uint8)])).save(path)
    return path


def write_grey_alpha(path: Path) -> Path:
    Image.fromarray(np.dstack([COLORS[..., 0], np.where(HOLE, 0, 255).astype(np.uint8)]), "LA").save(path)
    return path


def write_color_key(path: Path) -> Path:
    Image.fromarray(with_hole(7, np.where(COLORS == 7, 8, COLORS))).save(path, transparency=(7, 7, 7))
    return path


def write_palette(path: Path) -> Path:
    picture = Image.fromarray(with_hole(0, COLORS[..., :1])[..., 0], "P")
    picture.putpalette(RNG.integers(0, 256, 768).tolist())
    picture.save(path, transparency=0)
    return path


HOLES: dict[str, tuple[str, Any, int, tuple[float, ...]]] = {
    "NaN": ("a.tif", lambda path: write_tiff(path, with_hole(np.nan)), 4, ()),
    "infinity": ("a.npy", lambda path: np.save(path, with_hole(-np.inf)), 4, ()),
    "tag": ("a.tif", lambda path: write_tiff(path, with_hole(-9999), "-9999"), 4, ()),
    "tag of the lowest float32": (
        "a.tif",
        lambda path: write_tiff(path, with_hole(float(np.finfo(np.float32).min)), "-3.4028234663852886e+38"),
        4,
        (),
    ),
    "tag in 16 bits": (
        "a.tif",
        lambda path: write_tiff(path, with_hole(-32768, (FLOATS * 1000).astype(np.int16)), "-32768 "),
        4,
        (),
    ),
    "tag in 8 bits": (
        "a.tif",
        lambda path: tifffile.imwrite(
            path, with_hole(0, COLORS), photometric="rgb", extratags=[(42113, "s", 0, "0", True)]
        ),
        3,
        (),
    ),
    "setting": ("a.tif", lambda path: write_tiff(path, with_hole(-1)), 4, (-1,)),
    "setting for each band": ("a.npy", lambda path: np.save(path, with_hole(-2)), 4, (-2, -2, -2, -2)),
    "alpha": ("a.png", write_rgba, 3, ()),
    "alpha of grey": ("a.png", write_grey_alpha, 1, ()),
    "alpha of a TIFF": ("a.tif", write_rgba, 3, ()),
    "colour key": ("a.png", write_color_key, 3, ()),
    "palette": ("a.png", write_palette, 3, ()),
}


@pytest.mark.parametrize("case", HOLES)
def test_pixels_without_data_are_masked_and_filled(tmp_path: Path, case: str) -> None:
    name, write, channels, nodata = HOLES[case]
    write(tmp_path / name)
    image = read_image(tmp_path / name, channels, nodata)
    assert isinstance(image, np.ma.MaskedArray)
    np.testing.assert_array_equal(np.ma.getmaskarray(image), HOLE[..., None].repeat(channels, -1))
    mean = image.data[~HOLE].mean(0, dtype=np.float64)
    mean = mean if image.dtype.kind == "f" else np.round(mean)
    np.testing.assert_allclose(image.data[HOLE], np.broadcast_to(mean, (HOLE.sum(), channels)), rtol=1e-6)


@pytest.mark.parametrize(
    ("array", "nodata"),
    [
        (COLORS, "-9999"),  # which uint8 does not contain
        (COLORS, "nan"),
        (np.where(COLORS == 9, 0, COLORS), "9"),
        (with_hole(0, COLORS, slice(1)), "0"),  # a dark red, green or blue is a colour
        (COLORS, "none"),
    ],
)
def test_complete_images_are_plain_arrays(tmp_path: Path, array: Array, nodata: str) -> None:
    tags = [(42113, "s", 0, nodata, True)]
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="rgb", extratags=tags)
    image = read_image(tmp_path / "a.tif", 3)
    assert type(image) is np.ndarray
    np.testing.assert_array_equal(image, array)


def test_number_of_nodata_values_is_checked(tmp_path: Path) -> None:
    write_tiff(tmp_path / "a.tif", FLOATS)
    with pytest.raises(InputError, match="nodata has 3 values for 4 bands"):
        read_image(tmp_path / "a.tif", 4, (1, 2, 3))
    with pytest.raises(InputError, match="nodata has 2 values for 3 channels"):
        FolderDataModule(str(tmp_path), ["a", "b"], nodata=[0, 1])


MASKS: dict[str, tuple[Array, str | None]] = {
    "NaN": (np.where(HOLE, np.nan, 1).astype(np.float32), None),
    "tag": (np.where(HOLE, -9999, 1).astype(np.int32), "-9999"),
    "tag of a class": (np.where(HOLE, 0, 1).astype(np.uint8), "0"),
    "whole floats": (np.where(HOLE, 0.0, 1.0), None),
}


@pytest.mark.parametrize("case", MASKS)
def test_pixels_of_masks_without_data_are_void(tmp_path: Path, case: str) -> None:
    stored, nodata = MASKS[case]
    Image.fromarray(COLORS).save(tmp_path / "a.png")
    write_tiff(tmp_path / "a.tif", stored, nodata)
    _, mask = read_pair(tmp_path / "a.png", tmp_path / "a.tif", LABELS, 3)
    np.testing.assert_array_equal(mask, np.where(HOLE, 0 if case == "whole floats" else 255, 1))
    assert mask.dtype == np.uint8


def folder(root: Path, arrays: dict[str, Array], **settings: Any) -> FolderDataModule:
    """A data module of TIFF images with masks of class 1."""
    for name, array in arrays.items():
        for split in ("train", "val"):
            for kind in ("images", "masks"):
                (root / kind / split).mkdir(parents=True, exist_ok=True)
            write_tiff(root / "images" / split / f"{name}.tif", array)
            Image.fromarray(np.ones(array.shape[:2], np.uint8)).save(root / "masks" / split / f"{name}.png")
    return FolderDataModule(
        str(root),
        ["land", "water"],
        mask_name="{stem}.png",
        in_channels=4,
        batch_size=2,
        num_workers=0,
        mean=[0.15],
        std=[0.1],
        **settings,
    )


@pytest.mark.parametrize("cached", [False, True])
def test_batches_have_valid_only_where_needed(tmp_path: Path, cached: bool) -> None:
    partly = with_hole(-9999, bands=slice(1))  # one band lacks data
    partly[:2] = -9999  # all bands
    cache = Cache(str(tmp_path / "cache")) if cached else None
    data = folder(tmp_path, {"a": FLOATS, "b": partly, "c": FLOATS, "d": FLOATS}, nodata=-9999, cache=cache)
    for _ in range(2):
        (first,), (second,) = data.val_dataloader()
        assert "valid" not in second
        assert first["valid"].shape == first["image"].shape
        assert first["valid"][0].all()
        expected = torch.from_numpy(partly != -9999).permute(2, 0, 1)
        assert torch.equal(first["valid"][1], expected)
        assert torch.equal(first["mask"][1] == 255, ~expected.any(0))  # some bands are enough for a label
        assert (first["mask"][0] == 1).all()


def test_augmentation_carries_valid_like_a_mask(tmp_path: Path) -> None:
    import albumentations as A

    image = with_hole(-9999)
    transforms = [A.HorizontalFlip(p=1.0), A.Rotate((90, 90), p=1.0), A.Affine(scale=1.3, p=1.0)]
    augment = Augment(scale=(0.8, 1.2), transforms=transforms)
    data = folder(tmp_path, {"a": image, "b": image}, nodata=-9999, augment=augment, crop_size=(10, 10))
    for epoch_batch in data.train_dataloader():
        outside = epoch_batch["mask"] == 255
        assert 0 < outside.float().mean() < 1
        lacking = ~epoch_batch["valid"]
        assert torch.equal(lacking.all(1), outside)
        assert torch.equal(lacking.any(1), outside)
        filled = epoch_batch["image"][(~lacking).all(1, keepdim=True).expand_as(epoch_batch["image"])]
        assert 0 <= filled.min() <= filled.max() < 0.31


def test_training_batches_are_padded(tmp_path: Path) -> None:
    data = folder(tmp_path, {"a": with_hole(np.nan), "b": FLOATS[:8, :9]})
    (batch,) = data.train_dataloader()
    assert batch["valid"].shape == batch["image"].shape == (2, 4, 12, 17)
    assert torch.isfinite(batch["image"]).all()


def test_normalised_images_are_zero_without_data() -> None:
    image = torch.from_numpy(FLOATS).permute(2, 0, 1)[None]
    valid = torch.from_numpy(~HOLE).expand_as(image)
    normalize = Normalize(Normalization((0.1,), (0.2,)), torch.contiguous_format)
    expected = torch.where(valid, (image - 0.1) / 0.2, 0)
    torch.testing.assert_close(normalize(image, valid), expected)
    torch.testing.assert_close(normalize(image), (image - 0.1) / 0.2)


def test_alpha_of_masks_is_no_validity(tmp_path: Path) -> None:
    overlay = np.array([[0, 0, 0, 0], [255, 0, 0, 128]], np.uint8)[HOLE.astype(int)]  # background is transparent
    Image.fromarray(overlay).save(tmp_path / "a.png")
    stored = open_picture(tmp_path / "a.png").stored_values(in_color=True)
    assert type(stored) is np.ndarray
    np.testing.assert_array_equal(stored, overlay[..., :3])
