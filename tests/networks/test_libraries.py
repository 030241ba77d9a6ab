"""The networks of segmentation_models_pytorch and torchvision, and pretrained weights."""

import json
import urllib.error
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import safetensors.torch
import segmentation_models_pytorch as smp
import torch
from torch import Tensor, nn
from torchvision.models import WeightsEnum, get_model, list_models, segmentation

from seglit.errors import InputError
from seglit.networks import FCN, SMP, Normalization, Torchvision, UNet
from seglit.runs.failures import explaining_failures

TINY = "tu-mobilenetv3_small_050"
ENCODERS = dict.fromkeys(smp.MODEL_ARCHITECTURES_MAPPING, TINY) | {"dpt": "tu-vit_tiny_patch16_224"}
PAIRS = [
    *ENCODERS.items(),
    ("segformer", "mit_b0"),
    ("unet", "tu-convnext_atto"),
]
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
EXPECTED = {
    1: Normalization((0.449,), (0.226,)),
    3: Normalization(MEAN, STD),
    4: Normalization((*MEAN, MEAN[0]), (*STD, STD[0])),
}


@pytest.mark.parametrize(("architecture", "encoder"), PAIRS)
def test_smp_logits_have_the_size_of_the_images(architecture: str, encoder: str) -> None:
    network = SMP(5, 2, architecture=architecture, encoder_name=encoder)
    assert network.normalization is None
    assert list(network.encoder.parameters())
    network.eval()
    with torch.no_grad():
        assert network(torch.rand(1, 2, 33, 47)).shape == (1, 5, 33, 47)
        assert network.train()(torch.rand(2, 2, 1, 17)).shape == (2, 5, 1, 17)


@pytest.mark.parametrize("channels", [1, 2, 4, 7])
@pytest.mark.parametrize(
    ("network", "options"),
    [
        (SMP, {"architecture": "unet", "encoder_name": "resnet18"}),
        (SMP, {"architecture": "segformer", "encoder_name": "mit_b0"}),
        (SMP, {"architecture": "fpn", "encoder_name": TINY}),
        (SMP, {"architecture": "dpt", "encoder_name": "tu-vit_tiny_patch16_224"}),
        (Torchvision, {"architecture": "fcn_resnet50"}),
        (Torchvision, {"architecture": "lraspp_mobilenet_v3_large"}),
    ],
)
def test_images_have_any_number_of_channels(network: type[nn.Module], options: dict[str, Any], channels: int) -> None:
    built = network(5, channels, **options).eval()
    assert built.normalization is None
    with torch.no_grad():
        assert built(torch.rand(1, channels, 32, 32)).shape == (1, 5, 32, 32)


def test_smp_state_dict_loads_strictly_and_padding_is_cropped() -> None:
    images = torch.rand(1, 3, 64, 32)
    network = SMP(3, architecture="fpn", encoder_name=TINY).eval()
    alone = smp.FPN(TINY, encoder_weights=None, classes=3).eval()
    alone.load_state_dict(network.model.state_dict(), strict=True)
    with torch.no_grad():
        torch.testing.assert_close(network(images), alone(images))


@pytest.mark.parametrize(
    ("architecture", "side"), [("pan", 64), ("deeplabv3", 64), ("deeplabv3plus", 64), ("upernet", 64), ("unet", 32)]
)
def test_batch_of_one_is_explained_in_training(architecture: str, side: int) -> None:
    network = SMP(2, architecture=architecture, encoder_name=TINY)
    message = r"^BatchNorm .* of one image .*: set data\.init_args\.batch_size to 2 or more, with at least two training"
    with pytest.raises(InputError, match=message), explaining_failures():
        network(torch.rand(1, 3, side, side))


@pytest.mark.parametrize("architecture", list_models(module=segmentation))
def test_torchvision_logits_have_the_size_of_the_images(architecture: str) -> None:
    # Without numbers, for the sake of time, where the backbone is large.
    with torch.device("meta" if "resnet" in architecture else "cpu"), torch.no_grad():
        network = Torchvision(5, 2, architecture=architecture)
        trained = network(torch.rand(2, 2, 33, 47))
        network.eval()
        assert network(torch.rand(1, 2, 1, 39)).shape == (1, 5, 1, 39)
    assert isinstance(trained, Tensor if architecture.startswith("lraspp") else tuple)
    for logits in [trained] if isinstance(trained, Tensor) else trained:
        assert logits.shape == (2, 5, 33, 47)
    assert network.encoder is network.model.backbone


@pytest.mark.parametrize("architecture", ["lraspp_mobilenet_v3_large", "deeplabv3_mobilenet_v3_large"])
@pytest.mark.parametrize(("num_classes", "in_channels"), [(21, 3), (4, 1), (4, 4)])
def test_torchvision_weights_fit_other_classes_and_channels(
    monkeypatch: pytest.MonkeyPatch, architecture: str, num_classes: int, in_channels: int
) -> None:
    aux = {} if architecture.startswith("lraspp") else {"aux_loss": True}
    stored = get_model(architecture, weights=None, weights_backbone=None, num_classes=21, **aux).eval()
    monkeypatch.setattr(WeightsEnum, "get_state_dict", lambda *_, **__: stored.state_dict())
    monkeypatch.setattr("seglit.networks.torchvision.is_reachable", lambda _: True)
    network = Torchvision(num_classes, in_channels, architecture=architecture, weights="DEFAULT").eval()

    assert network.normalization is not None
    assert network.normalization.mean == pytest.approx(EXPECTED[in_channels].mean)
    assert network.normalization.std == pytest.approx(EXPECTED[in_channels].std)
    grey = torch.rand(1, 1, 40, 40)  # the same in every channel, and so the same features whatever their number
    with torch.no_grad():
        logits = network(grey.expand(1, in_channels, 40, 40))
        features = network.encoder(grey.expand(1, in_channels, 40, 40))
        expected = stored.backbone(grey.expand(1, 3, 40, 40))
    assert logits.shape == (1, num_classes, 40, 40)
    if in_channels < 4:  # four channels repeat the red weights, which grey images cannot tell from the others' sum
        for name, feature in expected.items():
            torch.testing.assert_close(features[name], feature, rtol=1e-3, atol=1e-4)
    if num_classes == 21:
        with torch.no_grad():
            torch.testing.assert_close(logits, stored(grey.expand(1, 3, 40, 40))["out"])


@pytest.mark.parametrize("in_channels", [1, 3])
def test_encoder_weights_are_loaded_with_their_normalization(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, in_channels: int
) -> None:
    stored = smp.encoders.get_encoder("resnet18", weights=None)
    safetensors.torch.save_file(stored.state_dict(), tmp_path / "model.safetensors")
    byte_units = {"input_range": [0, 255], "mean": [value * 255 for value in MEAN], "std": [v * 255 for v in STD]}
    (tmp_path / "config.json").write_text(json.dumps(byte_units))
    monkeypatch.setattr(smp.encoders, "hf_hub_download", lambda _, filename, **__: str(tmp_path / filename))

    options: dict[str, Any] = {"encoder_weights": "imagenet"}
    networks: list[nn.Module] = [
        UNet(2, in_channels, channels=(4, 4, 4, 4, 4), encoder="resnet18", **options),
        SMP(2, in_channels, architecture="fpn", encoder_name="resnet18", **options),
    ]
    for network in networks:
        normalization = network.normalization
        assert isinstance(normalization, Normalization)
        assert normalization.mean == pytest.approx(EXPECTED[in_channels].mean)
        assert normalization.std == pytest.approx(EXPECTED[in_channels].std)
        loaded = network.state_dict()
        name = next(key for key in loaded if key.endswith("layer4.1.conv2.weight"))
        torch.testing.assert_close(loaded[name], stored.state_dict()["layer4.1.conv2.weight"])


@pytest.mark.parametrize("encoder", ["resnet18", "mit_b0", "tu-resnet18"])
def test_unavailable_weights_are_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, encoder: str) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    networks = [(FCN, {"encoder": encoder}), (SMP, {"architecture": "fpn", "encoder_name": encoder})]
    for network, options in networks:
        with pytest.raises(InputError, match=r"cannot be downloaded.*set encoder_weights: null") as raised:
            network(2, **options, encoder_weights="imagenet")
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("architecture", "backbone"),
    [("lraspp_mobilenet_v3_large", "mobilenet_v3_large"), ("deeplabv3_resnet50", "resnet50")],
)
def test_torchvision_takes_the_weights_of_a_file(tmp_path: Path, architecture: str, backbone: str) -> None:
    stored = get_model(backbone).state_dict()
    torch.save(stored, file := tmp_path / "backbone.pth")
    file.with_suffix(".json").write_text('{"mean": [0.5, 0.4, 0.3], "std": [0.3, 0.2, 0.1]}')
    options: dict[str, Any] = {"architecture": architecture, "weights_backbone": str(file)}
    network = Torchvision(2, **options)
    assert network.normalization == Normalization((0.5, 0.4, 0.3), (0.3, 0.2, 0.1))
    loaded = network.encoder.state_dict()
    assert len(loaded) > 300
    for name, value in loaded.items():
        assert torch.equal(value, stored[name if name in stored else f"features.{name}"])
    grey = Torchvision(2, 1, **options)
    assert grey.normalization == network.normalization.for_channels(1)
    first, expected = (next(m for m in n.encoder.modules() if isinstance(m, nn.Conv2d)) for n in (grey, network))
    torch.testing.assert_close(first.weight, expected.weight.sum(1, keepdim=True))
    with pytest.raises(InputError, match=r"weights_backbone .*: no such file; did you mean 'backbone\.pth'"):
        Torchvision(2, architecture=architecture, weights_backbone=str(file.with_stem("backbon")))


@pytest.mark.parametrize("setting", ["weights", "weights_backbone"])
def test_unavailable_torchvision_weights_are_one_line(monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: "empty")
    options: dict[str, Any] = {setting: "DEFAULT"}
    for reachable, reason in ((True, "Name or service not known"), (False, "https://.* cannot be reached")):
        monkeypatch.setattr("seglit.networks.torchvision.is_reachable", lambda _, answer=reachable: answer)
        monkeypatch.setattr(WeightsEnum, "get_state_dict", unreachable if reachable else pytest.fail)
        with pytest.raises(InputError, match=rf"cannot be downloaded.*\(.*{reason}.*set {setting}: null"):
            Torchvision(2, architecture="lraspp_mobilenet_v3_large", **options)


@pytest.mark.parametrize(
    ("network", "options", "message"),
    [
        (SMP, {"architecture": "unetplus"}, "unknown architecture 'unetplus'; did you mean 'unetplusplus"),
        (
            SMP,
            {"architecture": "unet", "encoder_name": "resnet35"},
            "unknown encoder 'resnet35'; did you mean 'resnet",
        ),
        (
            SMP,
            {"architecture": "unetplusplus", "encoder_name": "mit_b0"},
            "cannot be built with encoder mit_b0.*resnet34",
        ),
        (SMP, {"architecture": "linknet", "encoder_name": "mit_b0"}, "cannot be built with encoder mit_b0"),
        (SMP, {"architecture": "dpt", "encoder_name": "resnet18"}, "tu-vit_tiny_patch16_224 with dpt"),
        (SMP, {"architecture": "dpt", "encoder_name": "tu-eva02_tiny_patch14_224"}, "patch size 14 does not divide 32"),
        (
            SMP,
            {"architecture": "dpt", "encoder_name": "tu-vit_small_patch14_dinov2"},
            "use one of patch 16, such as tu-vit_small_patch16_dinov3, or seglit.networks.Segmenter",
        ),
        (SMP, {"architecture": "fpn", "options": {"decoder_dropuot": 0.1}}, "did you mean 'decoder_dropout'"),
        (SMP, {"architecture": "fpn", "encoder_name": TINY, "options": {"dropuot": 0.1}}, "dropuot"),
        (SMP, {"architecture": "fpn", "options": {"activation": "softmax"}}, "logits only"),
        (
            Torchvision,
            {"architecture": "fcn_resnet18"},
            "'fcn_resnet18'; did you mean 'fcn_resnet",
        ),
        (Torchvision, {"architecture": "fcn_resnet50", "weights": "IMAGENET"}, "COCO_WITH_VOC_LABELS_V1"),
        (Torchvision, {"architecture": "fcn_resnet50", "weights_backbone": "COCO"}, "resnet50 has no weights 'COCO'"),
        (
            Torchvision,
            {"architecture": "fcn_resnet50", "weights": "DEFAULT", "weights_backbone": "DEFAULT"},
            "set weights_backbone: null",
        ),
    ],
)
def test_errors_are_one_line(network: type[nn.Module], options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        network(2, **options)
    assert "\n" not in str(raised.value)
