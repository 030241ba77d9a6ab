"""Convolutions whose gradients are slow on a CPU."""

from typing import Any

import pytest
import torch
from timm.layers.blur_pool import BlurPool2d
from torch import Tensor, nn

from seglit.networks.fast_gradients import FastDepthwise, fast_depthwise


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
