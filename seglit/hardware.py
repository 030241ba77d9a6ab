"""What the hardware at hand computes fastest in."""

import faulthandler
import os
import sys
import warnings
from functools import cache
from typing import Literal

import torch

Device = Literal["cuda", "mps", "cpu"]


def find_device(accelerator: str = "auto") -> Device:
    """The kind of device that Lightning's `trainer.accelerator` comes down to here."""
    if accelerator in ("cuda", "gpu", "auto") and torch.cuda.is_available():
        return "cuda"
    if accelerator in ("mps", "gpu", "auto") and torch.backends.mps.is_available():
        return "mps"
    return "cpu"


def fastest_precision(device: Device) -> Literal["bf16-mixed", "16-mixed", "32-true"]:
    """bf16 where the device multiplies it natively, else fp16 on a GPU that has only that, else float32."""
    if device == "cuda":
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "16-mixed"
    # oneDNN emulates bf16 on a CPU without these instructions, slower than float32
    native = device == "cpu" and (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return "bf16-mixed" if native else "32-true"


def fastest_memory_format(device: Device) -> Literal["channels_last", "contiguous"]:
    """channels_last, which convolutions on CPUs and tensor cores are written for; MPS has no such kernels."""
    return "contiguous" if device == "mps" else "channels_last"


@cache
def avoid_broken_amx() -> None:
    """Keeps oneDNN from the CPU's AMX instructions where they are announced and do not work.

    Some virtual machines announce AMX but hide the size of its tiles (CPUID leaf 0x1D reads zero). oneDNN then
    multiplies bf16 on tiles that it never configured, and the process dies of an illegal instruction. Whether it does
    is tried in a child process; if so, oneDNN is held to AVX-512, which multiplies bf16 as well. It must be called
    before the process's first convolution or matrix product, when oneDNN reads the setting.
    """
    if sys.platform != "linux" or "ONEDNN_MAX_CPU_ISA" in os.environ or not torch.cpu._is_amx_tile_supported():
        return
    with warnings.catch_warnings():
        # Python 3.12 warns of forking beside other threads; this child needs none of them
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        faulthandler.disable()
        torch.set_num_threads(1)
        ones = torch.ones(64, 64, dtype=torch.bfloat16)
        os._exit(int((ones @ ones)[0, 0].item() != 64))
    if os.waitpid(child, 0)[1] != 0:
        os.environ["ONEDNN_MAX_CPU_ISA"] = "AVX512_CORE_FP16"
