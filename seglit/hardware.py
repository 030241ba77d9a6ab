"""What the hardware at hand computes fastest in."""

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
