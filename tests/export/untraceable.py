"""Networks whose exported graph differs from them."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Pooling(nn.Module):
    """Adds the means of a 32 x 32 grid of cells, for which torch.export assumes the size by which it traces.

    The graph has a node for each pixel of a cell, so that large cells would take a minute.
    """

    def __init__(self, num_classes: int, in_channels: int = 3) -> None:
        super().__init__()
        self.local = nn.Conv2d(in_channels, num_classes, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, in_channels, H, W) -> logits (B, num_classes, H, W)."""
        logits: Tensor = self.local(x)
        return logits + F.interpolate(F.adaptive_avg_pool2d(logits, 32), x.shape[2:], mode="bilinear")


class Shifted(nn.Module):
    """Moves its logits by 20 pixels where it is exported."""

    def __init__(self, num_classes: int, in_channels: int = 3) -> None:
        super().__init__()
        self.local = nn.Conv2d(in_channels, num_classes, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, in_channels, H, W) -> logits (B, num_classes, H, W)."""
        logits: Tensor = self.local(x)
        return logits.roll(20, 2) if torch.compiler.is_exporting() else logits
