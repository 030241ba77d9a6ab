"""Reading images and masks: mask encodings, colour models, EXIF orientation, and rejected files."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from PIL import ExifTags, Image

from seglit.errors import InputError
from seglit.images.picture import Picture, open_picture
from seglit.labels import IGNORE_INDEX, Labels
from tests.images.reading import read_pair

NAMES = ["road", "car"]
CLASSES = np.random.default_rng(0).choice(np.array([0, 1, IGNORE_INDEX], np.uint8), (12, 17))
COLORS = {"road": [128, 64, 128], "car": [0, 0, 142]}
VOID_COLOR = [9, 8, 7]


def look_up(table: dict[int, Any]) -> NDArray[np.uint8]:
    """`CLASSES` with each class replaced by its stored value."""
    return np.array([[table[int(index)] for index in row] for row in CLASSES], np.uint8)


def write_palette(path: Path) -> None:
    picture = Image.fromarray(look_up({0: 0, 1: 1, IGNORE_INDEX: 2})).convert("P")
    picture.putpalette([*COLORS["road"], *COLORS["car"], *VOID_COLOR])
    picture.save(path)


def write_several_values(path: Path) -> None:
    stored = look_up({0: 3, 1: 7, IGNORE_INDEX: 66})
    stored[::2][stored[::2] == 7] = 250  # 7 and 250 both mean car
    Image.fromarray(stored).save(path)


def write_plain(path: Path, table: dict[int, Any], file_format: str = "PNG") -> None:
    Image.fromarray(look_up(table)).save(path, file_format)


ENCODINGS: dict[str, tuple[dict[str, Any], Any]] = {
    "indices": ({"ignore_values": [255]}, lambda path: write_plain(path, {0: 0, 1: 1, 255: 255})),
    "0 and 255": (
        {"mask_values": {"road": 0, "car": 255}, "ignore_values": [128]},
        lambda path: write_plain(path, {0: 0, 1: 255, 255: 128}),
    ),
    "GIF": (  # its encoder numbers the values 0, 1, 2
        {"mask_values": {"road": 7, "car": 200}, "ignore_values": [60]},
        lambda path: write_plain(path, {0: 7, 1: 200, 255: 60}, "GIF"),
    ),
    "GIF in colours": (
        {"mask_colors": COLORS, "ignore_values": [VOID_COLOR]},
        lambda path: write_plain(path, {0: COLORS["road"], 1: COLORS["car"], 255: VOID_COLOR}, "GIF"),
    ),
    "palette indices": ({"ignore_values": [2]}, write_palette),
    "palette colours": ({"mask_colors": COLORS, "ignore_values": [VOID_COLOR]}, write_palette),
    "colours": (
        {"mask_colors": COLORS, "ignore_values": [VOID_COLOR]},
        lambda path: write_plain(path, {0: COLORS["road"], 1: COLORS["car"], 255: VOID_COLOR}),
    ),
    "colours with alpha": (
        {"mask_colors": COLORS, "ignore_values": [VOID_COLOR]},
        lambda path: write_plain(path, {0: [*COLORS["road"], 0], 1: [*COLORS["car"], 255], 255: [*VOID_COLOR, 9]}),
    ),
    "grey as colour": (
        {"ignore_values": [255]},
        lambda path: write_plain(path, {0: [0] * 3, 1: [1] * 3, 255: [255] * 3}),
    ),
    "several values of a class": (
        {"mask_values": {"road": 3, "car": [7, 250]}, "ignore_values": [66]},
        write_several_values,
    ),
}


def write_image(path: Path, size: tuple[int, int] = CLASSES.shape) -> Path:
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)).save(path)
    return path


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
@pytest.mark.parametrize(("settings", "write"), ENCODINGS.values(), ids=ENCODINGS)
def test_every_mask_encoding_gives_the_same_classes(
    tmp_path: Path, suffix: str, settings: dict[str, Any], write: Any
) -> None:
    image, mask = write_image(tmp_path / "image.png"), tmp_path / f"mask{suffix}"
    write(mask)
    _, encoded = read_pair(image, mask, Labels.create(NAMES, **settings), 3)
    assert encoded.dtype == np.uint8
    np.testing.assert_array_equal(encoded, CLASSES)


def error_message(image: Path, mask: Path, labels: Labels, in_channels: int = 3) -> str:
    with pytest.raises(InputError) as error:
        read_pair(image, mask, labels, in_channels)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(("settings", "write"), ENCODINGS.values(), ids=ENCODINGS)
@pytest.mark.parametrize("key", ["ignore_values", "mask_"])
def test_the_setting_suggested_for_an_unknown_value_makes_the_mask_readable(
    tmp_path: Path, key: str, settings: dict[str, Any], write: Any
) -> None:
    image, mask = write_image(tmp_path / "image.png"), tmp_path / "mask.png"
    write(mask)
    without = {name: value for name, value in settings.items() if name != "ignore_values"}
    message = error_message(image, mask, Labels.create(NAMES, **without))
    unknown = settings["ignore_values"][0]
    assert str(mask) in message
    assert f"the value {unknown} ({(CLASSES == IGNORE_INDEX).sum()} pixels)" in message
    (line,) = (line for line in re.findall("`(.*?)`", message) if line.startswith(key))
    _, encoded = read_pair(image, mask, Labels.create(NAMES, **(without | yaml.safe_load(line))), 3)
    expected = IGNORE_INDEX if key == "ignore_values" else 1
    np.testing.assert_array_equal(encoded, np.where(CLASSES == IGNORE_INDEX, expected, CLASSES))


def test_the_suggested_setting_keeps_void_values(tmp_path: Path) -> None:
    image, mask = write_image(tmp_path / "image.png", (2, 3)), tmp_path / "mask.png"
    Image.fromarray(np.array([[0, 1, 9], [8, 8, 7]], np.uint8)).save(mask)
    message = error_message(image, mask, Labels.create(NAMES, ignore_values=[9]))
    assert "the value 7 (1 pixels) and 1 other unlisted" in message
    assert "`ignore_values: [9, 7, 8]`" in message


def test_a_photograph_as_mask_is_rejected_with_its_colours(tmp_path: Path) -> None:
    image = write_image(tmp_path / "image.png")
    message = error_message(image, image, Labels.create(NAMES))
    assert "not class indices" in message
    assert "mask_colors: {road: [" in message
    assert str(image) in message


KINDS = [
    (suffix, mode)
    for suffix in (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".PNG")
    for mode in (["L", "RGB"] if suffix.startswith(".j") else ["L", "RGB", "RGBA", "P"])
]


@pytest.mark.parametrize(("suffix", "mode"), KINDS)
@pytest.mark.parametrize("in_channels", [1, 3])
def test_images_of_every_format_are_read(tmp_path: Path, suffix: str, mode: str, in_channels: int) -> None:
    mask, path = tmp_path / "mask.png", tmp_path / f"image{suffix}"
    Image.fromarray(np.zeros((20, 30), np.uint8)).save(mask)
    color = np.zeros((20, 30, 3), np.uint8)
    color[:10], color[10:] = (200, 40, 40), (40, 90, 200)
    shown = Image.fromarray(color)
    shown = shown.convert("L") if mode == "L" else shown
    expected = np.asarray(shown.convert("L" if in_channels == 1 else "RGB"), np.int64).reshape(20, 30, in_channels)
    if mode == "RGBA":
        shown.putalpha(17)  # nearly transparent; alpha is dropped
    if mode == "P":
        shown = shown.quantize(2)
    options: dict[str, Any] = {".webp": {"lossless": True, "exact": True}, ".jpg": {"quality": 95, "subsampling": 0}}
    shown.save(path, **options.get(suffix.replace("jpeg", "jpg"), {}))
    image, _ = read_pair(path, mask, Labels.create(["only"]), in_channels)
    assert image.dtype == np.uint8
    assert image.shape == expected.shape
    assert np.abs(image.astype(np.int64) - expected).mean() < 3


def test_palette_transparency_is_dropped_without_warning(tmp_path: Path) -> None:
    picture = Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4)).convert("P")
    picture.putpalette([part for index in range(12) for part in (index, 2 * index, 3 * index)])
    picture.save(tmp_path / "a.png", transparency=bytes(range(12)))
    Image.fromarray(np.zeros((3, 4), np.uint8)).save(tmp_path / "mask.png")
    image, _ = read_pair(tmp_path / "a.png", tmp_path / "mask.png", Labels.create(["only"]), 3)
    np.testing.assert_array_equal(image, np.arange(12).reshape(3, 4, 1) * [1, 2, 3])


UPRIGHT = {  # the transformation of the stored array for each orientation (EXIF 2.32, 4.6.5)
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}


def oriented(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return exif


SAME_SIZE = (2, 3, 4)  # of these orientations, the size of a mask tells nothing
MASK_IS = [
    (mask_is, orientation, setting)
    for orientation in UPRIGHT
    for mask_is, setting in (
        ("stored like its image", "stored" if orientation in SAME_SIZE else None),
        ("stored like its image", "stored"),
        ("upright", None),
        ("upright", "upright"),
        ("upright and tagged so", None),
        ("upright and tagged so", "stored"),
        ("tagged otherwise", None),
        ("tagged otherwise", "upright"),
    )
]


@pytest.mark.parametrize(("mask_is", "orientation", "setting"), dict.fromkeys(MASK_IS))
@pytest.mark.parametrize("image_suffix", [".png", ".tif"])
@pytest.mark.parametrize("mask_suffix", [".png", ".tif"])
def test_exif_orientation_is_applied_to_image_and_mask(
    tmp_path: Path, orientation: int, image_suffix: str, mask_suffix: str, mask_is: str, setting: str | None
) -> None:
    stored = np.random.default_rng(3).integers(0, 200, (6, 9), dtype=np.uint8)
    turned = UPRIGHT[orientation](stored)
    image_path, mask_path = tmp_path / f"image{image_suffix}", tmp_path / f"mask{mask_suffix}"
    Image.fromarray(np.stack([stored] * 3, -1)).save(image_path, exif=oriented(orientation))
    if mask_is == "stored like its image":
        Image.fromarray(stored).save(mask_path)
    elif mask_is == "upright":
        Image.fromarray(turned).save(mask_path)
    elif mask_is == "upright and tagged so":
        Image.fromarray(turned).save(mask_path, exif=oriented(1))
    else:  # stored differently from its image
        Image.fromarray(np.rot90(turned, 1)).save(mask_path, exif=oriented(6))
    labels = Labels.create([str(i) for i in range(200)])
    image, mask = read_pair(image_path, mask_path, labels, 3, orientation=setting)
    np.testing.assert_array_equal(image[..., 0], turned)
    np.testing.assert_array_equal(mask, turned)


@pytest.mark.parametrize("exif", [b"noise", b"MM\0*\0\0\0\x08\0\1\x01\x12\0\x0c\0\0\0\1\0\0\0\0\0\0\0\0"])
def test_a_mask_with_other_exif_is_turned_like_its_image(tmp_path: Path, exif: bytes) -> None:
    stored = np.arange(54, dtype=np.uint8).reshape(6, 9)
    Image.fromarray(np.stack([stored] * 3, -1)).save(tmp_path / "image.png", exif=oriented(6))
    Image.fromarray(stored).save(tmp_path / "mask.png", exif=b"Exif\0\0" + exif)
    image, mask = read_pair(
        tmp_path / "image.png", tmp_path / "mask.png", Labels.create([str(i) for i in range(54)]), 3
    )
    np.testing.assert_array_equal(image[..., 0], UPRIGHT[6](stored))
    np.testing.assert_array_equal(mask, UPRIGHT[6](stored))


def test_missing_files_and_size_mismatches_are_rejected(tmp_path: Path) -> None:
    labels = Labels.create(["only"])
    image, mask = write_image(tmp_path / "image.png", (6, 9)), tmp_path / "mask.png"
    assert error_message(image, mask, labels) == f"{mask}: no such file"
    Image.fromarray(np.zeros((9, 6), np.uint8)).save(mask)
    assert f"{mask}: the mask is 9 x 6 pixels (height x width), but its image image.png is 6 x 9" in error_message(
        image, mask, labels
    )


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", ".bmp"])
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9])
def test_truncated_files_are_rejected(tmp_path: Path, suffix: str, kept: float) -> None:
    mask = tmp_path / "mask.png"
    Image.fromarray(np.zeros((40, 50), np.uint8)).save(mask)
    image = write_image(tmp_path / f"image{suffix}", (40, 50))
    content = image.read_bytes()
    image.write_bytes(content[: int(len(content) * kept)])
    assert error_message(image, mask, Labels.create(["only"])).startswith(f"{image}: cannot be read as an image (")


def test_text_files_are_rejected(tmp_path: Path) -> None:
    mask = tmp_path / "mask.png"
    mask.write_text("version https://git-lfs.github.com/spec/v1\n")
    assert "cannot be read" in error_message(write_image(tmp_path / "image.png"), mask, Labels.create(["only"]))


@pytest.mark.parametrize("mode", ["RGB", "L", "P"])
def test_masks_are_read_as_integers_or_colours(tmp_path: Path, mode: str) -> None:
    picture = Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4)).convert(mode)
    if mode == "P":
        picture.putpalette([part for index in range(12) for part in (index, 2 * index, 3 * index)])
    picture.save(tmp_path / "mask.png")
    np.testing.assert_array_equal(open_picture(tmp_path / "mask.png").stored_values(), np.arange(12).reshape(3, 4))
    factors = [1, 2, 3] if mode == "P" else [1, 1, 1]
    colors = open_picture(tmp_path / "mask.png").stored_values(in_color=True)
    np.testing.assert_array_equal(colors, np.arange(12).reshape(3, 4, 1) * factors)


def test_ppm_of_more_than_8_bits_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"P5 4 3 65535\n" + bytes(24))
    message = error_message(tmp_path / "a.png", write_image(tmp_path / "mask.png"), Labels.create(["only"]))
    assert message == f"{tmp_path / 'a.png'}: PPM of more than 8 bits is not supported; save it as PNG, TIFF or .npy"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "HSV"])
def test_colour_models_are_converted_to_grey_and_rgb_as_in_pillow(mode: str) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (6, 7, 3)).astype(np.uint8)
    pillow = (
        Image.fromarray(rgb).quantize(16).convert(mode) if mode in ("P", "PA") else Image.fromarray(rgb).convert(mode)
    )
    picture = Picture.of_pillow(pillow.copy(), Path("x"), 6)
    turned = pillow.transpose(Image.Transpose.ROTATE_270)
    assert (picture.image(3) == np.asarray(turned.convert("RGB"))).all()
    assert (picture.image(1)[..., 0] == np.asarray(turned.convert("L"))).all()
    assert picture.stored_size == (6, 7)
