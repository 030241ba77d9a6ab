"""The mean and standard deviation that images are normalised by."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy.typing as npt
import torch
from torch import Tensor, nn

from seglit.errors import InputError


@dataclass(frozen=True)
class Normalization:
    """Per-channel mean and standard deviation: a network is given `(image / divisor - mean) / std`.

    Args:
        mean: One value a channel, or one for all.
        std: Likewise.
        scale: What integers are divided by to be in the units of mean and std: 255 where these are for 8-bit values
            brought to 0..1, as pretrained weights state them; 1 where they are in the units that images are stored in.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    scale: float = 255.0

    def divisor(self, dtype: torch.dtype) -> float:
        """What stored images of a type are divided by: `scale`, or 1 for floats.

        Raises:
            InputError: mean and std are for 8 bits, and the images are other integers.
        """
        if dtype.is_floating_point:
            return 1.0
        if self.scale != 1 and dtype != torch.uint8:
            raise InputError(
                f"images hold {str(dtype).removeprefix('torch.')} values, whose range is not known: set the data's "
                "mean and std; `seglit inspect` prints the two lines"
            )
        return self.scale

    def for_channels(self, in_channels: int) -> Self:
        """The same for images of another number of channels.

        The libraries fit a pretrained first convolution to other inputs by summing its weights (one channel) or by
        repeating them in turn (any other number); mean and std follow.
        """
        if in_channels == 1:
            return replace(self, mean=(sum(self.mean) / len(self.mean),), std=(sum(self.std) / len(self.std),))
        turns = [channel % len(self.mean) for channel in range(in_channels)]
        return replace(self, mean=tuple(self.mean[turn] for turn in turns), std=tuple(self.std[turn] for turn in turns))

    def to_dict(self) -> dict[str, Any]:
        """Plain data that a checkpoint can hold and `from_dict` reads."""
        return {"mean": list(self.mean), "std": list(self.std), "scale": self.scale}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Reads what `to_dict` wrote, now or before there was a `scale`."""
        return cls(**{**data, "mean": tuple(data["mean"]), "std": tuple(data["std"])})


class Normalize(nn.Module):
    """Images (B, C, H, W) as stored to what a network was built for, float32; the module and the predictor share it.

    They are in the units of mean and std; where these are for 8 bits, uint8, or float in 0..1. It adds nothing to a
    checkpoint's weights.

    Args:
        normalization: Mean, standard deviation and their units.
        memory_format: How the normalised images lie in memory.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, normalization: Normalization, memory_format: torch.memory_format) -> None:
        super().__init__()
        self.memory_format = memory_format
        self.register_buffer("mean", torch.empty(0), persistent=False)
        self.register_buffer("std", torch.empty(0), persistent=False)
        self.set(normalization)

    def set(self, normalization: Normalization) -> None:
        """Takes another mean and standard deviation."""
        self.normalization = normalization
        self.mean = torch.tensor(normalization.mean, device=self.mean.device).view(-1, 1, 1)
        self.std = torch.tensor(normalization.std, device=self.std.device).view(-1, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Normalises.

        Raises:
            InputError: The images are integers of another type than mean and std are for.
        """
        normal = (image.float() / self.normalization.divisor(image.dtype) - self.mean) / self.std
        return normal.contiguous(memory_format=self.memory_format)


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
