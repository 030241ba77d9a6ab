"""What is more than an 8-bit picture into arrays: TIFFs of any bands and types, 16-bit PNG, .npy; and refusals."""

import logging
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image

from seglit.errors import InputError

PIXEL_TYPES = ("uint8", "uint16", "int16", "float32")
"""NumPy's names of the types that images are read in."""
SIDEWAYS = (5, 6, 7, 8)
"""The EXIF orientations that swap height and width."""

# What a TIFF unpacks to, in bytes, and by how much more than it stores, before it counts as a bomb.
_MOST_BYTES = 2**32
_MOST_TIMES = 100
# The tags that say how a TIFF's pixels lie.
_LAYOUT = (256, 257, 258, 259, 262, 273, 277, 278, 279, 284, 317, *range(320, 326), 338, 339)
_TAG_BYTES = {3: 2, 4: 4, 5: 8, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}  # by type; 1 of others
# Where OpenCV puts the bands of a 16-bit PNG, by how they are stored.
_PNG_BANDS = {"I": [0], "LA": [0, 3], "RGB": [2, 1, 0], "RGBA": [2, 1, 0, 3]}


def read_npy(path: Path) -> npt.NDArray[Any]:
    """Reads an array (H, W) or (H, W, C) of any type.

    Raises:
        InputError: The file holds no such array, or is cut off.
    """
    with decoding(path), path.open("rb") as file:
        array = np.load(file, allow_pickle=False)
    if not isinstance(array, np.ndarray) or array.ndim not in (2, 3) or 0 in array.shape:
        found = f"an array {array.shape}" if isinstance(array, np.ndarray) else "several arrays"
        raise InputError(f"{path}: holds {found}, not one (height, width) or (height, width, channels)")
    return _native(array)


def read_png(path: Path, stored: str) -> npt.NDArray[Any]:
    """Reads a 16-bit PNG (H, W, C) as stored, not turned.

    Args:
        path: The file.
        stored: The bands, as Pillow names them: I, LA, RGB or RGBA.

    Raises:
        InputError: OpenCV cannot decode the file.
    """
    with decoding(path):
        array: Any = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if array is None:
        raise unreadable(path, "OpenCV does not decode it")
    bands: npt.NDArray[Any] = array.reshape(*array.shape[:2], -1)[..., _PNG_BANDS[stored]]
    return bands


def read_tiff(path: Path, bands: int | None) -> tuple[npt.NDArray[Any], int | None]:
    """Reads the first image of a TIFF as (H, W) or (H, W, C), as stored, and the orientation that it states.

    Args:
        path: The file.
        bands: How many are wanted; settles which axis they are where the file does not say.

    Raises:
        InputError: The file is cut off, of a compression that needs imagecodecs, of too many pixels, or no rows,
            columns and bands.
    """
    import tifffile

    with decoding(path):
        check_layout(path)
    with decoding(path), tifffile.TiffFile(path) as file:
        check_pages(path, file)
        series = file.series[0]
        check_unpacked(path, series.size, series.nbytes, file.filehandle.size)
        array, axes = series.asarray(maxworkers=1), series.axes  # the reading processes are the parallelism
        tag = series.keyframe.tags.get(ExifTags.Base.Orientation)
        kept = [place for place, axis in enumerate(axes) if axis in "YX" or array.shape[place] > 1]
        array, axes = array.reshape([array.shape[place] for place in kept]), "".join(axes[place] for place in kept)
    if array.ndim > 3 or not {"Y", "X"} <= set(axes):
        raise InputError(f"{path}: holds an array {array.shape} of the axes {axes}, not rows, columns and bands")
    if array.ndim == 3 and not (axes[0] == "Q" and _bands_are_last(array.shape, bands)):
        (other,) = (place for place, axis in enumerate(axes) if axis not in "YX")
        array = np.moveaxis(array, other, -1)
    return _native(array), None if tag is None else as_orientation(tag.value)


@contextmanager
def decoding(path: Path) -> Iterator[None]:
    """Says in one line what is wrong with a file that a library reads.

    Raises:
        InputError: The file is cut off or broken, or of a compression that needs imagecodecs.
    """
    # What is wrong with a file is raised; what is odd about it would be said anew for every image.
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # a wrong number in a file is whatever error its use leads to
        if "requires the 'imagecodecs'" not in str(error):
            raise unreadable(path, error) from error
        coding = str(error).partition(" requires")[0].strip("<>")
        raise InputError(f"{path}: is coded as {coding}; to read such TIFFs: pip install imagecodecs") from error


def is_tiff(path: Path) -> bool:
    """Whether a file begins as a TIFF does."""
    with path.open("rb") as file:
        return file.read(4) in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # the latter two are BigTIFF


def check_size(path: Path, height: int, width: int) -> None:
    """Refuses a picture before it is unpacked: of no pixels, or of more than Pillow only warns of.

    Raises:
        InputError: It is such a picture.
    """
    if not height or not width:
        raise InputError(f"{path}: holds no pixels: it is {height} x {width} (height x width)")
    if Image.MAX_IMAGE_PIXELS is not None and height * width > Image.MAX_IMAGE_PIXELS:
        raise unreadable(path, f"{height} x {width} pixels (height x width) may be a decompression bomb")


def check_unpacked(path: Path, values: int, unpacked: int, stored: int) -> None:
    """Refuses an array before it is unpacked: of no values, or of a great many bytes from a few.

    Pillow's limit of 89 million pixels would not do: scenes of satellites have more.

    Args:
        path: The file.
        values: How many the array has.
        unpacked: Its bytes.
        stored: The file's bytes.

    Raises:
        InputError: It is such an array.
    """
    if not values:
        raise InputError(f"{path}: holds no pixels")
    if unpacked > max(_MOST_BYTES, _MOST_TIMES * stored):
        raise unreadable(path, f"{stored:,} bytes that unpack to {unpacked:,} may be a decompression bomb")


def check_pages(path: Path, file: Any) -> None:
    """Refuses a TIFF, open in tifffile, whose pages follow each other in a circle: it would follow them for ever.

    Raises:
        InputError: It is such a TIFF.
    """
    form, handle = file.tiff, file.filehandle
    offset, passed = file.pages.first.offset, set[int]()
    while offset not in passed and 0 < offset < handle.size:
        passed.add(offset)
        handle.seek(offset)
        (tags,) = struct.unpack(form.tagnoformat, handle.read(form.tagnosize))
        handle.seek(offset + form.tagnosize + tags * form.tagsize)
        offset = int.from_bytes(handle.read(form.offsetsize), "little" if form.byteorder == "<" else "big")
    if offset in passed:
        raise unreadable(path, "its pages follow each other in a circle")


def check_layout(path: Path) -> None:
    """Refuses a TIFF of which a tag that says how its pixels lie is cut off: libraries take a default for such a tag.

    Raises:
        InputError: It is such a TIFF.
    """
    with path.open("rb") as file:
        head = file.read(16)
        order, big = "<" if head[:2] == b"II" else ">", 43 in head[2:4]  # BigTIFF
        number, counter, length = ("Q", "Q", 20) if big else ("I", "H", 12)
        file.seek(struct.unpack_from(order + number, head, 8 if big else 4)[0])
        (count,) = struct.unpack(order + counter, file.read(struct.calcsize(counter)))
        entries = file.read(length * min(count, 2**16))
        size = file.seek(0, os.SEEK_END)
    for entry in struct.iter_unpack(f"{order}HH2{number}", entries[: len(entries) // length * length]):
        tag, kind, values, offset = entry
        stored = values * _TAG_BYTES.get(kind, 1)
        if tag in _LAYOUT and stored > struct.calcsize(number) and offset + stored > size:
            raise unreadable(path, f"its tag {tag} is cut off")


def as_orientation(stated: object) -> int | None:
    """An EXIF orientation, 1 to 8; None for a value that is none."""
    return next((orientation for orientation in range(1, 9) if stated == orientation), None)


def turn(array: npt.NDArray[Any], orientation: int | None) -> npt.NDArray[Any]:
    """Turns a stored array (H, W, ...) upright, as its orientation says (EXIF 2.32, 4.6.5)."""
    turned = array.swapaxes(0, 1) if orientation in SIDEWAYS else array
    turned = turned[::-1] if orientation in (3, 4, 7, 8) else turned
    return turned[:, ::-1] if orientation in (2, 3, 6, 7) else turned


def as_pixels(array: npt.NDArray[Any], path: Path) -> npt.NDArray[Any]:
    """An image in one of `PIXEL_TYPES`: float64 is rounded to float32, wide integers must not need it.

    Raises:
        InputError: The values fit none of the types, or are NaN or infinite.
    """
    if array.dtype.kind not in "uif":
        raise InputError(f"{path}: holds {array.dtype} values; images are integers or floats")
    if array.dtype.name in PIXEL_TYPES and array.dtype.kind != "f":
        return array
    with np.errstate(over="ignore", invalid="ignore"):
        pixels = array.astype(np.int16 if array.dtype == np.int8 else np.float32, copy=False)
        same = array.dtype.kind == "f" or np.array_equal(pixels.astype(array.dtype), array)
    if not same:
        raise InputError(
            f"{path}: holds {array.dtype} values that float32 does not hold exactly; convert it to 16 bits"
        )
    if not (finite := np.isfinite(pixels)).all():
        raise InputError(f"{path}: holds {(~finite).sum()} values that are NaN or infinite as float32; fill them first")
    return pixels


def as_stored(array: npt.NDArray[Any], path: Path) -> npt.NDArray[Any]:
    """A mask's integers (H, W), or (H, W, 3) of three or four bands.

    Raises:
        InputError: The values are no integers, larger than int64, or of more bands than a colour and its alpha.
    """
    if array.dtype.kind not in "ui":
        raise InputError(f"{path}: holds {array.dtype} values; masks hold integers: save it as such")
    if array.max() > np.iinfo(np.int64).max:
        raise InputError(f"{path}: holds the value {array.max()}; masks hold integers of 64 bits with a sign")
    bands = 1 if array.ndim == 2 else array.shape[2]
    if bands > 4:
        raise InputError(f"{path}: holds {bands} bands; masks have one value a pixel, or one colour")
    return array if array.ndim == 2 else array[..., 0] if bands < 3 else array[..., :3]


def unreadable(path: Path, reason: object) -> InputError:
    """The error for a file that is cut off or no picture."""
    said = " ".join(str(reason).replace(str(path), path.name).split()) or type(reason).__name__
    return InputError(f"{path}: cannot be read as a picture ({said})")


def _bands_are_last(shape: tuple[int, ...], bands: int | None) -> bool:
    """Whether pages that say nothing are rows (W, C), which tifffile.imwrite makes of (H, W, C), and not bands."""
    if bands in (shape[0], shape[2]):
        return bands != shape[0]
    return shape[2] < shape[0]


def _native(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The array in this machine's byte order; truth values as 0 and 1."""
    kind = np.dtype(np.uint8) if array.dtype == np.bool_ else array.dtype.newbyteorder("=")
    return array.astype(kind, copy=False)
