"""The building blocks of the hand-written networks."""

from typing import Literal, get_args

import torch.nn.functional as F
from torch import Tensor, nn

from seglit.errors import InputError

UpsampleMode = Literal["transposed", "bilinear"]


class ConvBlock(nn.Sequential):
    """Two 3x3 convolutions, each with BatchNorm and ReLU: (B, in_channels, H, W) -> (B, out_channels, H, W).

    The paper's convolutions are not padded and shrink the maps; padding by one keeps H and W.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),  # BatchNorm's shift is the bias
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )
        init_he(self)


def init_he(module: nn.Module) -> None:
    """Initialises convolutions from N(0, 2 / fan_in) (Ronneberger et al. 2015, section 3; He et al. 2015)."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")


def check_upsample(mode: str) -> None:
    """Raises InputError if the mode is unknown."""
    if mode not in get_args(UpsampleMode):
        raise InputError(f"upsample is {mode!r}; it must be {' or '.join(get_args(UpsampleMode))}")


def upsample_twice(in_channels: int, out_channels: int, mode: UpsampleMode) -> nn.Module:
    """Doubles height and width and changes the channels: (B, in, H, W) -> (B, out, 2H, 2W).

    `transposed` learns the four new pixels of each pixel (the paper's "up-conv 2x2"); `bilinear` interpolates, which
    leaves no checkerboard artefacts. Its 1x1 convolution comes first: the two commute, and before the interpolation it
    costs a quarter.

    Raises:
        InputError: The mode is unknown.
    """
    check_upsample(mode)
    if mode == "transposed":
        return nn.ConvTranspose2d(in_channels, out_channels, kernel_size=2, stride=2)
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size=1),
        nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
    )


def crop(x: Tensor, like: Tensor) -> Tensor:
    """Crops (B, C, H, W) at the bottom and right to the height and width of `like`.

    Pooling rounds up and padding is at the bottom and right, so a doubled map is never smaller than its skip, and
    pixel (i, j) stays pixel (i, j).
    """
    return x[..., : like.shape[-2], : like.shape[-1]]


def pad_to_multiple(x: Tensor, multiple: int, at_least: int = 0) -> Tensor:
    """Pads (B, C, H, W) at the bottom and right with edge values, to multiples of `multiple`.

    Args:
        x: Images.
        multiple: Height and width become divisible by it.
        at_least: Minimum height and width in pixels.
    """
    height, width = ((max(n, at_least) + multiple - 1) // multiple * multiple for n in x.shape[-2:])  # ONNX: no -n // m
    return F.pad(x, (0, width - x.shape[-1], 0, height - x.shape[-2]), mode="replicate")
