"""The networks that are written to be read: U-Net, FCN and Segmenter."""

from collections.abc import Callable
from typing import Any, Literal

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from seglit.errors import InputError
from seglit.networks import FCN, Segmenter, UNet
from seglit.networks.fcn import interpolation

FCN_CHANNELS = (4, 4, 6, 6, 8, 8)
HAND_WRITTEN: dict[str, Callable[[int, int], nn.Module]] = {
    "unet-transposed": lambda classes, channels: UNet(classes, channels, (4, 6, 8), "transposed"),
    "unet-bilinear": lambda classes, channels: UNet(classes, channels, (4, 6, 8), "bilinear"),
    "fcn8-transposed": lambda classes, channels: FCN(classes, channels, FCN_CHANNELS, 8, "transposed"),
    "fcn8-bilinear": lambda classes, channels: FCN(classes, channels, FCN_CHANNELS, 8, "bilinear"),
    "fcn16": lambda classes, channels: FCN(classes, channels, FCN_CHANNELS, 16),
    "fcn32": lambda classes, channels: FCN(classes, channels, FCN_CHANNELS, 32),
    "segmenter-mask": lambda classes, channels: Segmenter(classes, channels, 16, 2, 4, 14, "mask"),
    "segmenter-linear": lambda classes, channels: Segmenter(classes, channels, 16, 2, 4, 16, "linear"),
}
WITH_ENCODER: dict[str, Callable[[int, int], nn.Module]] = {
    # mit_b0 has no map at stride 2
    "unet-mit_b0": lambda classes, channels: UNet(classes, channels, (4, 6, 8, 8, 8), encoder="mit_b0"),
    "fcn-resnet18": lambda classes, channels: FCN(classes, channels, encoder="resnet18"),
}
ALL = HAND_WRITTEN | WITH_ENCODER


@pytest.mark.parametrize("name", ALL)
def test_logits_have_the_size_of_the_images(name: str) -> None:
    network = ALL[name](5, 2).eval()
    for size in ((1, 1), (1, 37), (33, 47), (64, 32)):
        with torch.no_grad():
            logits = network(torch.rand(1, 2, *size))
        assert logits.shape == (1, 5, *size)
        assert logits.isfinite().all()


@pytest.mark.parametrize("channels", [1, 2, 4, 7])
@pytest.mark.parametrize("name", ALL)
def test_images_have_any_number_of_channels(name: str, channels: int) -> None:
    network = ALL[name](5, channels).eval()
    with torch.no_grad():
        assert network(torch.rand(1, channels, 33, 47)).shape == (1, 5, 33, 47)
    assert network.normalization is None


@pytest.mark.parametrize(
    ("encoder", "channels"),
    [("tu-mobilenetv3_small_050", (4, 6, 8)), ("vgg11", (4, 6, 8, 8))],  # VGG has features of its own at stride 1
)
def test_unet_with_encoders_of_any_depth(encoder: str, channels: tuple[int, ...]) -> None:
    with torch.device("meta"), torch.no_grad():
        assert UNet(5, 2, channels, encoder=encoder)(torch.rand(2, 2, 33, 47)).shape == (2, 5, 33, 47)


@pytest.mark.parametrize("name", ALL)
def test_gradients_reach_every_parameter(name: str) -> None:
    torch.manual_seed(0)
    network = ALL[name](3, 3)
    loss = F.cross_entropy(network(torch.rand(2, 3, 70, 65)), torch.randint(3, (2, 70, 65)))
    torch.autograd.backward(loss)
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    assert [name for name, gradient in gradients.items() if gradient is None or not gradient.any()] == []


@pytest.mark.parametrize("name", HAND_WRITTEN)
def test_logits_do_not_depend_on_batch_or_reload(name: str) -> None:
    images = torch.rand(3, 3, 33, 47)
    network, reloaded = (HAND_WRITTEN[name](2, 3).eval() for _ in range(2))
    reloaded.load_state_dict(network.state_dict(), strict=True)
    with torch.no_grad():
        torch.testing.assert_close(network(images)[1:2], reloaded(images[1:2]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("decoder", ["mask", "linear"])
def test_segmenter_overfits_one_batch(decoder: Literal["mask", "linear"]) -> None:
    torch.manual_seed(0)
    masks = torch.randint(3, (2, 5, 6)).repeat_interleave(8, 1).repeat_interleave(8, 2)
    images = F.one_hot(masks, 3).movedim(-1, 1) + 0.3 * torch.randn(2, 3, *masks.shape[1:])
    network = Segmenter(3, width=32, depth=2, heads=4, patch_size=8, decoder=decoder)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.005)
    for _ in range(60):
        loss = F.cross_entropy(network(images), masks)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    assert (network(images).argmax(dim=1) == masks).float().mean() > 0.9  # the borders between patches are blurred


def test_segmenter_in_bfloat16() -> None:
    network = Segmenter(3, width=16, depth=1, heads=2, patch_size=8).to(torch.bfloat16)
    assert network(torch.rand(1, 3, 17, 24, dtype=torch.bfloat16)).dtype == torch.bfloat16


def test_default_unet_has_the_size_of_the_paper() -> None:
    # As widely counted for the U-Net with BatchNorm (github.com/milesial/Pytorch-UNet): 31,037,698 for two classes.
    with torch.device("meta"):
        assert sum(parameter.numel() for parameter in UNet(num_classes=2).parameters()) == 31_037_698


@pytest.mark.parametrize("factor", [2, 8, 16, 32])
def test_transposed_convolution_starts_as_bilinear_interpolation(factor: int) -> None:
    scores = torch.rand(2, 3, 4, 5)
    with torch.no_grad():
        learned = interpolation(3, factor, "transposed")(scores)
    expected = F.interpolate(scores, scale_factor=factor, mode="bilinear", align_corners=False)
    inside = (..., slice(factor // 2, -factor // 2), slice(factor // 2, -factor // 2))
    torch.testing.assert_close(learned[inside], expected[inside])
    assert learned.shape == expected.shape


@pytest.mark.parametrize("stride", [8, 16])
def test_fcn_starts_as_fcn32(stride: Literal[8, 16]) -> None:
    network = FCN(3, 3, FCN_CHANNELS, stride, "bilinear").eval()
    images = torch.rand(1, 3, 70, 75)
    with torch.no_grad():
        expected = network.score(network.encoder(images)[-1])  # (1, 3, 3, 3)
        for factor, height, width in [(2, 5, 5), (2, 9, 10), (8, 70, 75)] if stride == 8 else [(2, 5, 5), (16, 70, 75)]:
            expected = F.interpolate(expected, scale_factor=factor, mode="bilinear", align_corners=False)
            expected = expected[:, :, :height, :width]  # pixel (0, 0) stays in its place
        assert expected.std() > 0
        torch.testing.assert_close(network(images), expected)


@pytest.mark.parametrize(
    ("network", "options", "message"),
    [
        (UNet, {"channels": [8]}, "at least two levels"),
        (UNet, {"channels": [8, 0]}, "each must be 1 or more"),
        (UNet, {"channels": [8, 8], "encoder": "resnet18"}, "3 to 5 channels"),
        (UNet, {"encoder_weights": "imagenet"}, "require an encoder"),
        (UNet, {"encoder": "resnet81"}, "unknown encoder 'resnet81'; did you mean 'resnet18"),
        (UNet, {"encoder": "tu-convnext_atom"}, "did you mean 'tu-convnext_atto"),
        (UNet, {"encoder": "tu-resnet18.nope"}, "no weights 'nope': it has a1_in1k"),
        (UNet, {"encoder": "resnet18", "encoder_weights": "nope"}, "it has imagenet, ssl, swsl"),
        (UNet, {"encoder": "tu-resnetblur18", "encoder_weights": "imagenet"}, "it has none, set null"),
        (UNet, {"encoder": "tu-vit_tiny_patch16_224"}, "no feature pyramid"),
        (FCN, {"encoder": "tu-twins_pcpvt_small"}, "for any image size"),
        (FCN, {"channels": [8] * 5}, "FCN requires 6 channels"),
        (FCN, {"stride": 4}, "FCN stride is 4; it must be 8, 16 or 32"),
        (FCN, {"upsample": "nearest"}, "upsample is 'nearest'; it must be transposed or bilinear"),
        (UNet, {"upsample": "nearest"}, "upsample is 'nearest'; it must be transposed or bilinear"),
        (Segmenter, {"decoder": "Mask"}, "decoder is 'Mask'; it must be mask or linear"),
        (Segmenter, {"width": 100}, "width 100 is not a multiple of 6 heads"),
        (Segmenter, {"encoder_weights": "imagenet"}, "require an encoder, such as tu-vit_tiny_patch16_224"),
        (Segmenter, {"encoder": "resnet34"}, "encoder resnet34 is not a plain Vision Transformer of timm"),
        (Segmenter, {"encoder": "tu-vit_small_patch16_dinov3"}, r"its class is Eva\): try tu-vit_tiny_patch16_224"),
        (Segmenter, {"encoder": "tu-vit_tiny_patch16"}, "did you mean 'tu-vit_tiny_patch16_384'"),
    ],
)
def test_errors_are_one_line(network: type[nn.Module], options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        network(num_classes=2, **options)
    assert "\n" not in str(raised.value)
