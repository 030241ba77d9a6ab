"""Convolutions whose gradients oneDNN computes slowly on a CPU, trained in another precision."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_CONV2D = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")  # the parameters of torch.conv2d


def fast_depthwise(network: nn.Module, device: torch.device) -> AbstractContextManager[Any]:
    """Returns the context of a training step: `FastDepthwise` where it may matter, since it costs a millisecond."""
    grouped = (
        (isinstance(module, nn.Conv2d) and module.groups > 1) or type(module).__name__ == "BlurPool2d"  # timm's
        for module in network.modules()
    )
    return FastDepthwise() if device.type == "cpu" and any(grouped) else nullcontext()


class FastDepthwise(TorchFunctionMode):
    """Trains depthwise convolutions in float32 where their gradients are slow in bf16: on a CPU.

    oneDNN has no fast gradients in bf16 for a stride, or a kernel of more than 3 x 3: with 144 channels of 88 x 120
    pixels, 5 x 5 and stride 2, they take 232 ms, and 25 ms in float32 (one thread with AVX-512 bf16, torch 2.15).
    Outputs remain bf16.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Calls a function of torch; a convolution with slow gradients in float32."""
        if func is not torch.conv2d:
            return func(*args, **(kwargs or {}))
        named = dict(zip(_CONV2D, args, strict=False)) | (kwargs or {})
        return _conv2d_in_float32(**named) if _has_slow_gradients(**named) else func(**named)


def _conv2d_in_float32(**named: Any) -> Tensor:
    values: dict[str, Any] = {
        name: value.float() if isinstance(value, Tensor) else value for name, value in named.items()
    }
    with torch.autocast("cpu", enabled=False):
        return torch.conv2d(**values).bfloat16()


def _has_slow_gradients(input: Tensor, weight: Tensor, stride: Any = 1, groups: int = 1, **_: Any) -> bool:
    """Whether a convolution on a CPU is in bf16, is trained, and is depthwise with a stride or a large kernel."""
    if input.device.type != "cpu" or not 1 < groups == input.shape[1]:
        return False
    strided = stride not in (1, (1, 1), [1, 1])
    trained = torch.is_grad_enabled() and (input.requires_grad or weight.requires_grad)
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else input.dtype
    return trained and dtype == torch.bfloat16 and (strided or max(weight.shape[2:]) > 3)
