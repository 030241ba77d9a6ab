"""Reading image and mask files into arrays, as they would be seen: turned by EXIF, every band in its own type."""

import struct
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, TiffImagePlugin, UnidentifiedImageError

from seglit.errors import InputError
from seglit.images.formats import (
    SIDEWAYS,
    as_orientation,
    as_pixels,
    as_stored,
    check_size,
    decoding,
    is_tiff,
    read_npy,
    read_png,
    read_tiff,
    turn,
    unreadable,
)
from seglit.labels import Labels

# What pictures are, whatever they are called. Pillow's other formats are nothing that anyone means by .png, and one of
# them (EPS) is a program, which it would have Ghostscript run.
_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF", "PPM")
# What Pillow only warns of, and then takes a default for: a tag that says how a TIFF's pixels lie.
_NO_LAYOUT = r"(?s).*Skipping tag (25[6-9]|262|273|27[7-9]|284|317|32[0-5]|338|339)\b"
_COLOR_MODES = {1: "L", 3: "RGB"}
# How each EXIF orientation is turned upright (EXIF 2.32, 4.6.5).
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class Picture:
    """What an image or mask file holds, upright.

    Args:
        path: The file.
        pixels: Pillow's picture where the file is grey, in colours or of a palette, of 8 bits; else the stored array
            (H, W) or (H, W, C).
        orientation: The EXIF orientation that the file states, and that `pixels` are turned by already.
        file_format: Such as PNG.
    """

    path: Path
    pixels: Image.Image | npt.NDArray[Any]
    orientation: int | None
    file_format: str

    @property
    def mode(self) -> str:
        """The colour model, as Pillow names it, or `array`."""
        return self.pixels.mode if isinstance(self.pixels, Image.Image) else "array"

    @property
    def has_alpha(self) -> bool:
        """Whether the last band of `array()` is transparency."""
        return self.mode in ("LA", "RGBA")

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        if isinstance(self.pixels, Image.Image):
            return self.pixels.height, self.pixels.width
        return self.pixels.shape[0], self.pixels.shape[1]

    @property
    def stored_size(self) -> tuple[int, int]:
        """Height and width in pixels before the picture was turned upright."""
        height, width = self.size
        return (width, height) if self.orientation in SIDEWAYS else (height, width)

    def turned_like(self, orientation: int | None, stored_size: tuple[int, int] | None) -> "Picture":
        """A mask turned as its image was, unless it states an orientation of its own or was drawn upright.

        Args:
            orientation: The image's.
            stored_size: Height and width of the image before it was turned; a mask of another size is upright.
        """
        if self.orientation is not None or orientation is None or self.size != stored_size:
            return self
        if not isinstance(self.pixels, Image.Image):
            return replace(self, pixels=turn(self.pixels, orientation))
        return replace(self, pixels=_turn(self.pixels, orientation))

    def array(self) -> npt.NDArray[Any]:
        """The image (H, W, C) with all its bands: uint8, uint16, int16 or float32. Palettes and CMYK become RGB.

        Raises:
            InputError: The values fit none of these types, or are NaN or infinite.
        """
        if not isinstance(self.pixels, Image.Image):
            array = as_pixels(self.pixels, self.path)
        elif self.pixels.mode in ("L", "LA", "RGB", "RGBA"):
            array = np.array(self.pixels)
        else:
            array = np.array(self.pixels.convert("L" if self.pixels.mode == "1" else "RGB"))
        return array if array.ndim == 3 else array[..., None]

    def image(self, in_channels: int) -> npt.NDArray[Any]:
        """The image (H, W, in_channels); 8-bit grey and RGB become each other, all else must have as many bands.

        Raises:
            InputError: There are more bands, or fewer; and as `array` does.
        """
        if isinstance(self.pixels, Image.Image) and in_channels in _COLOR_MODES:
            array = np.array(self.pixels.convert(_COLOR_MODES[in_channels]))  # drops alpha without blending
            return array if array.ndim == 3 else array[..., None]
        array = self.array()
        first, _, bands = array.shape
        if bands == in_channels:
            return np.ascontiguousarray(array)
        if first == in_channels:
            raise InputError(
                f"{self.path}: is of shape {array.shape}, which looks like (channels, height, width); images are "
                "(height, width, channels): save it as array.transpose(1, 2, 0)"
            )
        raise InputError(
            f"{self.path}: holds {bands} band{'s' * (bands != 1)} of {array.dtype}, but in_channels is {in_channels}; "
            f"for such images say `in_channels: {bands}`"
        )

    def stored_values(self, in_color: bool = False) -> npt.NDArray[Any]:
        """The mask as stored: (H, W) integers, or (H, W, 3) uint8 colours; alpha is dropped.

        A palette picture's indices are its values, and so is the grey of three equal channels.

        Args:
            in_color: Whether these give their colours, too.

        Raises:
            InputError: The file holds no integers, no colours of 8 bits, or other bands.
        """
        if not isinstance(self.pixels, Image.Image):
            stored = as_stored(self.pixels, self.path)
        elif self.pixels.mode in ("1", "L", "P") and not in_color:
            stored = np.array(self.pixels, np.uint8)
        else:
            stored = np.array(self.pixels.convert("RGB"))
        if not in_color and stored.ndim == 3 and (stored == stored[..., :1]).all():
            stored = stored[..., 0]
        if stored.ndim == 2 and not in_color:
            return stored
        if stored.min() < 0 or stored.max() > 255:
            raise InputError(f"{self.path}: the mask's colours reach {stored.max()}; convert it to 8 bits")
        colors = stored if stored.ndim == 3 else stored[..., None].repeat(3, -1)
        return colors.astype(np.uint8)

    def palette(self) -> dict[int, tuple[int, int, int]]:
        """The file's own colours by value; none unless it is a palette picture."""
        if not isinstance(self.pixels, Image.Image) or self.pixels.mode != "P":
            return {}
        parts = self.pixels.getpalette("RGB") or []
        return {place // 3: (parts[place], parts[place + 1], parts[place + 2]) for place in range(0, len(parts), 3)}


def open_picture(path: Path, bands: int | None = None) -> Picture:
    """Reads a file, image or mask.

    Args:
        path: The file.
        bands: How many an image is wanted to have: settles the axes where the file does not say, and brings all bands
            of an 8-bit TIFF that has more than its colour.

    Raises:
        InputError: The file is missing, no picture, cut off, or coded in a way that is not read.
    """
    if not path.is_file():
        raise InputError(f"{path}: {'a link that leads to no file' if path.is_symlink() else 'no such file'}")
    if path.suffix.lower() == ".npy":
        return Picture(path, read_npy(path), None, "NPY")
    coding, orientation, file_format = "", None, "TIFF"
    with decoding(path), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is odd about a file would be said of every other anew
        warnings.filterwarnings("error", _NO_LAYOUT)
        try:
            # A file, not its path, which Pillow would map into memory and then misread a turned grey TIFF.
            with path.open("rb") as file, Image.open(file, formats=_FORMATS) as picture:
                check_size(path, picture.height, picture.width)
                coding = str(picture.tile[0][3]) if picture.tile else ""  # RGB;16B: loading would drop the lower 8 bits
                orientation = _orientation(picture)  # loading turns a TIFF and drops it
                file_format = str(picture.format)
                if not _is_deep(picture, coding) and not _has_more_bands(picture, bands):
                    picture.load()
                    if picture.mode == "LAB":
                        raise InputError(f"{path}: its colours are coded as CIELAB, which is not read; save it as RGB")
                    picture.info.pop("transparency", None)  # labels know none, and Pillow warns about it
                    return Picture(path, _turn(picture, _orientation(picture)), orientation, file_format)
        except UnidentifiedImageError:
            if not is_tiff(path):
                raise unreadable(path, "of no known format, or cut off") from None
    if file_format == "TIFF":
        array, orientation = read_tiff(path, bands)
    elif file_format == "PNG":
        array = read_png(path, coding.partition(";")[0])
    else:
        raise InputError(f"{path}: {file_format} of more than 8 bits is not read; save it as PNG, TIFF or .npy")
    return Picture(path, turn(array, orientation), orientation, file_format)


def read_image(path: Path, in_channels: int) -> npt.NDArray[Any]:
    """Reads an image (H, W, in_channels) in its file's own type: uint8, uint16, int16 or float32.

    8-bit grey and RGB become each other for `in_channels` 1 and 3, without alpha; all else must have as many bands.

    Raises:
        InputError: As `open_picture` and `Picture.image` do.
    """
    return open_picture(path, in_channels).image(in_channels)


def read_stored_mask(path: Path, in_color: bool = False) -> npt.NDArray[Any]:
    """Reads what a mask file stores: (H, W) integers, or (H, W, 3) uint8 colours; see `Picture.stored_values`.

    Raises:
        InputError: As `open_picture` and `Picture.stored_values` do.
    """
    return open_picture(path).stored_values(in_color)


def read_pair(
    image_path: Path, mask_path: Path, labels: Labels, in_channels: int
) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8]]:
    """Reads an image and its mask.

    A file's EXIF orientation is applied. A mask without one of its own is turned like its image, unless its size
    shows that it was drawn on the upright image already.

    Returns:
        The image (H, W, C), see `read_image`, and the class indices (H, W) uint8, void 255.

    Raises:
        InputError: As `open_picture` and `as_pair` do.
    """
    return as_pair(open_picture(image_path, in_channels), open_picture(mask_path), labels, in_channels)


def as_pair(
    picture: Picture, mask: Picture, labels: Labels, in_channels: int
) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8]]:
    """Brings an image and its mask that were read already into the form of `read_pair`.

    Raises:
        InputError: As `Picture.image` and `Picture.stored_values` do; sizes differ, or a mask value is not listed.
    """
    mask = mask.turned_like(picture.orientation, picture.stored_size)
    image = picture.image(in_channels)
    if picture.size != mask.size:
        raise InputError(
            f"{mask.path}: the mask is {mask.size[0]} x {mask.size[1]} pixels (height x width), its image "
            f"{picture.path.name} {picture.size[0]} x {picture.size[1]}; they must be of one size"
        )
    stored = mask.stored_values(labels.stored_as_color)
    if stored.ndim == 3 and not labels.stored_as_color:
        colors = np.unique(stored.reshape(-1, 3), axis=0)
        listed = ", ".join(str(color.tolist()) for color in colors[:4])
        raise InputError(
            f"{mask.path}: the mask holds {len(colors)} colours ({listed}, ...) and not class indices; name them: "
            f"`mask_colors: {{{labels.class_names[0]}: {colors[0].tolist()}, ...}}`"
        )
    return image, labels.encode(stored, str(mask.path))


def _orientation(picture: Image.Image) -> int | None:
    """The EXIF orientation that a picture states; none where its EXIF is broken, which all programs pass over."""
    if picture.format == "PNG":  # its EXIF may stand behind the pixels, of which what is wrong must be raised
        picture.load()
    try:
        return as_orientation(picture.getexif().get(ExifTags.Base.Orientation))
    except (LookupError, OSError, SyntaxError, TypeError, ValueError, struct.error):
        return None


def _turn(picture: Image.Image, orientation: int | None) -> Image.Image:
    """A copy of a stored picture, turned upright."""
    return picture.copy() if orientation in (None, 1) else picture.transpose(_UPRIGHT[orientation])


def _is_deep(picture: Image.Image, coding: str) -> bool:
    """Whether a picture has more than 8 bits a value, or signed ones, which Pillow shows otherwise."""
    signed = isinstance(picture, TiffImagePlugin.TiffImageFile) and 2 in picture.tag_v2.get(339, ())  # SampleFormat
    wide = picture.mode.startswith(("I", "F")) or (";16" in coding and "BGR;16" not in coding)  # BGR;16: 5, 6, 5 bits
    return signed or wide


def _has_more_bands(picture: Image.Image, bands: int | None) -> bool:
    """Whether a TIFF is wanted for more than its colours."""
    return picture.format == "TIFF" and bands not in (None, *_COLOR_MODES)
