"""Convolutions whose gradients oneDNN computes slowly on a CPU, computed in another way."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_CONV2D = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")  # the parameters of torch.conv2d
_ONE = (1, (1, 1), [1, 1])  # a stride
_MANY_CHANNELS = 32  # fewer take as long in either layout


def fast_gradients(network: nn.Module, device: torch.device) -> AbstractContextManager[Any]:
    """Returns the context of a training step: `FastGradients` where it may matter, since it costs a millisecond.

    Not for a compiled network, which torch.compile would divide at each convolution.
    """
    return FastGradients() if device.type == "cpu" and any(map(_may_be_slow, network.modules())) else nullcontext()


class FastGradients(TorchFunctionMode):
    """Trains convolutions in another way where their gradients are slow, on a CPU; outputs keep their dtype and layout.

    - In bf16, depthwise convolutions with a stride, or a kernel of more than 3 x 3, are computed in float32. With 144
      channels of 88 x 120 pixels, 5 x 5 and stride 2, their gradients take 232 ms in bf16, and 25 ms in float32 (one
      thread with AVX-512 bf16, torch 2.15).
    - In float32 with AVX2, the gradient of the weights is computed from a contiguous copy of images in channels_last.
      With 4 x 128 channels of 88 x 120 pixels and 64 filters of 3 x 3, it takes 246 ms of processor time without, and
      125 with the copy (torch 2.15).
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Calls a function of torch; a convolution with slow gradients in another way."""
        if func is not torch.conv2d:
            return func(*args, **(kwargs or {}))
        named = dict(zip(_CONV2D, args, strict=False)) | (kwargs or {})
        if _is_slow_depthwise(**named):
            return _conv2d_in_float32(**named)
        return _conv2d_by_copy(**named) if _is_slow_in_channels_last(**named) else func(**named)


def _may_be_slow(module: nn.Module) -> bool:
    if isinstance(module, nn.Conv2d) and module.groups == 1:
        return _has_slow_channels_last() and module.in_channels >= _MANY_CHANNELS and max(module.kernel_size) > 1
    return isinstance(module, nn.Conv2d) or type(module).__name__ == "BlurPool2d"  # timm's, which is depthwise


def _has_slow_channels_last() -> bool:
    """Whether the CPU's vectors are those for which the gradient of weights is slow in channels_last."""
    return torch.backends.cpu.get_cpu_capability() == "AVX2"


def _is_slow_depthwise(input: Tensor, weight: Tensor, stride: Any = 1, groups: int = 1, **_: Any) -> bool:
    """Whether a convolution on a CPU is in bf16, is trained, and is depthwise with a stride or a large kernel."""
    if input.device.type != "cpu" or not 1 < groups == input.shape[1]:
        return False
    trained = torch.is_grad_enabled() and (input.requires_grad or weight.requires_grad)
    return trained and _dtype(input) == torch.bfloat16 and (stride not in _ONE or max(weight.shape[2:]) > 3)


def _is_slow_in_channels_last(
    input: Tensor, weight: Tensor, stride: Any = 1, padding: Any = 0, groups: int = 1, **_: Any
) -> bool:
    """Whether a convolution with AVX2 is in float32 and channels_last, trains its weights, and is a large one."""
    if not (torch.is_grad_enabled() and weight.requires_grad and _has_slow_channels_last()):
        return False
    if input.device.type != "cpu" or input.ndim != 4 or isinstance(padding, str) or stride not in _ONE:
        return False
    large = groups == 1 and input.shape[1] >= _MANY_CHANNELS and max(weight.shape[2:]) > 1
    return large and _dtype(input) == weight.dtype == torch.float32 and not input.is_contiguous()


def _dtype(input: Tensor) -> torch.dtype:
    """Returns what a convolution computes in."""
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else input.dtype


def _conv2d_in_float32(**named: Any) -> Tensor:
    values: dict[str, Any] = {
        name: value.float() if isinstance(value, Tensor) else value for name, value in named.items()
    }
    with torch.autocast("cpu", enabled=False):
        return torch.conv2d(**values).bfloat16()


def _conv2d_by_copy(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    pairs = [list(each) if isinstance(each, tuple | list) else [each, each] for each in (stride, padding, dilation)]
    is_transposed, output_padding = False, [0, 0]
    output: Tensor = _ByCopy.apply(input, weight, bias, *pairs, is_transposed, output_padding, groups)
    return output


class _ByCopy(torch.autograd.Function):
    """A convolution; the gradient of its weights is computed from a contiguous copy of the images."""

    @staticmethod
    def forward(*arguments: Any) -> Tensor:  # those of aten's convolution
        output: Tensor = torch.ops.aten.convolution(*arguments)
        return output

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], _: Tensor) -> None:
        images, weight, _, *ctx.settings = inputs
        ctx.save_for_backward(images, weight)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        images, weight = ctx.saved_tensors
        of_images, of_weight, of_bias, *rest = ctx.needs_input_grad
        backward = partial(torch.ops.aten.convolution_backward, *outer)
        sizes = [len(weight)]  # of the bias
        to_images, _, _ = backward(images, weight, sizes, *ctx.settings, (of_images, False, False))
        copies = images.contiguous(), weight.contiguous()  # both: one in channels_last makes the other so
        _, to_weight, to_bias = backward(*copies, sizes, *ctx.settings, (False, of_weight, of_bias))
        return to_images, to_weight, to_bias, *(None for _ in rest)
