"""Device, precision, memory format and optimizer kernels that are fastest on the hardware."""

import ctypes
import faulthandler
import os
import platform
import sys
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

Device = Literal["cuda", "mps", "cpu"]
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # of glibc's malloc.h
_CONV2D = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")  # the parameters of torch.conv2d
_FUSED = ("torch.optim.Adam", "torch.optim.AdamW", "torch.optim.SGD")  # with fused kernels on CUDA and CPU


def find_device(accelerator: str = "auto") -> Device:
    """Returns the device type that Lightning's `trainer.accelerator` resolves to on this machine."""
    if accelerator in ("cuda", "gpu", "auto") and torch.cuda.is_available():
        return "cuda"
    if accelerator in ("mps", "gpu", "auto") and torch.backends.mps.is_available():
        return "mps"
    return "cpu"


def fastest_precision(device: Device) -> Literal["bf16-mixed", "16-mixed", "32-true"]:
    """Returns bf16 if the device supports it natively, else fp16 on CUDA, else float32."""
    if device == "cuda":
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "16-mixed"
    # oneDNN emulates bf16 on a CPU without these instructions, slower than float32
    native = device == "cpu" and (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return "bf16-mixed" if native else "32-true"


def fastest_memory_format(device: Device) -> Literal["channels_last", "contiguous"]:
    """Returns channels_last, for which CPU and tensor-core convolutions are optimised; MPS has no such kernels."""
    return "contiguous" if device == "mps" else "channels_last"


def choose_by_hardware(config: Any) -> None:
    """Sets precision, memory layout and fused kernels where they are not set, and makes bf16 work on the CPU."""
    device = find_device(config.trainer.accelerator)
    if device == "cpu":
        avoid_broken_amx()
    config.trainer.precision = config.trainer.precision or fastest_precision(device)
    config.model.memory_format = config.model.memory_format or fastest_memory_format(device)
    if device != "mps" and config.model.get("optimizer.class_path") in _FUSED:  # a function has none
        arguments = config.model.optimizer.init_args
        if arguments.fused is None and arguments.foreach is None and not arguments.differentiable:
            arguments.fused = True  # updates each parameter in one pass


@cache
def keep_freed_memory() -> None:
    """Makes glibc keep the memory of freed tensors for the next ones.

    By default it returns blocks of 32 MB and more, and the free end of the heap, to the system, so each step or batch
    allocates its activations again, page by page: up to a third of the time on the CPU. The variables by which glibc is
    configured (`MALLOC_...`, `GLIBC_TUNABLES`) take precedence.
    """
    configured = any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ)
    if platform.libc_ver()[0] == "glibc" and not configured:
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, -1)  # never


@cache
def avoid_broken_amx() -> None:
    """Disables the CPU's AMX instructions in oneDNN if they are advertised but do not work.

    Some virtual machines advertise AMX but hide the size of its tiles (CPUID leaf 0x1D reads zero). oneDNN then
    multiplies bf16 on tiles that it never configured, and the process dies of an illegal instruction. This is tested
    in a child process; if it fails, oneDNN is limited to AVX-512, which also multiplies bf16. Call it before the
    process's first convolution or matrix product, when oneDNN reads the setting.
    """
    if sys.platform != "linux" or "ONEDNN_MAX_CPU_ISA" in os.environ or not torch.cpu._is_amx_tile_supported():
        return
    with warnings.catch_warnings():
        # Python 3.12 warns about forking a multi-threaded process; the child needs no other thread
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        faulthandler.disable()
        torch.set_num_threads(1)
        ones = torch.ones(64, 64, dtype=torch.bfloat16)
        os._exit(int((ones @ ones)[0, 0].item() != 64))
    if os.waitpid(child, 0)[1] != 0:
        os.environ["ONEDNN_MAX_CPU_ISA"] = "AVX512_CORE_FP16"


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
