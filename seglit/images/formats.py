"""Decodes what Pillow does not read in full (many-band and deep TIFF, 16-bit PNG, .npy); orientation and dtypes."""

import struct
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, TiffImagePlugin

from seglit.errors import InputError
from seglit.images.checks import check_layout, check_pixels, check_segments, check_unpacked, decode_errors, unreadable
from seglit.images.memory_file import ImageFile
from seglit.images.tiff_pages import stack_with
from seglit.images.validity import NODATA_TAG, parse_tag

PIXEL_TYPES = ("uint8", "uint16", "int16", "float32")
"""Dtypes that images are read as."""
SIDEWAYS = (5, 6, 7, 8)
"""EXIF orientations that swap height and width."""

# Where OpenCV puts the bands of a 16-bit PNG, by how they are stored.
_PNG_BANDS = {"I": [0], "LA": [0, 3], "RGB": [2, 1, 0], "RGBA": [2, 1, 0, 3]}


def read_npy(path: ImageFile) -> npt.NDArray[Any]:
    """Reads an array (H, W) or (H, W, C) of any dtype.

    Raises:
        InputError: The file is corrupt, or contains anything else.
    """
    with decode_errors(path), path.open("rb") as file:
        array = np.load(file, allow_pickle=False)
    if not isinstance(array, np.ndarray) or array.ndim not in (2, 3) or 0 in array.shape:
        content = f"an array of shape {array.shape}" if isinstance(array, np.ndarray) else "several arrays"
        raise InputError(f"{path}: contains {content}, not one (height, width) or (height, width, channels)")
    check_pixels(path, *array.shape[:2])
    return _native(array)


def read_png(path: ImageFile, bands: str) -> npt.NDArray[Any]:
    """Reads a 16-bit PNG (H, W, C) as stored, without applying its orientation.

    Args:
        path: The file.
        bands: The stored bands, as Pillow names them: I, LA, RGB or RGBA.

    Raises:
        InputError: OpenCV cannot decode the file.
    """
    with decode_errors(path):
        decoded: Any = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None:
        raise unreadable(path, "OpenCV cannot decode it")
    array: npt.NDArray[Any] = decoded.reshape(*decoded.shape[:2], -1)[..., _PNG_BANDS[bands]]
    return array


def read_tiff(
    path: ImageFile, bands: int | None, page: int | None = None
) -> tuple[npt.NDArray[Any], int | None, tuple[float, ...]]:
    """Reads the image of a TIFF, or a slice of its stack, as stored; pages of one size that are no slices are bands.

    Args:
        path: The file.
        bands: Expected number of bands; determines the band axis if the file does not state it.
        page: Number of the slice; None if the file is no stack.

    Returns:
        The array (H, W) or (H, W, C), the orientation that the file states, which is not applied, and the value of
        pixels without data that it states.

    Raises:
        InputError: The file is corrupt or a decompression bomb, its compression requires imagecodecs, or it has other
            axes than rows, columns and bands.
    """
    import tifffile

    with decode_errors(path):
        check_layout(path)
    stack = stack_with(path, page)
    with decode_errors(path), path.open("rb") as opened, tifffile.TiffFile(opened) as file:
        series = file.series[0]
        check_pixels(path, series.keyframe.imagelength, series.keyframe.imagewidth)
        if stack is None:
            check_unpacked(path, series.size, series.nbytes, file.filehandle.size)
            for page_of_series in series.pages:
                if page_of_series is None:  # tifffile would read zeros
                    raise InputError(f"{path}: some of its pages are missing, or in other files")
                check_segments(path, page_of_series)
            array, axes = series.asarray(maxworkers=1), series.axes  # the data loader's workers are the parallelism
        else:
            array, axes = stack.read(file, path, page)
        tags = series.keyframe.tags
        orientation, nodata = (tag and tag.value for tag in map(tags.get, (ExifTags.Base.Orientation, NODATA_TAG)))
        used_axes = [index for index, axis in enumerate(axes) if axis in "YX" or array.shape[index] > 1]
        array = array.reshape([array.shape[index] for index in used_axes])
        axes = "".join(axes[index] for index in used_axes)
    if array.ndim > 3 or not {"Y", "X"} <= set(axes):
        raise InputError(f"{path}: contains an array of shape {array.shape}, axes {axes}, not rows, columns and bands")
    if array.ndim == 3 and not (axes[0] == "Q" and _bands_are_last(array.shape, bands)):
        (band_axis,) = (index for index, axis in enumerate(axes) if axis not in "YX")
        array = np.moveaxis(array, band_axis, -1)
    return _native(array), as_orientation(orientation), parse_tag(nodata)


def seek_page(picture: Image.Image, path: ImageFile, page: int | None) -> bool:
    """Moves a file opened in Pillow to the page of a slice; whether image or slice are on several pages instead.

    Raises:
        InputError: The errors of `stack_with`.
    """
    if picture.format != "TIFF":
        return False
    check_layout(path)
    stack = stack_with(path, page)
    index = 0 if stack is None else stack.only_page(page)
    picture.seek(index or 0)
    return index is None


def is_tiff(path: ImageFile) -> bool:
    """Whether a file begins with the signature of a TIFF or BigTIFF."""
    with path.open("rb") as file:
        return file.read(4) in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def is_deep(picture: Image.Image, coding: str) -> bool:
    """Whether a file opened in Pillow has more than 8 bits per value or signed values; `coding` is as in `RGB;16B`."""
    signed = isinstance(picture, TiffImagePlugin.TiffImageFile) and 2 in picture.tag_v2.get(339, ())  # SampleFormat
    wide = picture.mode.startswith(("I", "F")) or (";16" in coding and "BGR;16" not in coding)  # BGR;16: 5, 6, 5 bits
    return signed or wide


def exif_orientation(picture: Image.Image) -> int | None:
    """Returns the EXIF orientation of a file opened in Pillow; None if it has none or its EXIF is corrupt."""
    if picture.format == "PNG":  # its EXIF may follow the pixels, whose errors must be raised
        picture.load()
    try:
        return as_orientation(picture.getexif().get(ExifTags.Base.Orientation))
    except (LookupError, OSError, SyntaxError, TypeError, ValueError, struct.error):
        return None


def as_orientation(value: object) -> int | None:
    """Returns the value of an EXIF orientation tag if it is valid (1 to 8), else None."""
    return next((orientation for orientation in range(1, 9) if value == orientation), None)


def turn(array: npt.NDArray[Any], orientation: int | None) -> npt.NDArray[Any]:
    """Turns a stored array (H, W, ...) upright according to its orientation (EXIF 2.32, 4.6.5)."""
    turned = array.swapaxes(0, 1) if orientation in SIDEWAYS else array
    turned = turned[::-1] if orientation in (3, 4, 7, 8) else turned
    return turned[:, ::-1] if orientation in (2, 3, 6, 7) else turned


def as_pixels(array: npt.NDArray[Any], path: ImageFile) -> npt.NDArray[Any]:
    """Converts an image to one of `PIXEL_TYPES`: float64 is rounded to float32, integers only if it is exact.

    Raises:
        InputError: The values fit none of the types.
    """
    if array.dtype.kind not in "uif":
        raise InputError(f"{path}: contains {array.dtype} values; images are integers or floats")
    if array.dtype.name in PIXEL_TYPES and array.dtype.kind != "f":
        return array
    with np.errstate(over="ignore", invalid="ignore"):
        pixels = array.astype(np.int16 if array.dtype == np.int8 else np.float32, copy=False)
        exact = array.dtype.kind == "f" or np.array_equal(pixels.astype(array.dtype), array)
    if not exact:
        raise InputError(
            f"{path}: contains {array.dtype} values that float32 cannot represent exactly; convert it to 16 bits"
        )
    return pixels


def as_stored(array: npt.NDArray[Any], path: ImageFile) -> npt.NDArray[Any]:
    """Returns a mask's integers (H, W), or its colours (H, W, 3) if it has three or four bands.

    Raises:
        InputError: The values are not whole numbers or exceed int64, or there are more than four bands.
    """
    if array.dtype.kind == "f" and not np.array_equal(array, np.rint(array)):
        fraction = array[array != np.rint(array)][0]
        raise InputError(f"{path}: contains the value {fraction:g}; masks are integers: convert it")
    if array.dtype.kind == "f" and np.abs(array).max() < 2**53:
        array = array.astype(np.int64)
    if array.dtype.kind not in "ui":
        raise InputError(f"{path}: contains {array.dtype} values; masks are integers: convert it")
    if array.max() > np.iinfo(np.int64).max:
        raise InputError(f"{path}: contains the value {array.max()}, which exceeds int64")
    bands = 1 if array.ndim == 2 else array.shape[2]
    if bands > 4:
        raise InputError(f"{path}: has {bands} bands; masks have one value or one colour per pixel")
    return array if array.ndim == 2 else array[..., 0] if bands < 3 else array[..., :3]


def _bands_are_last(shape: tuple[int, ...], bands: int | None) -> bool:
    """Whether pages without stated axes are rows (W, C), as tifffile.imwrite writes an (H, W, C) array, not bands."""
    if bands in (shape[0], shape[2]):
        return bands != shape[0]
    return shape[2] < shape[0]


def _native(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The array in this machine's byte order; booleans as 0 and 1."""
    dtype = np.dtype(np.uint8) if array.dtype == np.bool_ else array.dtype.newbyteorder("=")
    return array.astype(dtype, copy=False)
