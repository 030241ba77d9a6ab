"""A network of one's own: any `nn.Module` that maps images to logits of the same size."""

from torch import Tensor, nn


class Dilated(nn.Module):
    """Convolutions of growing dilation, without pooling.

    Args:
        num_classes: Channels of the logits.
        in_channels: Channels of the images.
        width: Channels in between.
    """

    def __init__(self, num_classes: int, in_channels: int = 3, width: int = 16) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for channels, dilation in ((in_channels, 1), (width, 2), (width, 4), (width, 8)):
            layers += [
                nn.Conv2d(channels, width, 3, padding=dilation, dilation=dilation),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            ]
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, num_classes, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, in_channels, H, W), float -> logits (B, num_classes, H, W)."""
        logits: Tensor = self.layers(x)
        return logits
