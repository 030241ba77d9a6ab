"""The contract of networks, checked wherever one is called: training, scoring and prediction."""

from torch import Tensor, nn

from seglit.errors import InputError


def forward(network: nn.Module, images: Tensor, num_classes: int) -> tuple[Tensor, ...]:
    """Calls a network and checks the shape of its output.

    Args:
        network: The network.
        images: Normalised images (B, C, H, W).
        num_classes: Number of classes.

    Returns:
        Logits (B, num_classes, H, W), followed by auxiliary logits of the same shape, if any.

    Raises:
        InputError: The output is not such logits.
    """
    output = network(images)
    outputs = output if isinstance(output, tuple) else (output,)
    expected = (len(images), num_classes, *images.shape[2:])
    for logits in outputs:
        if not isinstance(logits, Tensor) or logits.shape != expected:
            got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise InputError(
                f"{type(network).__name__} returned {got}, not logits (B, num_classes, H, W) = {expected}; "
                "a network takes num_classes and returns logits of the size of its input"
            )
    return outputs
