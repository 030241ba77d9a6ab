"""Image and mask files read into arrays, as they would be seen: turned by EXIF, every band in its own type."""

import struct
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, TiffImagePlugin, UnidentifiedImageError

from seglit.errors import InputError
from seglit.images.formats import (
    SIDEWAYS,
    as_orientation,
    as_pixels,
    as_stored,
    check_layout,
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
_KEPT = ("1", "L", "LA", "P", "RGB", "RGBA")  # colour models that are kept; Pillow converts the others to RGB


@dataclass(frozen=True, slots=True)
class Picture:
    """What an image or mask file holds, upright.

    Args:
        path: The file.
        pixels: The stored values (H, W) or (H, W, C); of a palette, its indices.
        mode: The colour model of an 8-bit file, as Pillow names it; "array" of any other.
        file_format: Such as PNG.
        orientation: The EXIF orientation that the file states, and that `pixels` are turned by already.
        palette: RGB colours uint8 (N, 3) by index; empty unless the file has some.
    """

    path: Path
    pixels: npt.NDArray[Any]
    mode: str
    file_format: str
    orientation: int | None = None
    palette: npt.NDArray[np.uint8] = field(default_factory=lambda: np.empty((0, 3), np.uint8))

    @classmethod
    def of_pillow(cls, picture: Image.Image, path: Path, orientation: int | None = None) -> Self:
        """A picture of 8 bits that Pillow has read, turned upright by an orientation."""
        picture.info.pop("transparency", None)  # labels know none, and Pillow warns about it
        kept = picture if picture.mode in _KEPT else picture.convert("RGB")
        pixels = np.array(kept, np.uint8 if kept.mode == "1" else None)
        palette = np.array(kept.getpalette("RGB") if kept.mode == "P" else [], np.uint8).reshape(-1, 3)
        return cls(path, turn(pixels, orientation), picture.mode, str(picture.format), orientation, palette)

    @classmethod
    def of_array(cls, array: npt.NDArray[Any], path: Path) -> Self:
        """An upright array (H, W) or (H, W, C); 8 bits of 1, 3 or 4 bands are grey, RGB or RGB with alpha."""
        bands = 1 if array.ndim == 2 else array.shape[2]
        mode = {1: "L", 3: "RGB", 4: "RGBA"}.get(bands, "array") if array.dtype == np.uint8 else "array"
        return cls(path, array[..., 0] if mode == "L" and array.ndim == 3 else array, mode, "array")

    @property
    def has_alpha(self) -> bool:
        """Whether the last band of `array()` is transparency."""
        return self.mode in ("LA", "RGBA")

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.pixels.shape[0], self.pixels.shape[1]

    @property
    def stored_size(self) -> tuple[int, int]:
        """Height and width in pixels before the picture was turned upright."""
        height, width = self.size
        return (width, height) if self.orientation in SIDEWAYS else (height, width)

    def turned_like(self, orientation: int | None, stored_size: tuple[int, int] | None) -> Self:
        """A mask turned as its image was, unless it states an orientation of its own or was drawn upright.

        Args:
            orientation: The image's.
            stored_size: Height and width of the image before it was turned; a mask of another size is upright.
        """
        if self.orientation is not None or orientation is None or self.size != stored_size:
            return self
        return replace(self, pixels=turn(self.pixels, orientation))

    def array(self) -> npt.NDArray[Any]:
        """The image (H, W, C) with all its bands: uint8, uint16, int16 or float32. Palettes and CMYK become RGB.

        Raises:
            InputError: The values fit none of these types, or are NaN or infinite.
        """
        if self.mode == "array":
            array = as_pixels(self.pixels, self.path)
        else:
            array = (
                self._rgb() if self.mode == "P" else self.pixels * np.uint8(255) if self.mode == "1" else self.pixels
            )
        return array if array.ndim == 3 else array[..., None]

    def image(self, in_channels: int) -> npt.NDArray[Any]:
        """The image (H, W, in_channels); 8-bit grey and RGB become each other, all else must have as many bands.

        Raises:
            InputError: There are more bands, or fewer; and as `array` does.
        """
        if self.mode != "array" and in_channels == 3:
            return np.ascontiguousarray(self._rgb())
        if self.mode != "array" and in_channels == 1:
            return self._grey()[..., None]
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
        if self.mode == "array":
            stored = as_stored(self.pixels, self.path)
        else:
            stored = self.pixels if self.mode in ("1", "L", "P") and not in_color else self._rgb()
        if not in_color and stored.ndim == 3 and (stored == stored[..., :1]).all():
            stored = stored[..., 0]
        if stored.ndim == 2 and not in_color:
            return stored
        if stored.min() < 0 or stored.max() > 255:
            raise InputError(f"{self.path}: the mask's colours reach {stored.max()}; convert it to 8 bits")
        colors = stored if stored.ndim == 3 else stored[..., None].repeat(3, -1)
        return colors.astype(np.uint8)

    def _rgb(self) -> npt.NDArray[np.uint8]:
        """The colours (H, W, 3) of 8 bits, alpha dropped without blending."""
        if self.mode == "P":
            table = np.zeros((256, 3), np.uint8)  # an index beyond the palette is black
            table[: len(self.palette)] = self.palette
            colors: npt.NDArray[np.uint8] = table[self.pixels]
            return colors
        if self.pixels.ndim == 3 and self.pixels.shape[2] >= 3:
            return self.pixels[..., :3]
        return self._grey()[..., None].repeat(3, -1)

    def _grey(self) -> npt.NDArray[np.uint8]:
        """The brightness (H, W) of 8 bits, as ITU-R 601 weighs colours."""
        if self.mode == "1":
            return self.pixels * np.uint8(255)
        if self.mode in ("L", "LA"):
            return self.pixels if self.mode == "L" else self.pixels[..., 0]
        return np.array(Image.fromarray(np.ascontiguousarray(self._rgb())).convert("L"))


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
        return Picture(path, read_npy(path), "array", "NPY")
    coding, orientation, file_format = "", None, "TIFF"
    with decoding(path):
        try:
            # A file, not its path, which Pillow would map into memory and then misread a turned grey TIFF.
            with path.open("rb") as file, Image.open(file, formats=_FORMATS) as picture:
                check_size(path, picture.height, picture.width)
                coding = str(picture.tile[0][3]) if picture.tile else ""  # RGB;16B: loading would drop the lower 8 bits
                orientation = _orientation(picture)  # loading turns a TIFF and drops it
                file_format = str(picture.format)
                if file_format == "TIFF":
                    check_layout(path)
                if not _is_deep(picture, coding) and not _has_more_bands(picture, bands):
                    picture.load()
                    if picture.mode == "LAB":
                        raise InputError(f"{path}: its colours are coded as CIELAB, which is not read; save it as RGB")
                    return replace(Picture.of_pillow(picture, path, _orientation(picture)), orientation=orientation)
        except UnidentifiedImageError:
            if not is_tiff(path):
                raise unreadable(path, "of no known format, or cut off") from None
    if file_format == "TIFF":
        array, orientation = read_tiff(path, bands)
    elif file_format == "PNG":
        array = read_png(path, coding.partition(";")[0])
    else:
        raise InputError(f"{path}: {file_format} of more than 8 bits is not read; save it as PNG, TIFF or .npy")
    return Picture(path, turn(array, orientation), "array", file_format, orientation)


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


def _is_deep(picture: Image.Image, coding: str) -> bool:
    """Whether a picture has more than 8 bits a value, or signed ones, which Pillow shows otherwise."""
    signed = isinstance(picture, TiffImagePlugin.TiffImageFile) and 2 in picture.tag_v2.get(339, ())  # SampleFormat
    wide = picture.mode.startswith(("I", "F")) or (";16" in coding and "BGR;16" not in coding)  # BGR;16: 5, 6, 5 bits
    return signed or wide


def _has_more_bands(picture: Image.Image, bands: int | None) -> bool:
    """Whether a TIFF is wanted for more than its colours."""
    return picture.format == "TIFF" and bands not in (None, 1, 3)
