"""Adapts weights that see the channels of images to another number of channels."""

import torch
from torch import Tensor


def adapt_channels(weight: Tensor, channels: int, dim: int = 1) -> Tensor:
    """Sums weights over the channels for one channel, else repeats them cyclically, scaled to the same sum of inputs.

    As timm and smp adapt weights of three channels; `Normalization.for_channels` belongs to it. Of more channels the
    first are kept.

    Args:
        weight: Of which `dim` is the image's channels.
        channels: Their new number.
        dim: The dimension.
    """
    before = weight.shape[dim]
    if channels == 1:
        return weight.sum(dim, keepdim=True)
    index = torch.arange(channels, device=weight.device) % before
    return weight.index_select(dim, index) * (before / channels)


def describe_adaptation(weight: Tensor, adapted: Tensor) -> str:
    """Says what `adapt_channels` did, for messages."""
    before, after = next((old, new) for old, new in zip(weight.shape, adapted.shape, strict=True) if old != new)
    if after == 1:
        return f"weights of {before} channels summed for 1"
    if after < before:
        return f"weights of the first {after} of {before} channels, times {before} / {after}"
    return f"weights of {before} channels repeated for {after}, times {before} / {after}"
