"""Fully convolutional networks (Long, Shelhamer and Darrell 2015, https://arxiv.org/abs/1411.4038).

A 1x1 convolution scores features of stride 32, and the scores are upsampled. Scores of the finer strides 16 and 8 are
added on the way for sharper borders.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from seglit.errors import InputError
from seglit.networks.blocks import UpsampleMode, check_upsample, crop
from seglit.networks.encoders import EncoderNetwork, build_encoder

LEVELS = 6  # strides 1, 2, 4, 8, 16, 32


class FCN(EncoderNetwork):
    """FCN-32s, FCN-16s or FCN-8s.

    Args:
        num_classes: Channels of the logits.
        in_channels: Channels of the images.
        channels: Widths of the six levels of the hand-written backbone, strides 1 to 32, finest first. The last level
            corresponds to the paper's convolutionalised fc6 and fc7. Not used with `encoder`.
        stride: The finest stride that is scored: 32 uses no skip, 16 one, 8 two.
        upsample: `transposed` learns the interpolation, starting from bilinear; `bilinear` is fixed.
        encoder: None for the hand-written backbone, or the name of an encoder, see `LibraryEncoder`.
        encoder_weights: Pretrained weights of the encoder: a name, a file, or `hf:owner/name`.

    Raises:
        InputError: `channels` or `stride` do not fit, or `LibraryEncoder` raises.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 3,
        channels: Sequence[int] = (64, 128, 256, 512, 512, 1024),
        stride: Literal[8, 16, 32] = 8,
        upsample: UpsampleMode = "transposed",
        encoder: str | None = None,
        encoder_weights: str | None = None,
    ) -> None:
        super().__init__()
        if len(channels) != LEVELS:
            raise InputError(f"FCN requires {LEVELS} channels, for strides 1 to 32, not {list(channels)}")
        if stride not in (8, 16, 32):
            raise InputError(f"FCN stride is {stride}; it must be 8, 16 or 32")

        self.encoder = build_encoder(encoder, in_channels, encoder_weights, channels, depth=LEVELS - 1)
        widths = self.encoder.out_channels  # finest first
        skips = {32: [], 16: [4], 8: [4, 3]}[stride]  # levels of strides 16 and 8
        self.score = nn.Conv2d(widths[-1], num_classes, kernel_size=1)
        self.skip_scores = nn.ModuleList(zero_score(widths[level], num_classes) for level in skips)
        self.ups = nn.ModuleList(interpolation(num_classes, 2, upsample) for _ in skips)
        self.up = interpolation(num_classes, stride, upsample)

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, in_channels, H, W), float -> logits (B, num_classes, H, W)."""
        # (B, 512, H/8, W/8), (B, 512, H/16, W/16), (B, 1024, H/32, W/32) with the default channels
        *_, eighth, sixteenth, coarsest = self.encoder(x)
        scores = self.score(coarsest)  # (B, num_classes, H/32, W/32)
        skips = (sixteenth, eighth)[: len(self.ups)]
        for up, skip_score, skip in zip(self.ups, self.skip_scores, skips, strict=True):
            scores = crop(up(scores), like=skip) + skip_score(skip)  # (B, num_classes, H/16, W/16), then H/8, W/8
        return crop(self.up(scores), like=x)  # (B, num_classes, H, W)


def zero_score(in_channels: int, num_classes: int) -> nn.Conv2d:
    """Returns a 1x1 convolution initialised to zero, as the paper's skips are (section 4.2).

    The network so starts as FCN-32s, and random scores of the skips do not drown its own.
    """
    score = nn.Conv2d(in_channels, num_classes, kernel_size=1)
    nn.init.zeros_(score.weight)
    nn.init.zeros_(score.bias)  # type: ignore[arg-type]  # typed as Optional
    return score


def interpolation(channels: int, factor: int, mode: UpsampleMode) -> nn.Module:
    """Upsamples each channel: (B, channels, H, W) -> (B, channels, factor H, factor W), `factor` even.

    Raises:
        InputError: The mode is unknown.
    """
    check_upsample(mode)
    if mode == "bilinear":
        return nn.Upsample(scale_factor=factor, mode="bilinear", align_corners=False)
    layer = nn.ConvTranspose2d(
        channels, channels, kernel_size=2 * factor, stride=factor, padding=factor // 2, groups=channels, bias=False
    )
    with torch.no_grad():
        layer.weight.copy_(bilinear_kernel(factor))
    return layer


def bilinear_kernel(factor: int) -> Tensor:
    """Returns the kernel (2 factor, 2 factor) by which a transposed convolution interpolates bilinearly.

    Along each axis, output pixel t is at (t + 1/2) / factor - 1/2 input pixels, and the weight of an input pixel is
    1 - distance. (At the border a transposed convolution pads with 0, interpolation repeats the border.)
    """
    distance = (torch.arange(2 * factor) - factor + 0.5).abs() / factor  # (2 factor,), in input pixels
    return torch.outer(1 - distance, 1 - distance)
