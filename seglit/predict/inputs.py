"""Images as Python code holds them: paths, arrays, Pillow images and tensors, read as arrays as stored in a file."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from torch import Tensor

from seglit.errors import InputError
from seglit.images.formats import exif_orientation, is_deep, turn
from seglit.images.picture import Picture
from seglit.images.read import read_image

Array = npt.NDArray[Any]
Input = str | os.PathLike[str] | Array | Image.Image | Tensor
"""An image: a file, an array (H, W, C) or (H, W), a Pillow image, or a tensor (C, H, W) or (H, W)."""

Inputs = list[Any] | tuple[Any, ...]
"""Several of them."""


def read_input(image: Input, in_channels: int, nodata: tuple[float, ...], name: str = "image") -> Array:
    """Returns an image as an array (H, W, in_channels) of its own dtype, upright as its EXIF states.

    Args:
        image: The image.
        in_channels: Number of channels.
        nodata: Value of pixels without data, see `Picture.array`.
        name: What messages call an image that is not a file.

    Raises:
        InputError: It cannot be read, or has another number of channels.
    """
    if isinstance(image, str | os.PathLike):
        return read_image(Path(image), in_channels, nodata)
    if isinstance(image, Image.Image):
        return _of_pillow(image, Path(name)).image(in_channels, nodata)
    if isinstance(image, Tensor):
        image = _of_tensor(image, in_channels, name)
    if not isinstance(image, np.ndarray):
        raise InputError(f"{name}: of type {type(image).__name__}, not a path, an array, a Pillow image or a tensor")
    if image.ndim not in (2, 3):
        raise InputError(f"{name}: has the shape {image.shape}, not (height, width, channels); of several, give a list")
    return Picture(Path(name), image, "array", "array").image(in_channels, nodata)


def input_name(image: Input, index: int | None) -> str:
    """Returns what messages call an image: its path, else its place in the list that it was given in, if in one."""
    if isinstance(image, str | os.PathLike):
        return os.fspath(image)
    return "image" if index is None else f"images[{index}]"


def check_unit_range(image: Array, name: str) -> None:
    """Rejects a float image that is not in 0..1, for a network whose normalisation is that of 8-bit images.

    Raises:
        InputError: A value is below -1 or above 2.
    """
    if image.dtype.kind == "f" and image.size and (image.min() < -1 or image.max() > 2):
        raise InputError(
            f"{name}: float values range from {image.min():g} to {image.max():g}, not from 0 to 1; give it as uint8, "
            "not normalised"
        )


def _of_pillow(image: Image.Image, path: Path) -> Picture:
    picture = image.copy()  # loaded; what follows would change the caller's image
    orientation = exif_orientation(image)
    if is_deep(picture, ""):
        return Picture(path, turn(np.array(picture), orientation), "array", "array")
    return Picture.of_pillow(picture, path, orientation)


def _of_tensor(image: Tensor, in_channels: int, name: str) -> Array:
    """Returns a tensor (C, H, W) as an array (H, W, C)."""
    image = image.detach().cpu()
    image = image.float() if image.is_floating_point() else image
    if image.ndim == 3:
        if image.shape[0] != in_channels:
            raise InputError(
                f"{name}: has the shape {tuple(image.shape)}; a tensor is (channels, height, width), and "
                f"the network has {in_channels} channel{'s' * (in_channels != 1)}"
            )
        image = image.permute(1, 2, 0)
    return image.numpy()
