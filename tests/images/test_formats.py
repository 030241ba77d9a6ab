"""Many bands, 16 bits and floats: every encoding is read back exactly; inexact or invalid files are rejected."""

import pickle
import struct
import zlib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import ExifTags, Image

from seglit.errors import InputError
from seglit.images.picture import open_picture
from seglit.images.read import read_image
from seglit.labels import IGNORE_INDEX, Labels
from tests.images.reading import read_pair

Array = NDArray[Any]
MANY: dict[str, Any] = {"photometric": "minisblack", "planarconfig": "contig"}


def bands_first(array: Array) -> Array:
    """A contiguous array (C, H, W)."""
    return np.ascontiguousarray(array.transpose(2, 0, 1))


WRITERS: dict[str, tuple[str, Callable[[Path, Array], object]]] = {
    "contiguous": (".tif", lambda path, a: tifffile.imwrite(path, a, **MANY)),
    "separate": (
        ".tiff",
        lambda path, a: tifffile.imwrite(path, bands_first(a), **(MANY | {"planarconfig": "separate"})),
    ),
    "one page per band": (".tif", lambda path, a: tifffile.imwrite(path, bands_first(a), photometric="minisblack")),
    "one page per row": (".tif", lambda path, a: tifffile.imwrite(path, a, photometric="minisblack")),
    "deflated tiles": (
        ".TIF",
        lambda path, a: tifffile.imwrite(
            path, a, **MANY, tile=(16, 16), compression="zlib", predictor=2 if a.dtype.kind != "f" else None
        ),
    ),
    "big and big-endian": (".tif", lambda path, a: tifffile.imwrite(path, a, **MANY, bigtiff=True, byteorder=">")),
    "OME": (".tif", lambda path, a: tifffile.imwrite(path, bands_first(a)[None], ome=True, metadata={"axes": "TCYX"})),
    "npy": (".npy", np.save),
    "npy, big-endian": (".npy", lambda path, a: np.save(path, a.astype(a.dtype.newbyteorder(">")))),
    "npy, Fortran": (".npy", lambda path, a: np.save(path, np.asfortranarray(a))),
}


def random_array(dtype: str, bands: int, size: tuple[int, int] = (12, 17)) -> Array:
    """Random values over the whole range of the type; for floats, negative and large ones."""
    rng = np.random.default_rng(bands)
    if dtype.startswith("float"):
        return rng.normal(0, 3000, (*size, bands)).astype(dtype)
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, (*size, bands), dtype, endpoint=True)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
@pytest.mark.parametrize("bands", [2, 5])
@pytest.mark.parametrize("name", WRITERS)
def test_every_band_is_read_exactly(tmp_path: Path, name: str, bands: int, dtype: str) -> None:
    suffix, write = WRITERS[name]
    path, array = tmp_path / f"a{suffix}", random_array(dtype, bands)
    write(path, array)
    image = read_image(path, bands)
    assert image.dtype == dtype
    assert image.dtype.isnative
    assert image.flags.c_contiguous
    np.testing.assert_array_equal(image, array)


@pytest.mark.parametrize("bands", [1, 3, 4])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bit_grey_and_colour(tmp_path: Path, suffix: str, bands: int) -> None:
    path, array = tmp_path / f"a{suffix}", random_array("uint16", bands)
    assert cv2.imwrite(
        str(path), array[..., [2, 1, 0, 3][:bands]] if bands > 1 else array, [cv2.IMWRITE_TIFF_COMPRESSION, 1]
    )
    np.testing.assert_array_equal(read_image(path, bands), array)


def png(array: Array, color_type: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A 16-bit PNG (ISO/IEC 15948) that no library writes."""
    height, width = array.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
    header = struct.pack(">IIBBBBB", width, height, 16, color_type, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )


@pytest.mark.parametrize(("bands", "color_type"), [(2, 4), (3, 2), (1, 0)])
def test_16_bit_png_with_alpha_or_a_transparent_colour(tmp_path: Path, bands: int, color_type: int) -> None:
    array = random_array("uint16", bands)
    transparent = () if bands == 2 else ((b"tRNS", array[0, 0].astype(">u2").tobytes()),)
    (tmp_path / "a.png").write_bytes(png(array, color_type, *transparent))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", bands), array)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_8_bit_images_of_four_bands_are_read_as_four_channels(tmp_path: Path, suffix: str) -> None:
    path, array = tmp_path / f"a{suffix}", random_array("uint8", 4)
    Image.fromarray(array).save(path)
    np.testing.assert_array_equal(read_image(path, 4), array)
    np.testing.assert_array_equal(read_image(path, 3), array[..., :3])  # the fourth is alpha


def test_arrays_of_one_band_may_have_two_axes(tmp_path: Path) -> None:
    array = random_array("float32", 1)
    np.save(tmp_path / "a.npy", array[..., 0])
    tifffile.imwrite(tmp_path / "a.tif", array[..., 0])
    for name in ("a.npy", "a.tif"):
        np.testing.assert_array_equal(read_image(tmp_path / name, 1), array)


CONVERTED = [
    ("float64", "float32"),
    ("float16", "float32"),
    ("int8", "int16"),
    ("int32", "float32"),
    ("uint32", "float32"),
    ("int64", "float32"),
    ("bool", "uint8"),
]


@pytest.mark.parametrize(
    ("stored", "read", "suffix"),
    [(*types, suffix) for types in CONVERTED for suffix in (".npy", ".tif") if (types[0], suffix) != ("bool", ".tif")],
)  # a boolean TIFF is read as black and white
def test_other_dtypes_are_converted_without_loss(tmp_path: Path, stored: str, read: str, suffix: str) -> None:
    path, array = tmp_path / f"a{suffix}", np.array([[0, 1, 100], [99, 1, 0]]).astype(stored)
    np.save(path, array) if suffix == ".npy" else tifffile.imwrite(path, array)
    image = read_image(path, 1)
    assert image.dtype == read
    np.testing.assert_array_equal(image[..., 0], array.astype(read))


def error_message(path: Path, in_channels: int = 1) -> str:
    with pytest.raises(InputError) as error:
        read_image(path, in_channels)
    assert "\n" not in str(error.value)
    return str(error.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (
            np.full((2, 3), 2**24 + 1),
            "contains int64 values that float32 cannot represent exactly; convert it to 16 bits",
        ),
        (np.full((2, 3), np.iinfo(np.int64).max), "cannot represent exactly"),
        (np.full((2, 3), 1e39), "contains values beyond the range of float32; if they mark pixels without data, set"),
        (np.zeros((2, 3), complex), "contains complex128 values; images are integers or floats"),
        (np.zeros((2, 3, 4, 1)), "contains an array of shape (2, 3, 4, 1), not one (height, width) or (height,"),
        (np.zeros((0, 3)), "contains an array of shape (0, 3), not one"),
        (np.zeros((2, 3, 5), np.uint16), "has 5 bands of uint16, but in_channels is 1; for such images set `in_chan"),
        (
            np.zeros((1, 4, 5), np.uint16),
            "has the shape (1, 4, 5), which looks like (channels, height, width); images ",
        ),
    ],
    ids=str,
)
def test_arrays_that_cannot_be_read_exactly_are_rejected(tmp_path: Path, array: Array, words: str) -> None:
    np.save(tmp_path / "a.npy", array)
    assert words in error_message(tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("write", "bands"),
    [
        (lambda path: Image.new("RGB", (4, 3)).save(path), 3),
        (lambda path: Image.new("P", (4, 3)).save(path), 3),  # read as its colours
        (lambda path: Image.new("L", (4, 3)).save(path), 1),
        (lambda path: cv2.imwrite(str(path), np.zeros((3, 4), np.uint16)), 1),
        (lambda path: cv2.imwrite(str(path), np.zeros((3, 4, 3), np.uint16)), 3),
    ],
)
def test_wrong_number_of_bands_suggests_in_channels(tmp_path: Path, write: Any, bands: int) -> None:
    write(tmp_path / "a.png")
    message = error_message(tmp_path / "a.png", 6)
    assert f"has {bands} band{'s' * (bands > 1)} of " in message
    assert message.endswith(f"but in_channels is 6; for such images set `in_channels: {bands}`")


def test_invalid_arrays_are_rejected(tmp_path: Path) -> None:
    for name, content in (
        ("pickle.npy", pickle.dumps([1])),
        ("text.npy", b"hello"),
        ("empty.npy", b""),
        ("text.tif", b"hello"),
        ("header.tif", b"II*\0\0\0\0\0"),
    ):
        (tmp_path / name).write_bytes(content)
        assert error_message(tmp_path / name).startswith("cannot be read as an image (")
    np.save(tmp_path / "object.npy", np.array([[{}]]), allow_pickle=True)
    assert error_message(tmp_path / "object.npy").startswith(
        "cannot be read as an image (Object arrays cannot be loaded"
    )
    np.savez(tmp_path / "a.npz", np.zeros((2, 2)))
    (tmp_path / "a.npz").rename(tmp_path / "several.npy")
    assert error_message(tmp_path / "several.npy").startswith("contains several arrays")
    assert error_message(tmp_path / "missing.npy") == "no such file"
    tifffile.imwrite(tmp_path / "time.tif", np.zeros((2, 3, 4, 5), np.uint16), photometric="minisblack")
    assert "not rows, columns and bands" in error_message(tmp_path / "time.tif")


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("name", ["contiguous", "separate", "deflated tiles", "big and big-endian", "npy"])
def test_truncated_files_are_rejected(
    tmp_path: Path, name: str, kept: float, capfd: pytest.CaptureFixture[str]
) -> None:
    suffix, write = WRITERS[name]
    path = tmp_path / f"a{suffix}"
    write(path, random_array("uint16", 5, (60, 70)))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    assert error_message(path, 5).startswith("cannot be read as an image (")
    assert capfd.readouterr().err == ""  # libraries print nothing


@pytest.mark.skipif(find_spec("imagecodecs") is not None, reason="imagecodecs is installed")
def test_missing_imagecodecs_is_named(tmp_path: Path) -> None:
    Image.fromarray(random_array("uint16", 1)[..., 0]).save(tmp_path / "a.tif", compression="tiff_lzw")
    assert (
        error_message(tmp_path / "a.tif")
        == "is compressed with COMPRESSION.LZW: 5; to read it: pip install imagecodecs"
    )


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("mask_suffix", [".png", ".npy"])
def test_orientation_is_applied_to_deep_images_and_their_masks(
    tmp_path: Path, suffix: str, mask_suffix: str, orientation: int
) -> None:
    stored = random_array("uint16", 1, (6, 9))[..., 0]
    image, mask, plain = tmp_path / f"image{suffix}", tmp_path / f"mask{mask_suffix}", tmp_path / "plain.png"
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    Image.fromarray(stored).save(image, exif=exif)
    np.save(mask, stored) if mask_suffix == ".npy" else cv2.imwrite(str(mask), stored)
    values = np.unique(stored).tolist()
    labels = Labels.create([str(value) for value in values], {str(value): value for value in values})
    read, classes = read_pair(image, mask, labels, 1, orientation="stored" if orientation in (2, 3, 4) else None)
    np.testing.assert_array_equal(np.array(values)[classes], read[..., 0])

    Image.fromarray((stored >> 8).astype(np.uint8)).save(plain, exif=exif)  # decoded by Pillow
    np.testing.assert_array_equal(read_image(plain, 1), read >> 8)


CLASSES = np.random.default_rng(0).choice(np.array([0, 1, IGNORE_INDEX], np.uint8), (12, 17))


def look_up(table: dict[int, Any], dtype: Any) -> Array:
    """`CLASSES` with each class replaced by its stored value."""
    return np.array([[table[int(index)] for index in row] for row in CLASSES], dtype)


DEEP = {0: 1000, 1: 40000, IGNORE_INDEX: 65535}
SIGNED = {0: 0, 1: 300, IGNORE_INDEX: -1}
COLORS = {0: [128, 64, 128], 1: [0, 0, 142], IGNORE_INDEX: [9, 8, 7]}
MASKS: dict[str, tuple[dict[int, Any], str, Callable[[Path], object]]] = {
    "16-bit PNG": (DEEP, ".png", lambda path: cv2.imwrite(str(path), look_up(DEEP, np.uint16))),
    "16-bit grey as colour": (
        DEEP,
        ".png",
        lambda path: cv2.imwrite(str(path), look_up(DEEP, np.uint16)[..., None].repeat(4, 2)),
    ),
    "16-bit TIFF": (DEEP, ".tif", lambda path: tifffile.imwrite(path, look_up(DEEP, np.uint16))),
    "32-bit TIFF": (SIGNED, ".tif", lambda path: tifffile.imwrite(path, look_up(SIGNED, np.int32))),
    "signed TIFF": (SIGNED, ".tif", lambda path: tifffile.imwrite(path, look_up(SIGNED, np.int16))),
    "signed bytes": (SIGNED | {1: 3}, ".tif", lambda path: tifffile.imwrite(path, look_up(SIGNED | {1: 3}, np.int8))),
    "npy": (SIGNED, ".npy", lambda path: np.save(path, look_up(SIGNED, np.int64))),
    "npy with an axis": (DEEP, ".npy", lambda path: np.save(path, look_up(DEEP, np.uint16)[..., None])),
    "npy of colours": (COLORS, ".npy", lambda path: np.save(path, look_up(COLORS, np.int64))),
}


@pytest.mark.parametrize("name", MASKS)
def test_masks_of_any_integer_type_are_encoded(tmp_path: Path, name: str) -> None:
    table, suffix, write = MASKS[name]
    image, mask = tmp_path / "image.png", tmp_path / f"mask{suffix}"
    Image.new("RGB", CLASSES.shape[::-1]).save(image)
    write(mask)
    stored = {"road": table[0], "car": table[1]}
    settings: dict[str, Any] = {"mask_colors": stored} if table is COLORS else {"mask_values": stored}
    _, encoded = read_pair(
        image, mask, Labels.create(["road", "car"], **settings, ignore_values=[table[IGNORE_INDEX]]), 3
    )
    assert encoded.dtype == np.uint8
    np.testing.assert_array_equal(encoded, CLASSES)
    np.testing.assert_array_equal(open_picture(mask).stored_values(), look_up(table, np.int64))


@pytest.mark.parametrize(
    ("array", "in_color", "words"),
    [
        (np.full((2, 3), 0.25, np.float32), False, "contains the value 0.25; masks are integers"),
        (np.zeros((2, 3, 5), np.uint8), False, "has 5 bands; masks have one value or one colour per pixel"),
        (np.arange(18, dtype=np.uint16).reshape(2, 3, 3) * 90, True, "colours reach 1530; convert it to 8 bits"),
        (np.arange(18).reshape(2, 3, 3) * 90, False, "colours reach 1530"),
    ],
)
def test_masks_of_other_values_are_rejected(tmp_path: Path, array: Array, in_color: bool, words: str) -> None:
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(InputError) as error:
        open_picture(tmp_path / "a.npy").stored_values(in_color)
    assert words in str(error.value)
    assert "\n" not in str(error.value)
