"""In which units images are stored: what the data's settings say of it, and what cannot be trained on without."""

from typing import Any

import numpy.typing as npt

from seglit.errors import InputError
from seglit.networks.normalization import Normalization


def stated_normalization(mean: list[float] | None, std: list[float] | None, in_channels: int) -> Normalization | None:
    """The normalisation that the data's settings state; None where they say nothing.

    Raises:
        InputError: `mean` and `std` do not fit the channels or each other.
    """
    if mean is None and std is None:
        return None
    if mean is None or std is None:
        raise InputError(
            f"{'std' if std is None else 'mean'} is not set beside the other: set mean and std, or neither"
        )
    for name, values in (("mean", mean), ("std", std)):
        if len(values) not in (1, in_channels):
            raise InputError(f"{name} holds {len(values)} values for {in_channels} channels: one each, or one for all")
    if min(std) <= 0:
        raise InputError(f"std is {std}; a channel that varies has a positive one: leave the others out of the images")
    return Normalization(tuple(map(float, mean)), tuple(map(float, std)), scale=1.0)


def check_units(image: npt.NDArray[Any], name: str) -> None:
    """Checks an image (H, W, C) of data without a stated normalisation; integers are for the module to refuse.

    Raises:
        InputError: It holds floats far from 0..1.
    """
    if image.dtype.kind == "f" and (image.min() < -1 or image.max() > 2):
        raise InputError(
            f"{name}: its values go from {image.min():g} to {image.max():g} and not from 0 to 1; set the data's mean "
            "and std: `seglit inspect` prints the two lines"
        )
