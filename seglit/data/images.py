"""Reading image and mask files into arrays, as they would be seen: turned by EXIF, without alpha."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from seglit.errors import InputError
from seglit.labels import Labels

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp")
_COLOR_MODES = {1: "L", 3: "RGB"}


def read_pair(
    image_path: Path, mask_path: Path, labels: Labels, in_channels: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Reads an image and its mask.

    A file's EXIF orientation is applied. A mask without one of its own is turned like its image, unless its size
    shows that it was drawn on the upright image already.

    Returns:
        The image (H, W, C) uint8 and the class indices (H, W) uint8, void 255.

    Raises:
        InputError: A file is missing or unreadable, has more than 8 bits, an unlisted value, or sizes differ.
    """
    (picture, orientation), (mask, own_orientation) = _open(image_path), _open(mask_path)
    sideways = orientation in (5, 6, 7, 8)
    stored_size = picture.size[::-1] if sideways else picture.size
    if own_orientation is None and orientation is not None and mask.size == stored_size:
        mask.getexif()[ExifTags.Base.Orientation] = orientation
        mask = ImageOps.exif_transpose(mask)
    if picture.size != mask.size:
        raise InputError(
            f"{mask_path}: the mask is {mask.height} x {mask.width} pixels (height x width), its image "
            f"{image_path.name} {picture.height} x {picture.width}; they must be of one size"
        )
    return _image_array(picture, in_channels), labels.encode(_mask_array(mask, labels, mask_path), str(mask_path))


def _open(path: Path) -> tuple[Image.Image, int | None]:
    """The upright picture, and the EXIF orientation that its file states."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            # A file, not its path, which Pillow would map into memory and then misread a turned grey TIFF.
            with path.open("rb") as file, Image.open(file) as picture:
                coding = str(picture.tile)  # such as RGB;16B, of which loading would drop the lower 8 bits
                orientation = picture.getexif().get(ExifTags.Base.Orientation)  # loading turns a TIFF and drops it
                picture.load()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except UnidentifiedImageError:
        raise InputError(f"{path}: cannot be read as a picture (of no known format, or cut off)") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        reason = " ".join(str(error).replace(str(path), path.name).split())
        raise InputError(f"{path}: cannot be read as a picture ({reason})") from error
    if picture.mode.startswith(("I", "F")) or (";16" in coding and "BGR;16" not in coding):  # BGR;16: 5, 6, 5 bits
        raise InputError(f"{path}: holds more than 8 bits a value; convert it to 8 bits")
    picture.info.pop("transparency", None)  # labels know none, and Pillow warns about it
    return ImageOps.exif_transpose(picture), orientation


def _image_array(picture: Image.Image, in_channels: int) -> npt.NDArray[np.uint8]:
    array = np.array(picture.convert(_COLOR_MODES[in_channels]))  # drops alpha without blending
    return array if array.ndim == 3 else array[..., None]


def _mask_array(mask: Image.Image, labels: Labels, path: Path) -> npt.NDArray[Any]:
    """(H, W) stored integers, or (H, W, 3) stored colours, whichever the labels speak of."""
    if labels.stored_as_color:
        return np.array(mask.convert("RGB"))
    if mask.mode in ("1", "L", "P"):  # a palette picture's indices are its values
        return np.array(mask, np.uint8)
    array = np.array(mask.convert("RGB"))
    if not (array == array[..., :1]).all():
        colors = np.unique(array.reshape(-1, 3), axis=0)
        listed = ", ".join(str(color.tolist()) for color in colors[:4])
        raise InputError(
            f"{path}: the mask holds {len(colors)} colours ({listed}, ...) and not class indices; name them: "
            f"`mask_colors: {{{labels.class_names[0]}: {colors[0].tolist()}, ...}}`"
        )
    return array[..., 0]  # grey saved as colour: three equal channels
