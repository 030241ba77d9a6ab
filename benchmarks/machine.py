"""The machine that is measured: what it is, and how work is put on its device and timed there."""

import os
import platform
import re
import sys
from pathlib import Path
from time import perf_counter

import torch

from seglit.hardware import fastest_memory_format, fastest_precision, find_device


def describe_machine() -> str:
    """Hardware and software, and how busy the machine is: on a busy one the numbers mean nothing."""
    device = find_device()
    name = torch.cuda.get_device_name() if device == "cuda" else device
    threads = f"{os.cpu_count()} logical cores, {torch.get_num_threads()} threads in PyTorch"
    lines = [
        f"processor  {_processor()}, {torch.backends.cpu.get_cpu_capability()}, {threads}",
        f"device     {name}, fastest in {fastest_precision(device)}, {fastest_memory_format(device)}",
        f"software   {platform.system()}, Python {platform.python_version()}, torch {torch.__version__}",
    ]
    if sys.platform != "win32":
        lines.append(f"load       {os.getloadavg()[0]:.1f} processes over the last minute")
    return "\n".join(lines)


def fastest_layout() -> torch.memory_format:
    """seglit's choice of layout for this hardware."""
    fast = fastest_memory_format(find_device()) == "channels_last"
    return torch.channels_last if fast else torch.contiguous_format


def autocast(precision: str) -> torch.autocast:
    """What Lightning's precision of this name computes in."""
    dtype = torch.float16 if precision == "16-mixed" else torch.bfloat16
    return torch.autocast(find_device(), dtype, enabled=precision != "32-true")


def now() -> float:
    """The time in seconds, once the device has done all that it was given."""
    if find_device() != "cpu":
        torch.accelerator.synchronize()
    return perf_counter()


def peak_memory() -> int:
    """Bytes held at most so far: of the GPU's memory, or without one of this process's (not its workers').

    Needs Linux or macOS where there is no GPU.
    """
    if find_device() == "cuda":
        return torch.cuda.max_memory_allocated()
    if sys.platform == "linux":  # ru_maxrss would start from what the parent process held
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists() and (found := re.search(r"model name\s*:\s*(.+)", cpuinfo.read_text(encoding="utf-8"))):
        return found[1]
    return platform.processor() or platform.machine()
