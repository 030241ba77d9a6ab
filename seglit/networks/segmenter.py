"""Segmenter (Strudel, Garcia, Laptev and Schmid 2021, https://arxiv.org/abs/2105.05633)."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seglit.errors import InputError
from seglit.networks.blocks import crop, pad_to_multiple
from seglit.networks.encoder_weights import EncoderWeights
from seglit.networks.timm_transformer import EXAMPLES, build_transformer
from seglit.networks.vision_transformer import TransformerBlock, VisionTransformer, init_transformer
from seglit.normalization import Normalization


class MaskTransformer(nn.Module):
    """The paper's decoder (section 3.2): one token per class, compared with the token of every patch.

    Blocks process patches and classes together; the score of a class at a patch is the product of their normalised
    tokens.

    Args:
        width: Channels of a token.
        heads: Attention heads per block.
        num_classes: Channels of the scores.
        depth: Number of blocks.
    """

    def __init__(self, width: int, heads: int, num_classes: int, depth: int = 2) -> None:
        super().__init__()
        self.project = nn.Linear(width, width)
        self.class_tokens = nn.Parameter(torch.zeros(1, num_classes, width))
        self.blocks = nn.Sequential(*(TransformerBlock(width, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.project_patches = nn.Linear(width, width, bias=False)
        self.project_classes = nn.Linear(width, width, bias=False)
        self.score_norm = nn.LayerNorm(num_classes)
        init_transformer(self)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens of patches (B, N, width) -> scores (B, N, num_classes)."""
        num_patches = x.shape[1]
        tokens = torch.cat([self.project(x), self.class_tokens.expand(x.shape[0], -1, -1)], dim=1)
        tokens = self.norm(self.blocks(tokens))  # (B, N + num_classes, width)
        patches = F.normalize(self.project_patches(tokens[:, :num_patches]), dim=-1)  # (B, N, width)
        classes = F.normalize(self.project_classes(tokens[:, num_patches:]), dim=-1)  # (B, num_classes, width)
        scores: Tensor = self.score_norm(patches @ classes.transpose(1, 2))  # (B, N, num_classes)
        return scores


class Segmenter(nn.Module):
    """Segmenter: a Vision Transformer encodes patches, a decoder scores them, and the scores are upsampled.

    Args:
        num_classes: Channels of the logits.
        in_channels: Channels of the images.
        width: Channels of a token.
        depth: Number of blocks of the encoder.
        heads: Attention heads per block.
        patch_size: Height and width of a patch in pixels; smaller patches give finer masks and cost more.
        decoder: `mask` is the paper's mask transformer; `linear` scores each patch by a linear layer, and is the better
            choice for two classes: `mask` normalises the scores of a patch, which leaves of two scores only which is
            larger, so that nearly all patches get the same confidence.
        encoder: None for an encoder of the given width, depth, heads and patch size, or `tu-` and the name of a plain
            Vision Transformer of timm, which has its own (`tu-vit_small_patch16_224`, `tu-vit_small_patch14_dinov2`).
        encoder_weights: Pretrained weights of the encoder: `imagenet` for timm's default, a tag (`augreg_in21k`), or a
            file, see `EncoderWeights.find`.

    Raises:
        InputError: `width` is not a multiple of `heads`, the decoder is unknown, weights have no encoder, or
            `EncoderWeights` or `build_transformer` raises.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 3,
        width: int = 384,
        depth: int = 12,
        heads: int = 6,
        patch_size: int = 16,
        decoder: Literal["mask", "linear"] = "mask",
        encoder: str | None = None,
        encoder_weights: str | None = None,
    ) -> None:
        super().__init__()
        if decoder not in ("mask", "linear"):
            raise InputError(f"decoder is {decoder!r}; it must be mask or linear")
        if encoder is None and encoder_weights is not None:
            raise InputError(f"encoder_weights {encoder_weights!r} require an encoder, such as {EXAMPLES}")
        self.weights = EncoderWeights.find(encoder, encoder_weights, in_channels) if encoder is not None else None
        if self.weights is not None:
            self.encoder = build_transformer(self.weights)
        else:
            self.encoder = VisionTransformer(in_channels, width, depth, heads, patch_size)
        self.decoder: nn.Module
        if decoder == "mask":
            self.decoder = MaskTransformer(self.encoder.width, self.encoder.heads, num_classes)
        else:
            self.decoder = nn.Linear(self.encoder.width, num_classes)

    @property
    def normalization(self) -> Normalization | None:
        """The normalisation that the encoder's pretrained weights require."""
        return self.weights.normalization if self.weights is not None else None

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, in_channels, H, W), float -> logits (B, num_classes, H, W).

        Shapes in comments are those of 16 x 16 patches and width 384; h = H / 16, w = W / 16, rounded up.
        """
        patch_size = self.encoder.patch_size
        padded = pad_to_multiple(x, patch_size)  # (B, in_channels, 16 h, 16 w)
        height, width = (side // patch_size for side in padded.shape[-2:])
        patches = self.encoder(padded)[:, -height * width :]  # (B, h w, 384), without class token and registers
        scores = self.decoder(patches).transpose(1, 2).unflatten(2, (height, width))  # (B, num_classes, h, w)
        logits = F.interpolate(scores, scale_factor=patch_size, mode="bilinear")  # (B, num_classes, 16 h, 16 w)
        return crop(logits, like=x)  # (B, num_classes, H, W)
