"""Reads an image, or an image with its mask, as arrays."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seglit.errors import InputError
from seglit.images.picture import Picture, open_picture
from seglit.images.validity import no_data
from seglit.labels import IGNORE_INDEX, Labels


def read_image(path: Path, in_channels: int, nodata: Sequence[float] = ()) -> npt.NDArray[Any]:
    """Reads an image (H, W, in_channels) in the stored dtype: uint8, uint16, int16 or float32.

    8-bit grey and RGB are converted to each other for `in_channels` 1 and 3, and lose their alpha; any other image
    must have exactly `in_channels` bands. An image with pixels without data is a masked array, see
    `seglit.images.validity`.

    Args:
        path: The file.
        in_channels: Number of channels.
        nodata: Value of pixels without data, beside the one that the file states: one for all bands, or one per band.

    Raises:
        InputError: The errors of `open_picture` and `Picture.image`.
    """
    return open_picture(path, in_channels).image(in_channels, nodata)


def read_pair(
    image_path: Path, mask_path: Path, labels: Labels, in_channels: int, nodata: Sequence[float] = ()
) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8]]:
    """Reads an image and its mask.

    EXIF orientations are applied. A mask without its own is turned like its image, unless its size shows that it was
    drawn on the upright image.

    Returns:
        The image (H, W, C), see `read_image`, and the class indices (H, W) uint8, void 255.

    Raises:
        InputError: The errors of `open_picture` and `as_pair`.
    """
    return as_pair(open_picture(image_path, in_channels), open_picture(mask_path), labels, in_channels, nodata)


def as_pair(
    picture: Picture, mask: Picture, labels: Labels, in_channels: int, nodata: Sequence[float] = ()
) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8]]:
    """Converts an image and its mask that were read already; returns the same as `read_pair`.

    Raises:
        InputError: The sizes differ, a mask value is not listed, and the errors of `Picture.image` and
            `Picture.stored_values`.
    """
    mask = mask.turned_like(picture)
    image = picture.image(in_channels, nodata)
    if picture.size != mask.size:
        raise InputError(
            f"{mask.path}: the mask is {mask.size[0]} x {mask.size[1]} pixels (height x width), but its image "
            f"{picture.path.name} is {picture.size[0]} x {picture.size[1]}; they must be of the same size"
        )
    stored = mask.stored_values(labels.stored_as_color)
    if stored.ndim == 3 and not labels.stored_as_color:
        colors = np.unique(np.ma.getdata(stored).reshape(-1, 3), axis=0)
        listed = ", ".join(str(color.tolist()) for color in colors[:4])
        raise InputError(
            f"{mask.path}: the mask contains {len(colors)} colours ({listed}, ...), not class indices; name them: "
            f"`mask_colors: {{{labels.class_names[0]}: {colors[0].tolist()}, ...}}`"
        )
    if (void := no_data(stored)) is None:
        return image, labels.encode(stored, str(mask.path))
    known: npt.NDArray[Any] = np.ma.getdata(stored).astype(np.int64)
    known[void] = next(iter(labels.values))
    encoded = labels.encode(known, str(mask.path))
    encoded[void] = IGNORE_INDEX
    return image, encoded
