"""The mean and standard deviation that images are normalised by."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor, nn

from seglit.errors import InputError


@dataclass(frozen=True)
class Normalization:
    """Mean and standard deviation: the network's input is `(image / divisor - mean) / std`.

    Args:
        mean: One value per channel, or one for all channels.
        std: One value per channel, or one for all channels.
        scale: Divisor of integer images: 255 if mean and std are those of 8-bit images scaled to 0..1, as pretrained
            weights state them; 1 if they are in stored units.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    scale: float = 255.0

    def divisor(self, dtype: torch.dtype) -> float:
        """Returns what images of a dtype are divided by: `scale` for integers, 1 for floats.

        Raises:
            InputError: Mean and std are those of 8-bit images, and the dtype is another integer.
        """
        if dtype.is_floating_point:
            return 1.0
        if self.scale != 1 and dtype != torch.uint8:
            raise InputError(
                f"images hold {str(dtype).removeprefix('torch.')} values, whose range is not known: set the data's "
                "mean and std, which `seglit inspect` prints"
            )
        return self.scale

    def for_channels(self, in_channels: int) -> Self:
        """Adapts mean and std to another number of channels, as smp and timm adapt the pretrained first convolution.

        They sum its weights over the channels for one channel, and repeat them cyclically for any other number.
        """
        if in_channels == 1:
            return replace(self, mean=(sum(self.mean) / len(self.mean),), std=(sum(self.std) / len(self.std),))
        sources = [channel % len(self.mean) for channel in range(in_channels)]
        return replace(self, mean=tuple(self.mean[i] for i in sources), std=tuple(self.std[i] for i in sources))

    def to_dict(self) -> dict[str, Any]:
        """Converts to plain data for a checkpoint."""
        return {"mean": list(self.mean), "std": list(self.std), "scale": self.scale}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Inverse of `to_dict`."""
        return cls(tuple(map(float, data["mean"])), tuple(map(float, data["std"])), float(data.get("scale", 255)))


class Normalize(nn.Module):
    """Normalises images (B, C, H, W) as stored to float32; shared by training and prediction.

    Adds nothing to the state dict.

    Args:
        normalization: Mean, standard deviation and their units.
        memory_format: Memory format of the normalised images.
    """

    def __init__(self, normalization: Normalization, memory_format: torch.memory_format) -> None:
        super().__init__()
        self.memory_format = memory_format
        self.set(normalization)

    def set(self, normalization: Normalization) -> None:
        """Replaces mean and standard deviation."""
        self.normalization = normalization
        # no buffers, which weight averaging would change by rounding
        self.mean = torch.tensor(normalization.mean).view(-1, 1, 1)
        self.std = torch.tensor(normalization.std).view(-1, 1, 1)

    def forward(self, image: Tensor, valid: Tensor | None = None) -> Tensor:
        """Normalises a batch; pixels without data become 0, the mean.

        Args:
            image: (B, C, H, W) as stored.
            valid: bool (B, C, H, W), False for pixels without data; None if all have data.

        Raises:
            InputError: Mean and std are those of 8-bit images, and the images are of another integer dtype.
        """
        self.mean, self.std = self.mean.to(image.device), self.std.to(image.device)
        normal = (image.float() / self.normalization.divisor(image.dtype) - self.mean) / self.std
        normal = normal if valid is None else normal.masked_fill(~valid, 0)
        return normal.contiguous(memory_format=self.memory_format)


def stated_normalization(mean: list[float] | None, std: list[float] | None, in_channels: int) -> Normalization | None:
    """Validates the data's `mean` and `std` settings; None if neither is set.

    Raises:
        InputError: Only one is set, their lengths do not fit the channels, or a std is not positive.
    """
    if mean is None and std is None:
        return None
    if mean is None or std is None:
        raise InputError(f"{'std' if std is None else 'mean'} is not set: set both mean and std, or neither")
    for name, values in (("mean", mean), ("std", std)):
        if len(values) not in (1, in_channels):
            raise InputError(
                f"{name} has {len(values)} values for {in_channels} channels: give one per channel, or one for all"
            )
    if min(std) <= 0:
        raise InputError(f"std is {std}; it must be positive: leave constant channels out of the images")
    return Normalization(tuple(map(float, mean)), tuple(map(float, std)), scale=1.0)


def stated_nodata(nodata: float | list[float] | None, in_channels: int) -> tuple[float, ...]:
    """Validates the data's `nodata` setting: no value, one for all channels, or one per channel.

    Raises:
        InputError: Their number does not fit the channels.
    """
    values = () if nodata is None else (nodata,) if isinstance(nodata, int | float) else tuple(nodata)
    if len(values) not in (0, 1, in_channels):
        raise InputError(
            f"nodata has {len(values)} values for {in_channels} channels: give one per channel, or one for all"
        )
    return values
