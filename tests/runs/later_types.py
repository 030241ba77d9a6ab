"""A network whose annotations are not all defined at run time, as one of a user may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from seglit.networks import UNet

if TYPE_CHECKING:
    from torch import Tensor


class LaterTypes(UNet):
    """A U-Net with an activation, and a temperature that only type checkers know the type of."""

    def __init__(
        self, num_classes: int, in_channels: int, last: nn.Module, side: tuple[int, int], scale: Tensor | float = 1.0
    ) -> None:
        super().__init__(num_classes, in_channels, (4, 8))
        self.last, self.side, self.scale = last, side, scale
