"""U-Net (Ronneberger, Fischer and Brox 2015, https://arxiv.org/abs/1505.04597)."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from seglit.errors import InputError
from seglit.networks.blocks import ConvBlock, UpsampleMode, crop, upsample_twice
from seglit.networks.encoders import EncoderNetwork, build_encoder


class UpBlock(nn.Module):
    """One step of the expanding path: upsample, crop, concatenate the skip, convolve."""

    def __init__(self, in_channels: int, skip_channels: int, out_channels: int, upsample: UpsampleMode) -> None:
        super().__init__()
        self.up = upsample_twice(in_channels, out_channels, upsample)
        self.conv = ConvBlock(out_channels + skip_channels, out_channels)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Coarser map (B, in, h, w) and skip (B, skip, H, W), H <= 2h, W <= 2w -> (B, out, H, W)."""
        x = crop(self.up(x), like=skip)  # (B, out, H, W)
        joined = torch.cat([skip, x], dim=1)  # (B, skip + out, H, W)
        out: Tensor = self.conv(joined)  # (B, out, H, W)
        return out


class UNet(EncoderNetwork):
    """U-Net: an encoder widens the context, a decoder restores the resolution through skip connections.

    Unlike the paper it pads its convolutions, so that logits have the size of the input, and uses BatchNorm.

    Args:
        num_classes: Channels of the logits.
        in_channels: Channels of the images.
        channels: Without `encoder`, the width of each level, finest first, the last being the bottom of the U. With
            `encoder`, the width of each decoder level, finest first, one per halving by the encoder (3 to 5).
        upsample: How the decoder doubles its maps, see `upsample_twice`.
        encoder: None for the paper's contracting path, or the name of an encoder, see `LibraryEncoder`.
        encoder_weights: Pretrained weights of the encoder: a name, a file, or `hf:owner/name`.

    Raises:
        InputError: `channels` do not fit, or `LibraryEncoder` raises.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 3,
        channels: Sequence[int] = (64, 128, 256, 512, 1024),
        upsample: UpsampleMode = "transposed",
        encoder: str | None = None,
        encoder_weights: str | None = None,
    ) -> None:
        super().__init__()
        if encoder is None and len(channels) < 2:
            raise InputError(f"UNet requires at least two levels: channels {list(channels)} has {len(channels)}")
        if encoder is not None and not 3 <= len(channels) <= 5:
            raise InputError(f"UNet with an encoder requires 3 to 5 channels, one per halving, not {list(channels)}")

        self.encoder = build_encoder(encoder, in_channels, encoder_weights, channels, depth=len(channels))
        *skips, bottom = self.encoder.out_channels  # finest first
        widths = [bottom, *reversed(channels[: len(skips)])]  # of the decoder, coarsest first
        self.decoder = nn.ModuleList(
            UpBlock(below, skip, width, upsample)
            for (below, width), skip in zip(pairwise(widths), reversed(skips), strict=True)
        )
        self.head = nn.Conv2d(channels[0], num_classes, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, in_channels, H, W), float -> logits (B, num_classes, H, W).

        Shapes in comments are those of the default channels.
        """
        *skips, x = self.encoder(x)  # (B, 64, H, W), (B, 128, H/2, W/2), ... and the bottom (B, 1024, H/16, W/16)
        for up, skip in zip(self.decoder, reversed(skips), strict=True):
            x = up(x, skip)  # (B, 512, H/8, W/8), (B, 256, H/4, W/4), (B, 128, H/2, W/2), (B, 64, H, W)
        logits: Tensor = self.head(x)  # (B, num_classes, H, W)
        return logits
