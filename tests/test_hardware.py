"""Workarounds for broken AMX instructions and slow gradients, and memory that is kept."""

import os
import platform
import subprocess
import sys
from typing import Any

import pytest
import torch
from timm.layers.blur_pool import BlurPool2d
from torch import Tensor, nn

from seglit.hardware import FastDepthwise, avoid_broken_amx, fast_depthwise

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


def gradients(conv: nn.Conv2d, image: Tensor, outer: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The output in bf16 of autocast, and the gradients of image and weights."""
    with torch.autocast("cpu", torch.bfloat16):
        output = conv(image)
    return output, *torch.autograd.grad(output, (image, conv.weight), outer)


@pytest.mark.parametrize(
    ("kernel", "stride", "groups", "fast"),
    [(5, 1, 8, True), (3, 2, 8, True), ((1, 7), (1, 1), 8, True), (3, 1, 8, False), (5, 2, 4, False), (5, 2, 1, False)],
)
def test_slow_gradients_of_depthwise_convolutions_are_float32(
    kernel: Any, stride: Any, groups: int, fast: bool
) -> None:
    torch.manual_seed(0)
    conv, image = nn.Conv2d(8, 8, kernel, stride, groups=groups), torch.randn(2, 8, 19, 23, requires_grad=True)
    exact = conv(image)
    outer = torch.randn_like(exact).bfloat16()
    expected = torch.autograd.grad(exact, (image, conv.weight), outer.float())
    plain = gradients(conv, image, outer)
    with FastDepthwise():
        output, *found = gradients(conv, image, outer)
    assert output.dtype == plain[0].dtype == torch.bfloat16
    torch.testing.assert_close(output, exact.bfloat16(), rtol=0.02, atol=0.02)
    for ours, theirs, right in zip(found, plain[1:], expected, strict=True):
        assert torch.equal(ours, theirs) is not fast
        assert ours.dtype == torch.float32
        assert bool((ours - right).abs().max() < 1e-4) is fast


@pytest.mark.parametrize(("groups", "device", "fast"), [(8, "cpu", True), (1, "cpu", False), (8, "cuda", False)])
def test_other_networks_and_devices_do_not_pay_for_it(groups: int, device: str, fast: bool) -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Sequential(nn.Conv2d(8, 8, 3, groups=groups)))
    assert isinstance(fast_depthwise(network, torch.device(device)), FastDepthwise) is fast
    assert isinstance(fast_depthwise(BlurPool2d(8), torch.device(device)), FastDepthwise) is (device == "cpu")
