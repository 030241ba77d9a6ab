"""The mean and standard deviation that pretrained weights expect of their images."""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Normalization:
    """Per-channel mean and standard deviation, in units where image values lie in 0..1.

    A network trained on `(image - mean) / std` expects its images so.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def for_channels(self, in_channels: int) -> Self:
        """The same for images of another number of channels.

        The libraries fit a pretrained first convolution to other inputs by summing its weights (one channel) or by
        repeating them in turn (any other number); mean and std follow.
        """
        if in_channels == 1:
            return type(self)((sum(self.mean) / len(self.mean),), (sum(self.std) / len(self.std),))
        turns = [channel % len(self.mean) for channel in range(in_channels)]
        return type(self)(tuple(self.mean[turn] for turn in turns), tuple(self.std[turn] for turn in turns))
