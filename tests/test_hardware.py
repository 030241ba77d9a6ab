"""The workaround for broken AMX instructions, and memory that is kept."""

import os
import platform
import subprocess
import sys

import pytest
import torch

from seglit.hardware import avoid_broken_amx

PREPARED = """
from seglit.hardware import avoid_broken_amx, keep_freed_memory
avoid_broken_amx()
keep_freed_memory()
import torch
"""
MULTIPLY = """
ones = torch.ones(256, 256, dtype=torch.bfloat16)
print((ones @ ones).mean().item())
"""
TRAIN = """
import resource
from torch import nn
network = nn.Sequential(nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 4, 1))
images = torch.zeros(4, 3, 256, 256)
faults = []
for _ in range(10):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    network(images).sum().backward()
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(min(faults))  # the first step gets the memory, and a later one may if its threads take turns otherwise
"""


def output_of(script: str) -> str:
    """Runs a script in a process that is prepared for the CPU."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ONEDNN_", "MALLOC_"))}
    done = subprocess.run(
        [sys.executable, "-c", PREPARED + script], check=False, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_bf16_matrix_product_does_not_crash() -> None:
    assert float(output_of(MULTIPLY)) == 256


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators are not configured")
def test_freed_memory_is_reused() -> None:
    assert int(output_of(TRAIN)) < 100  # pages; thousands in each step otherwise


@pytest.mark.skipif(sys.platform != "linux", reason="AMX is tested on Linux only")
@pytest.mark.parametrize(("status", "setting"), [(0, None), (4, "AVX512_CORE_FP16")])
def test_amx_is_disabled_only_if_it_crashes(monkeypatch: pytest.MonkeyPatch, status: int, setting: str | None) -> None:
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    monkeypatch.setattr(os, "fork", lambda: 1)
    monkeypatch.setattr(os, "waitpid", lambda child, _options: (child, status))
    avoid_broken_amx.__wrapped__()
    assert os.environ.get("ONEDNN_MAX_CPU_ISA") == setting
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
