"""The hand-written Vision Transformer computes what timm's does, and takes its weights."""

from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import timm
import torch
from timm.models.vision_transformer import checkpoint_filter_fn
from torch import nn

from seglit.errors import InputError
from seglit.networks import SMP, Segmenter
from seglit.networks.encoder_weights import EncoderWeights
from seglit.networks.timm_transformer import transformer_like
from seglit.networks.vision_transformer import VisionTransformer

VIT = "tu-vit_tiny_patch16_224"
SMALL: dict[str, Any] = {"embed_dim": 24, "depth": 3, "num_heads": 3, "num_classes": 0}
VARIANTS: dict[str, dict[str, Any]] = {
    "augreg": {"patch_size": 16, "img_size": 64},
    "dinov2": {"patch_size": 14, "img_size": 70, "init_values": 1.0},  # layer scale
    "registers": {"patch_size": 14, "img_size": 56, "init_values": 1.0, "reg_tokens": 4, "no_embed_class": True},
    "embedded-registers": {"patch_size": 8, "img_size": 32, "reg_tokens": 2},
    "no-class-token": {"patch_size": 8, "img_size": (32, 48), "class_token": False, "global_pool": ""},
}


def timm_transformer(**options: Any) -> Any:
    """A Vision Transformer of timm of which no parameter has its initial value."""
    torch.manual_seed(0)
    model = timm.models.VisionTransformer(**SMALL, **options, dynamic_img_size=True).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


@pytest.mark.parametrize("variant", VARIANTS)
def test_features_equal_those_of_timm(variant: str) -> None:
    options = VARIANTS[variant]
    model = timm_transformer(**options)
    ours = transformer_like(model, variant).eval()
    ours.load_state_dict(model.state_dict(), strict=True)
    side = options["patch_size"]
    for size in [(4 * side, 4 * side), (3 * side, 7 * side), (side, 2 * side)]:
        images = torch.randn(2, 3, *size)
        with torch.no_grad():
            torch.testing.assert_close(ours(images), model.forward_features(images), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("in_channels", [1, 3])
def test_segmenter_takes_pretrained_weights(monkeypatch: pytest.MonkeyPatch, in_channels: int) -> None:
    name = "vit_tiny_patch16_224.augreg_in21k"
    model: Any = timm.create_model(name, num_classes=0).eval()
    # timm reads a stored state dict as it reads a downloaded one
    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", lambda *_, **__: model.state_dict())
    network = Segmenter(2, in_channels, encoder="tu-vit_tiny_patch16_224", encoder_weights="augreg_in21k").eval()
    assert network.normalization is not None
    assert network.normalization.mean == (0.5,) * in_channels
    grey = torch.randn(1, 1, 224, 224)
    with torch.no_grad():
        features = network.encoder(grey.expand(1, in_channels, 224, 224))
        torch.testing.assert_close(features, model.forward_features(grey.expand(1, 3, 224, 224)), rtol=1e-4, atol=1e-5)


def test_segmenter_takes_weights_of_a_file(tmp_path: Path) -> None:
    model: Any = timm.create_model("vit_tiny_patch16_224", num_classes=0)
    state = {"mask_token": torch.zeros(1, 192), **model.state_dict()}  # as DINOv2's
    torch.save({"teacher": {f"backbone.{name}": value for name, value in state.items()}}, tmp_path / "dino.pth")
    (tmp_path / "dino.json").write_text('{"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.2, 0.2]}')
    network = Segmenter(2, encoder="tu-vit_tiny_patch16_224", encoder_weights=str(tmp_path / "dino.pth"))
    assert network.normalization is not None
    assert network.normalization.mean == (0.4, 0.5, 0.6)
    loaded = network.encoder.state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize("prefix", ["", "teacher."])
def test_registers_of_meta_are_converted_as_by_timm(tmp_path: Path, prefix: str) -> None:
    name = "vit_small_patch14_reg4_dinov2"
    model: Any = timm.create_model(name, num_classes=0, img_size=56, depth=1)
    state = {"mask_token": torch.zeros(1, 384), **{key: torch.randn_like(v) for key, v in model.state_dict().items()}}
    state["register_tokens"] = state.pop("reg_token")
    state["pos_embed"] = torch.randn(1, 1 + 16, 384)
    student = {f"student.{key}": value + 1 for key, value in state.items()} if prefix else {}
    torch.save({**student, **{f"{prefix}{key}": value for key, value in state.items()}}, tmp_path / "dinov2.pth")
    (tmp_path / "dinov2.json").write_text('{"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}')
    EncoderWeights(f"tu-{name}", None, tmp_path / "dinov2.pth", 3).load(model)
    expected = checkpoint_filter_fn(dict(state), model)
    assert all(torch.equal(value, expected[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize("network", [Segmenter, SMP])
def test_position_embeddings_are_resampled(tmp_path: Path, network: type[nn.Module]) -> None:
    stored: Any = timm.create_model("vit_tiny_patch16_224", img_size=96, num_classes=0)
    nn.init.normal_(stored.pos_embed)
    torch.save(stored.state_dict(), tmp_path / "larger.pth")
    options: dict[str, Any] = {"encoder": VIT} if network is Segmenter else {"architecture": "dpt", "encoder_name": VIT}
    encoder: Any = network(2, **options, encoder_weights=str(tmp_path / "larger.pth")).encoder
    loaded = (encoder if network is Segmenter else encoder.model).pos_embed
    target: Any = timm.create_model("vit_tiny_patch16_224", num_classes=0)
    expected = checkpoint_filter_fn(dict(stored.state_dict()), target)["pos_embed"]
    assert expected.shape == (1, 1 + 14 * 14, 192)
    assert torch.equal(loaded, expected)


def test_unavailable_weights_are_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(InputError, match=r"cannot be downloaded.*set encoder_weights: null"):
        Segmenter(2, encoder="tu-vit_tiny_patch16_224", encoder_weights="imagenet")


@pytest.mark.parametrize("options", [{"act_layer": nn.ReLU}, {"qk_norm": True}, {"mlp_ratio": 2.0}, {"pre_norm": True}])
def test_other_transformers_are_rejected(options: dict[str, Any]) -> None:
    model = timm.models.VisionTransformer(img_size=32, **SMALL, **options)
    with pytest.raises(InputError, match="encoder other is not a plain Vision Transformer"):
        transformer_like(model, "other")


def test_named_encoder_has_the_shapes_of_its_model() -> None:
    with torch.device("meta"):
        encoder = Segmenter(2, encoder="tu-vit_small_patch14_reg4_dinov2").encoder
    assert isinstance(encoder, VisionTransformer)
    assert (encoder.patch_size, encoder.grid_size, len(encoder.blocks)) == (14, (37, 37), 12)
    width = 384
    block = 12 * width**2 + 9 * width + 6 * width  # linear layers, their biases, two norms and two layer scales
    others = (1 + 4 + 37 * 37) * width + (14 * 14 * 3 + 1) * width + 2 * width  # tokens, positions, patches, norm
    assert sum(parameter.numel() for parameter in encoder.parameters()) == 12 * block + others
