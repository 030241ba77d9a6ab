"""Weights of timm's Vision Transformers for encoders of another image size, or with a classifier that none uses."""

import math
from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn


def rename_registers(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Converts Meta's files of DINOv2 with registers to timm's form, in which only patches have position embeddings.

    As timm's `_convert_dinov2` does: the embedding of the class token is added to the token.

    Args:
        weights: Weights by their names in the file, which may have prefixes: of a student and its teacher, say.
    """
    converted = dict(weights)
    for name, registers in weights.items():
        prefix = name.removesuffix("register_tokens")
        token, positions = weights.get(f"{prefix}cls_token"), weights.get(f"{prefix}pos_embed")
        if prefix == name or token is None or positions is None:
            continue
        del converted[name]
        converted |= {
            f"{prefix}reg_token": registers,
            f"{prefix}cls_token": token + positions[:, :1],
            f"{prefix}pos_embed": positions[:, 1:],
        }
    return converted


def resample_positions(weights: dict[str, Tensor], encoder: nn.Module) -> None:
    """Resamples position embeddings to the grid of patches of the encoder (bicubic), as timm does.

    Args:
        weights: Weights by their names in the encoder; changed in place.
        encoder: Contains the transformer, or is it.
    """
    from timm.layers.pos_embed import resample_abs_pos_embed

    for prefix, transformer in _transformers(encoder):
        weight, own, grid = weights.get(f"{prefix}pos_embed"), transformer.pos_embed, transformer.patch_embed.grid_size
        if weight is None or own is None or weight.dim() != own.dim() or weight.shape[2:] != own.shape[2:]:
            continue
        num_tokens = own.shape[1] - math.prod(grid)  # without a position in the grid; (1, tokens + patches, width)
        if math.isqrt(patches := weight.shape[1] - num_tokens) ** 2 == patches:
            weights[f"{prefix}pos_embed"] = resample_abs_pos_embed(weight, list(grid), num_prefix_tokens=num_tokens)


def classifier_names(encoder: nn.Module) -> set[str]:
    """Returns the names of the weights of a classifier, which smp keeps in an encoder and does not use."""
    return {
        f"{prefix}head.{name}"
        for prefix, transformer in _transformers(encoder)
        for name in transformer.head.state_dict()
    }


def _transformers(encoder: nn.Module) -> Iterator[tuple[str, Any]]:
    """Yields the transformers in an encoder, each with the prefix of its weights."""
    from timm.models import Eva, VisionTransformer

    for name, module in encoder.named_modules():
        if isinstance(module, VisionTransformer | Eva):
            yield f"{name}.".removeprefix("."), module
