"""Builds the hand-written Vision Transformer as timm's plain ones are, and loads their weights into it."""

from typing import Any

import torch
from torch import nn

from seglit.errors import InputError
from seglit.networks.encoder_weights import EncoderWeights
from seglit.networks.vision_transformer import VisionTransformer

EXAMPLES = "tu-vit_tiny_patch16_224, tu-vit_small_patch16_224 or tu-vit_small_patch14_dinov2"


def build_transformer(weights: EncoderWeights) -> VisionTransformer:
    """Builds a Vision Transformer as timm's model of that name is, with its pretrained weights, if any.

    Raises:
        InputError: The model has another structure, or weights cannot be downloaded or do not fit.
    """
    import timm

    name = weights.encoder
    if not name.startswith("tu-"):
        raise _not_plain(name, "it is not of timm")
    pretrained = weights.named is not None or weights.file is not None
    device = torch.get_default_device() if pretrained else "meta"  # without weights, only the shapes are needed
    architecture, channels = name.removeprefix("tu-"), weights.in_channels
    with weights.downloading(), torch.device(device):
        model = timm.create_model(architecture, weights.named is not None, in_chans=channels, num_classes=0)
    transformer = transformer_like(model, name)
    if pretrained:
        weights.load(model)
        transformer.load_state_dict(model.state_dict())
    return transformer


def transformer_like(model: Any, name: str) -> VisionTransformer:
    """Builds the hand-written Vision Transformer, with random weights, that a model of timm corresponds to.

    Its parameters have the names and shapes of the model's, and with the same values it computes the same.

    Raises:
        InputError: The model is not a plain Vision Transformer.
    """
    from timm.models.vision_transformer import Block
    from timm.models.vision_transformer import VisionTransformer as TimmTransformer

    if TimmTransformer is not (kind := type(model)):
        raise _not_plain(name, f"its class is {kind.__name__}")
    block = model.blocks[0]
    # what the names and shapes of parameters do not tell
    if (type(block), type(block.mlp.act), block.norm1.eps) != (Block, nn.GELU, 1e-6):
        raise _not_plain(name, "its blocks are of another kind")
    transformer = VisionTransformer(
        model.patch_embed.proj.in_channels,
        width=model.embed_dim,
        depth=len(model.blocks),
        heads=block.attn.num_heads,
        patch_size=model.patch_embed.patch_size[0],
        grid_size=model.patch_embed.grid_size,
        class_token=model.has_class_token,
        registers=model.num_reg_tokens,
        embed_prefix=not model.no_embed_class,
        layer_scale=not isinstance(block.ls1, nn.Identity),
    )
    ours, theirs = ({key: value.shape for key, value in each.state_dict().items()} for each in (transformer, model))
    if other := [key for key in {**theirs, **ours} if ours.get(key) != theirs.get(key)]:
        raise _not_plain(name, f"its {other[0]} is another")
    return transformer


def _not_plain(name: str, reason: str) -> InputError:
    return InputError(f"encoder {name} is not a plain Vision Transformer of timm ({reason}): try {EXAMPLES}")
