"""Image and mask files as arrays: upright as their EXIF states, with all bands, in the stored dtype."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from seglit.errors import InputError
from seglit.images.checks import check_single, check_size, decode_errors, unreadable
from seglit.images.formats import (
    SIDEWAYS,
    as_pixels,
    as_stored,
    exif_orientation,
    is_deep,
    is_tiff,
    read_npy,
    read_png,
    read_tiff,
    seek_page,
    turn,
)
from seglit.images.memory_file import ImageFile
from seglit.images.validity import NODATA_TAG, Flags, mark_invalid, matches, parse_tag

# The formats that are detected, whatever the suffix. Pillow's others are never meant by .png or .jpg, and one of them,
# EPS, is a program that Pillow would run in Ghostscript.
_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF", "PPM")
_UNCONVERTED = ("1", "L", "LA", "P", "RGB", "RGBA")  # Pillow's modes that are kept; it converts the others to RGB


@dataclass(frozen=True, slots=True)
class Picture:
    """Content of an image or mask file, upright.

    Args:
        path: The file.
        pixels: The stored values (H, W) or (H, W, C); of a palette image, the palette indices.
        mode: The colour model of an 8-bit file, as Pillow names it; "array" for any other.
        file_format: For example PNG.
        orientation: The EXIF orientation that the file states; it is already applied to `pixels`.
        palette: RGB colours uint8 (N, 3) by index; empty without a palette.
        nodata: The value that the file states for pixels without data; empty if it states none.
        transparent: Pixels (H, W) that a palette or a colour key makes fully transparent; None if there are none.
    """

    path: ImageFile
    pixels: npt.NDArray[Any]
    mode: str
    file_format: str
    orientation: int | None = None
    palette: npt.NDArray[np.uint8] = field(default_factory=lambda: np.empty((0, 3), np.uint8))
    nodata: tuple[float, ...] = ()
    transparent: Flags | None = None

    @classmethod
    def of_pillow(cls, picture: Image.Image, path: ImageFile, orientation: int | None = None) -> Self:
        """Creates a picture from an 8-bit Pillow image and applies an orientation to it."""
        transparent = None
        if picture.info.get("transparency") is not None and picture.mode in ("L", "P", "RGB"):
            transparent = turn(np.array(picture.convert("RGBA"))[..., 3] == 0, orientation)
        picture.info.pop("transparency", None)  # Pillow would warn about it
        # a GIF's indices mean nothing: each file has the palette that its encoder found, so the colours are the values
        kept = ("L",) if picture.format == "GIF" else _UNCONVERTED
        converted = picture if picture.mode in kept else picture.convert("RGB")
        pixels = np.array(converted, np.uint8 if converted.mode == "1" else None)
        palette = np.array(converted.getpalette("RGB") if converted.mode == "P" else [], np.uint8).reshape(-1, 3)
        return cls(
            path,
            turn(pixels, orientation),
            converted.mode if picture.format == "GIF" else picture.mode,
            str(picture.format),
            orientation,
            palette,
            transparent=transparent,
        )

    @classmethod
    def of_array(cls, array: npt.NDArray[Any], path: ImageFile) -> Self:
        """Creates a picture from an upright array (H, W[, C]); uint8 with 1, 3 or 4 bands is grey, RGB or RGBA."""
        bands = 1 if array.ndim == 2 else array.shape[2]
        mode = {1: "L", 3: "RGB", 4: "RGBA"}.get(bands, "array") if array.dtype == np.uint8 else "array"
        return cls(path, array[..., 0] if mode == "L" and array.ndim == 3 else array, mode, "array")

    @property
    def has_alpha(self) -> bool:
        """Whether the last band of `array()` is alpha."""
        return self.mode in ("LA", "RGBA")

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.pixels.shape[0], self.pixels.shape[1]

    @property
    def stored_size(self) -> tuple[int, int]:
        """Height and width in pixels before the orientation was applied."""
        height, width = self.size
        return (width, height) if self.orientation in SIDEWAYS else (height, width)

    def turned_like(self, image: "Picture") -> Self:
        """Applies an image's orientation to this mask."""
        return replace(self, pixels=turn(self.pixels, image.orientation))

    def array(self, nodata: Sequence[float] = ()) -> npt.NDArray[Any]:
        """Returns the image (H, W, C) with all bands: uint8, uint16, int16 or float32. Palettes and CMYK become RGB.

        An image with pixels without data is a masked array, see `seglit.images.validity`.

        Args:
            nodata: Value of pixels without data, beside the one that the file states: one for all bands, or one each.

        Raises:
            InputError: The values fit none of these types.
        """
        return self._mark(self._bands(), nodata)

    def _bands(self) -> npt.NDArray[Any]:
        if self.mode == "array":
            array = as_pixels(self.pixels, self.path)
        elif self.mode == "P":
            array = self._rgb()
        else:
            array = self._grey() if self.mode == "1" else self.pixels
        return array if array.ndim == 3 else array[..., None]

    def image(self, in_channels: int, nodata: Sequence[float] = ()) -> npt.NDArray[Any]:
        """Returns the image (H, W, in_channels); only 8-bit grey and RGB are converted to each other.

        Args:
            in_channels: Number of channels.
            nodata: See `array`.

        Raises:
            InputError: The number of bands differs, and the errors of `array`.
        """
        return self._mark(self._channels(in_channels), nodata)

    def _channels(self, in_channels: int) -> npt.NDArray[Any]:
        if self.mode != "array" and in_channels == 3:
            return np.ascontiguousarray(self._rgb())
        if self.mode != "array" and in_channels == 1:
            return self._grey()[..., None]
        array = self._bands()
        height, _, bands = array.shape
        if bands == in_channels:
            return np.ascontiguousarray(array)
        if height == in_channels:
            raise InputError(
                f"{self.path}: has the shape {array.shape}, which looks like (channels, height, width); images are "
                "(height, width, channels): save it as array.transpose(1, 2, 0)"
            )
        raise InputError(
            f"{self.path}: has {bands} band{'s' * (bands != 1)} of {array.dtype}, but in_channels is {in_channels}; "
            f"for such images set `in_channels: {bands}`"
        )

    def stored_values(self, in_color: bool = False) -> npt.NDArray[Any]:
        """Returns the mask as stored: (H, W) integers, or (H, W, 3) uint8 colours without alpha.

        Palette indices are integers, and so are three equal channels and whole floats. A mask with NaN or a value that
        the file states to be no data is a masked array.

        Args:
            in_color: Whether to return the colours of these as well.

        Raises:
            InputError: The values are not integers, the colours exceed 8 bits, or there are more than four bands.
        """
        void = self._void()
        if void is not None:
            filled = self.pixels.copy()
            filled[void] = self.pixels[~void][0] if not void.all() else 0
            stored = replace(self, pixels=filled, nodata=()).stored_values(in_color)
            return np.ma.MaskedArray(stored, np.broadcast_to(void.T, stored.T.shape).T)
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

    def _mark(self, array: npt.NDArray[Any], nodata: Sequence[float]) -> npt.NDArray[Any]:
        """Marks and fills the pixels without data of an image (H, W, C) made from this picture."""
        invalid = self._invalid(nodata)
        if self.has_alpha and array.shape[2] not in (2, 4):  # else it is a band of the image
            transparent = self.pixels[..., -1:] == 0
            invalid = transparent if invalid is None else invalid | transparent
        if self.transparent is not None:
            transparent = self.transparent[..., None]
            invalid = transparent if invalid is None else invalid | transparent
        marked = mark_invalid(array, invalid)
        if array.dtype.kind == "f" and not np.isfinite(np.ma.getdata(marked)).all():
            raise InputError(
                f"{self.path}: contains values beyond the range of float32; if they mark pixels without data, set "
                "`nodata` to their value"
            )
        return marked

    def _void(self) -> Flags | None:
        """Marks the pixels (H, W) of a mask that are NaN, infinite, or stated to be no data; None if there are none."""
        invalid = self._invalid(())
        void: Flags | None = None if invalid is None else np.logical_and.reduce(invalid, -1)
        return void if void is not None and void.any() else None

    def _invalid(self, nodata: Sequence[float]) -> Flags | None:
        """Marks pixels that are NaN, infinite or a no-data value: (H, W, C), or (H, W, 1) if all colours must match."""
        stored = self.pixels.reshape(*self.size, -1)
        invalid = ~np.isfinite(stored) if stored.dtype.kind == "f" else None
        for values in (self.nodata, nodata):
            if len(values) > 1 and len(values) != stored.shape[2]:
                raise InputError(f"{self.path}: nodata has {len(values)} values for {stored.shape[2]} bands")
            if values:
                found = matches(stored, values)
                invalid = found if invalid is None else invalid | found
        if invalid is None or self.mode == "array":
            return invalid
        colors: Flags = invalid[..., :-1] if self.has_alpha else invalid
        return np.logical_and.reduce(colors, -1, keepdims=True)

    def _rgb(self) -> npt.NDArray[np.uint8]:
        """The 8-bit colours (H, W, 3); alpha is dropped without blending."""
        if self.mode == "P":
            table = np.zeros((256, 3), np.uint8)  # indices beyond the palette are black
            table[: len(self.palette)] = self.palette
            colors: npt.NDArray[np.uint8] = table[self.pixels]
            return colors
        if self.pixels.ndim == 3 and self.pixels.shape[2] >= 3:
            return self.pixels[..., :3]
        return self._grey()[..., None].repeat(3, -1)

    def _grey(self) -> npt.NDArray[np.uint8]:
        """The 8-bit brightness (H, W), with the colour weights of ITU-R 601."""
        if self.mode == "1":
            return self.pixels * np.uint8(255)
        if self.mode in ("L", "LA"):
            return self.pixels if self.mode == "L" else self.pixels[..., 0]
        return np.array(Image.fromarray(np.ascontiguousarray(self._rgb())).convert("L"))


def open_picture(path: ImageFile, bands: int | None = None, page: int | None = None) -> Picture:
    """Reads an image or mask file.

    Args:
        path: The file.
        bands: Expected number of bands of an image: determines the axes if the file does not state them, and whether
            an 8-bit TIFF is read with more bands than its colours.
        page: Number of the slice in a TIFF stack; None if the file is one image.

    Raises:
        InputError: The file is missing, corrupt, not an image, or in an unsupported coding.
    """
    if not path.is_file():
        raise InputError(f"{path}: {'broken symbolic link' if path.is_symlink() else 'no such file'}")
    if path.suffix.lower() == ".npy":
        return Picture(path, read_npy(path), "array", "NPY")
    coding, orientation, file_format = "", None, "TIFF"
    with decode_errors(path):
        try:
            # an open file: given a path, Pillow would map it into memory and misread a rotated grey TIFF
            with path.open("rb") as file, Image.open(file, formats=_FORMATS) as picture:
                is_split = seek_page(picture, path, page)
                check_size(path, picture.height, picture.width)
                check_single(path, picture)
                coding = str(picture.tile[0][3]) if picture.tile else ""  # RGB;16B: loading would drop the lower 8 bits
                orientation = exif_orientation(picture)  # before loading, which applies and removes that of a TIFF
                file_format = str(picture.format)
                all_bands = is_split or (file_format == "TIFF" and bands not in (None, 1, 3))
                if not all_bands and not is_deep(picture, coding):
                    picture.load()
                    if picture.mode == "LAB":
                        raise InputError(f"{path}: CIELAB colours are not supported; save it as RGB")
                    loaded = Picture.of_pillow(picture, path, exif_orientation(picture))
                    tag = picture.tag_v2.get(NODATA_TAG) if isinstance(picture, TiffImageFile) else None
                    return replace(loaded, orientation=orientation, nodata=parse_tag(tag))
        except UnidentifiedImageError:
            if not is_tiff(path):
                raise unreadable(path, "unknown format, or truncated") from None
    nodata: tuple[float, ...] = ()
    if file_format == "TIFF":
        array, orientation, nodata = read_tiff(path, bands, page)
    elif file_format == "PNG":
        array = read_png(path, coding.partition(";")[0])
    else:
        raise InputError(f"{path}: {file_format} of more than 8 bits is not supported; save it as PNG, TIFF or .npy")
    mode = "L" if array.dtype == np.uint8 and array.ndim == 2 else "array"
    return Picture(path, turn(array, orientation), mode, file_format, orientation, nodata=nodata)
