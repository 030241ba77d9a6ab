"""Convolutions whose gradients are slow on a CPU."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest
import torch
from timm.layers.blur_pool import BlurPool2d
from torch import Tensor, nn

from seglit.networks import UNet
from seglit.networks.fast_gradients import FastGradients, fast_gradients
from tests.conftest import Run


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
    with FastGradients():
        output, *found = gradients(conv, image, outer)
    assert output.dtype == plain[0].dtype == torch.bfloat16
    torch.testing.assert_close(output, exact.bfloat16(), rtol=0.02, atol=0.02)
    for ours, theirs, right in zip(found, plain[1:], expected, strict=True):
        assert torch.equal(ours, theirs) is not fast
        assert ours.dtype == torch.float32
        assert bool((ours - right).abs().max() < 1e-4) is fast


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("settings", "copied"),
    [
        ({"kernel_size": 3, "padding": 1}, True),
        ({"kernel_size": (1, 5), "padding": (2, 0), "dilation": (1, 2)}, True),
        ({"kernel_size": 3, "stride": 2}, False),
        ({"kernel_size": 3, "padding": "same"}, False),
        ({"kernel_size": 3, "groups": 4}, False),
        ({"kernel_size": 1}, False),
    ],
)
def test_gradient_of_weights_from_a_contiguous_copy(
    settings: dict[str, Any], copied: bool, bias: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: "AVX2")
    torch.manual_seed(0)
    conv = nn.Conv2d(32, 8, bias=bias, **settings).to(memory_format=torch.channels_last)
    image = torch.randn(2, 32, 19, 23).to(memory_format=torch.channels_last).requires_grad_()
    right = conv.double()(image.double())
    outer = torch.randn_like(right)
    expected = torch.autograd.grad(right, (image, *conv.parameters()), outer)
    conv.float()
    with FastGradients():
        output = conv(image)
    assert (type(output.grad_fn).__name__ == "_ByCopyBackward") is copied
    assert output.is_contiguous(memory_format=torch.channels_last)
    found = torch.autograd.grad(output, (image, *conv.parameters()), outer.float())
    if max(conv.kernel_size) > 1:  # else a weight has one layout
        assert found[1].is_contiguous() is copied  # as of images that are
    torch.testing.assert_close(output, right.float())
    torch.testing.assert_close(found, tuple(each.float() for each in expected), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("vectors", ["AVX2", "AVX512"])
def test_gradients_of_a_network_are_the_same(vectors: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: vectors)
    torch.manual_seed(0)
    network = UNet(channels=[8, 16, 32], num_classes=3).to(memory_format=torch.channels_last)
    image = torch.randn(2, 3, 32, 48).to(memory_format=torch.channels_last)
    plain = torch.autograd.grad(network(image).square().mean(), list(network.parameters()))
    context = fast_gradients(network, image.device)
    assert isinstance(context, FastGradients) is (vectors == "AVX2")
    with context:
        output = network(image)
    output.square().mean().backward()
    for weight, gradient in zip(network.parameters(), plain, strict=True):
        assert weight.grad is not None
        torch.testing.assert_close(weight.grad, gradient, rtol=1e-4, atol=1e-6)


def test_weights_that_are_frozen_get_no_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: "AVX2")
    conv = nn.Conv2d(32, 8, 3, padding=1).to(memory_format=torch.channels_last)
    image = torch.randn(2, 32, 19, 23).to(memory_format=torch.channels_last).requires_grad_()
    conv.weight.requires_grad_(False)
    with FastGradients():
        conv(image).sum().backward()
        assert conv.weight.grad is None
        with torch.no_grad():
            assert conv(image).grad_fn is None
    assert image.grad is not None
    assert conv.bias is not None
    assert conv.bias.grad is not None


@pytest.mark.parametrize(
    ("channels", "groups", "device", "vectors", "fast"),
    [
        (8, 8, "cpu", "AVX512", True),
        (8, 1, "cpu", "AVX2", False),
        (32, 1, "cpu", "AVX2", True),
        (32, 1, "cpu", "AVX512", False),
        (32, 8, "cuda", "AVX2", False),
    ],
)
def test_other_networks_and_devices_do_not_pay_for_it(
    channels: int, groups: int, device: str, vectors: str, fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: vectors)
    network = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Sequential(nn.Conv2d(channels, 8, 3, groups=groups)))
    assert isinstance(fast_gradients(network, torch.device(device)), FastGradients) is fast
    assert isinstance(fast_gradients(BlurPool2d(8), torch.device(device)), FastGradients) is (device == "cpu")


@pytest.mark.parametrize("compiled", [False, True])
def test_training_computes_gradients_by_it_unless_compiled(
    run: Run, tiny: list[str], compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    contexts = []

    def context(*_: object) -> AbstractContextManager[None]:
        contexts.append(nullcontext())
        return contexts[-1]

    monkeypatch.setattr("seglit.module.fast_gradients", context)
    monkeypatch.setattr(nn.Module, "compile", lambda _: None)
    assert run("fit", *tiny, f"--model.compile={str(compiled).lower()}").code == 0
    assert bool(contexts) is not compiled
