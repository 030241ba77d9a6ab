"""What a network answers, held to its contract: shared by training, scoring and prediction."""

from torch import Tensor, nn

from seglit.errors import InputError


def forward(network: nn.Module, normal: Tensor, num_classes: int) -> tuple[Tensor, ...]:
    """Calls a network.

    Args:
        network: The network.
        normal: Normalised images (B, C, H, W).
        num_classes: The number of classes.

    Returns:
        Logits (B, num_classes, H, W), then the auxiliary ones, if any, alike.

    Raises:
        InputError: It answers anything else.
    """
    output = network(normal)
    outputs = output if isinstance(output, tuple) else (output,)
    wanted = (len(normal), num_classes, *normal.shape[2:])
    for logits in outputs:
        if not isinstance(logits, Tensor) or logits.shape != wanted:
            got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise InputError(
                f"{type(network).__name__} returned {got}, not logits (B, num_classes, H, W) = {wanted}; "
                "a network takes num_classes and answers at the size of its input"
            )
    return outputs
