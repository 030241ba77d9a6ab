"""The encoder of a network, and the factors on the learning rates of its layers."""

import re

from torch import nn

from seglit.errors import InputError

_BLOCK = re.compile(r"(.*?)\bblocks\.(\d+)\.")  # the first index: blocks may contain blocks


def find_encoder(network: nn.Module) -> nn.Module:
    """Returns the submodule named `encoder`, which networks of seglit and of segmentation_models_pytorch have.

    Raises:
        InputError: The network has none.
    """
    encoder = encoder_of(network)
    if encoder is None:
        parts = ", ".join(name for name, _ in network.named_children())
        raise InputError(f"{type(network).__name__} has no part named 'encoder'; its parts are: {parts}")
    return encoder


def encoder_of(network: nn.Module) -> nn.Module | None:
    """Returns the submodule named `encoder`, if any."""
    encoder = getattr(network, "encoder", None)  # a property in some networks
    return encoder if isinstance(encoder, nn.Module) else None


def layer_lr_factors(encoder: nn.Module, decay: float) -> dict[nn.Parameter, float]:
    """Returns the factor on the learning rate of each parameter: decay ** (num_blocks + 1 - layer).

    As in BEiT (Bao et al. 2022, https://arxiv.org/abs/2106.08254) and MAE, what precedes the blocks (patch, class and
    position embeddings) is layer 0, block i is layer i + 1, and what follows them is layer num_blocks + 1.

    Args:
        encoder: A module with one sequence of blocks, as in `Segmenter` and in timm's vision transformers.
        decay: Factor between neighbouring layers, above 0 and at most 1.

    Raises:
        InputError: `decay` is out of range, or the blocks of the encoder are not one sequence.
    """
    if not 0 < decay <= 1:
        raise InputError(f"layer_decay must be above 0 and at most 1, got {decay}")
    found = [(parameter, _BLOCK.match(name)) for name, parameter in encoder.named_parameters()]
    sequences = {match[1] for _, match in found if match}
    if len(sequences) != 1:
        raise InputError(
            f"layer_decay requires an encoder with one sequence of blocks, such as a vision transformer; "
            f"{type(encoder).__name__} has {len(sequences)}: set layer_decay: 1"
        )
    num_blocks = 1 + max(int(match[2]) for _, match in found if match)
    layers: dict[nn.Parameter, int] = {}
    layer = 0
    for parameter, match in found:  # in the order in which modules are defined
        if match:
            layer = int(match[2]) + 1
        elif layer:
            layer = num_blocks + 1
        layers[parameter] = layer
    return {parameter: decay ** (num_blocks + 1 - layer) for parameter, layer in layers.items()}
