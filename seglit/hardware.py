"""Device, precision, memory format and optimizer kernels that are fastest on the hardware."""

import ctypes
import faulthandler
import os
import platform
import sys
import warnings
from functools import cache
from typing import Any, Literal

import torch

Device = Literal["cuda", "mps", "cpu"]
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # of glibc's malloc.h
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
