"""Masks beside their images: turned images, instance numbers, another scale."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from seglit.errors import InputError
from seglit.images.mask_settings import MaskSettings
from seglit.images.scaling import resize_nearest, scale_range
from seglit.images.validity import void_without_data
from seglit.labels import Labels
from tests.images.reading import read_pair
from tests.images.test_picture import UPRIGHT, oriented

MANY = Labels.create([str(index) for index in range(100)])


def write(tmp_path: Path, mask: Any, size: tuple[int, int] | None = None, orientation: int = 1) -> tuple[Path, Path]:
    """Writes a mask, and an image stored in a size."""
    files = tmp_path / "image.png", tmp_path / "mask.png"
    Image.fromarray(np.zeros((*(size or mask.shape), 3), np.uint8)).save(files[0], exif=oriented(orientation))
    Image.fromarray(mask).save(files[1])
    return files


def error_message(*args: Any, **masks: Any) -> str:
    with pytest.raises(InputError) as error:
        read_pair(*args, **masks)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("setting", ["stored", "upright", None])
def test_square_masks_are_upright_unless_stated_otherwise(
    tmp_path: Path, orientation: int, setting: str | None
) -> None:
    stored = np.random.default_rng(orientation).integers(0, 100, (7, 7), dtype=np.uint8)
    image, mask = write(tmp_path, stored, orientation=orientation)
    expected = UPRIGHT[orientation](stored) if setting == "stored" else stored
    np.testing.assert_array_equal(read_pair(image, mask, MANY, 3, orientation=setting)[1], expected)


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_a_size_that_contradicts_the_orientation_is_rejected(tmp_path: Path, orientation: int) -> None:
    image, mask = write(tmp_path, np.zeros((6, 9), np.uint8), orientation=orientation)
    message = error_message(image, mask, MANY, 3, orientation="upright")
    assert message == (
        f"{mask}: the mask is 6 x 9 pixels (height x width), but its image image.png is 9 x 6 when `mask_orientation: "
        "upright` is applied; remove the setting or the pair"
    )
    Image.fromarray(np.zeros((9, 6), np.uint8)).save(mask)
    assert (
        "the mask is 6 x 9 pixels (height x width), but its image image.png is 9 x 6 when `mask_orientation: stored`"
        in (error_message(image, mask, MANY, 3, orientation="stored"))
    )


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.int64])
def test_instance_numbers_are_dropped(tmp_path: Path, dtype: Any) -> None:
    stored = np.array([[0, 7, 11, 24], [999, 1000, 24000, 24001], [24999, 26000, 33017, 26]], dtype)
    names = [str(value) for value in (0, 7, 11, 24, 999, 1, 26, 33)]
    labels = Labels.create(names, {name: int(name) for name in names})
    image, _ = write(tmp_path, np.zeros((3, 4), np.uint8))
    np.save(tmp_path / "mask.npy", stored)
    _, mask = read_pair(image, tmp_path / "mask.npy", labels, 3, divisor=1000)
    classes = [[0, 7, 11, 24], [999, 1, 24, 24], [24, 26, 33, 26]]  # by hand, as Cityscapes defines its instanceIds
    np.testing.assert_array_equal(np.array(names, int)[mask], classes)
    assert "contains the value 1000 (1 pixels)" in error_message(image, tmp_path / "mask.npy", labels, 3)


def test_negative_and_small_values_have_no_instance() -> None:
    stored = np.array([[-1, 3, 255]], np.int32)
    np.testing.assert_array_equal(MaskSettings(divisor=1000).classes(stored), stored)
    small = stored[:, 1:].astype(np.uint8)
    assert MaskSettings(divisor=1000).classes(small).tolist() == [[3, 255]]  # 1000 does not fit in uint8
    void = np.ma.MaskedArray(np.array([[2001, 7]], np.uint16), [[False, True]])
    assert MaskSettings(divisor=1000).classes(void).tolist() == [[2, None]]


def test_divisors_of_colours_and_below_one_are_rejected(tmp_path: Path) -> None:
    image, mask = write(tmp_path, np.zeros((3, 4, 3), np.uint8), (3, 4))
    labels = Labels.create(["only"], mask_colors={"only": [0, 0, 0]})
    assert "mask_divisor and mask_colors are both set" in error_message(image, mask, labels, 3, divisor=1000)
    assert "mask_divisor is 0" in error_message(image, mask, MANY, 3, divisor=0)


@pytest.mark.parametrize("size", [(5, 7), (10, 14), (13, 18), (20, 28), (31, 43)])
@pytest.mark.parametrize("other", [(5, 7), (10, 14), (20, 28), (33, 45), (64, 90)])
def test_nearest_resizing_is_that_of_pytorch(size: tuple[int, int], other: tuple[int, int]) -> None:
    array = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
    resized = torch.nn.functional.interpolate(torch.from_numpy(array)[None, None], other, mode="nearest-exact")
    np.testing.assert_array_equal(resize_nearest(array, other), resized[0, 0].numpy())


@pytest.mark.parametrize("divide", [np.floor, np.ceil, np.round])
@pytest.mark.parametrize("size", [(480, 640), (1080, 1920), (333, 500), (37, 41)])
@pytest.mark.parametrize("factor", [2, 3, 4, 7.5])
def test_scales_are_those_of_rounded_sides(divide: Any, size: tuple[int, int], factor: float) -> None:
    smaller = int(divide(size[0] / factor)), int(divide(size[1] / factor))
    for scale, sizes in ((1 / factor, (size, smaller)), (factor, (smaller, size))):
        low, high = scale_range(*sizes) or (0, 0)
        assert low < scale < high


def test_other_aspect_ratios_have_no_scale() -> None:
    assert scale_range((480, 640), (512, 512)) is None
    assert scale_range((480, 640), (640, 480)) is None
    assert scale_range((480, 640), (240, 300)) is None


@pytest.mark.parametrize("size", [(3, 4), (12, 16)])
def test_scaled_masks_keep_their_size_if_allowed(tmp_path: Path, size: tuple[int, int]) -> None:
    stored = np.random.default_rng(0).integers(0, 100, size, dtype=np.uint8)
    image, mask = write(tmp_path, stored, (6, 8))
    np.testing.assert_array_equal(read_pair(image, mask, MANY, 3, resize=True)[1], stored)
    message = error_message(image, mask, MANY, 3)
    assert message.endswith("if the mask shows the whole image at another scale, set `resize_masks: true`")
    Image.fromarray(np.zeros((2, 8), np.uint8)).save(mask)
    assert message not in error_message(image, mask, MANY, 3)
    assert error_message(image, mask, MANY, 3, resize=True).endswith("`resize_masks` requires the same aspect ratio")


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_scaled_masks_are_turned_by_their_aspect_ratio(tmp_path: Path, orientation: int) -> None:
    stored = np.random.default_rng(0).integers(0, 100, (3, 4), dtype=np.uint8)
    upright = UPRIGHT[orientation](stored)
    image, mask = write(tmp_path, upright, (6, 8), orientation)
    np.testing.assert_array_equal(read_pair(image, mask, MANY, 3, resize=True)[1], upright)
    if orientation > 4:
        Image.fromarray(stored).save(mask)
        np.testing.assert_array_equal(read_pair(image, mask, MANY, 3, resize=True)[1], upright)


def test_pixels_without_data_are_void_at_the_scale_of_the_mask() -> None:
    invalid = np.zeros((4, 6, 2), bool)
    invalid[:, :3] = True
    invalid[0, 5, 0] = True  # one band has data
    image = np.ma.MaskedArray(np.ones((4, 6, 2), np.float32), invalid)
    mask = void_without_data(np.zeros((2, 3), np.uint8), image)
    np.testing.assert_array_equal(mask, [[255, 0, 0], [255, 0, 0]])  # their centres are in columns 1, 3 and 5
