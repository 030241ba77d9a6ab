"""Weights of an encoder from files of other tools and from the hub."""

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any
from unittest import mock

import huggingface_hub
import pytest
import safetensors.torch
import segmentation_models_pytorch as smp
import timm
import torch
import torchvision
import yaml
from huggingface_hub import constants
from huggingface_hub.errors import LocalEntryNotFoundError
from torch import Tensor, nn

import seglit
from seglit.errors import InputError
from seglit.labels import Labels
from seglit.losses import CrossEntropy
from seglit.module import SegmentationModule
from seglit.networks import FCN, SMP, Normalization, UNet, hub
from seglit.networks.encoder_weights import EncoderWeights
from seglit.networks.hub import offline_at_once
from seglit.networks.weight_file import normalization_beside
from tests.conftest import Run

State = dict[str, Tensor]
MEAN, STD = [0.5, 0.4, 0.3], [0.3, 0.2, 0.1]


def prefixed(prefix: str, state: State) -> State:
    return {f"{prefix}{name}": value for name, value in state.items()}


def numbered(state: State) -> State:
    """As lightly names a ResNet in `nn.Sequential(*list(resnet.children())[:-1])`."""
    resnet = nn.Sequential(*list(resnet18(state).children())[:-1])
    return resnet.state_dict()


LAYOUTS: dict[str, Callable[[State], Any]] = {
    "torchvision": lambda state: state,
    "smp": lambda state: prefixed("encoder.", {name: value for name, value in state.items() if "fc" not in name}),
    "dino": lambda state: {
        "student": prefixed("module.backbone.", {name: value + 1 for name, value in state.items()}),
        "teacher": prefixed("backbone.", state),
    },
    "dino in one": lambda state: {
        **prefixed("student.backbone.", {name: value + 1 for name, value in state.items()}),
        **prefixed("teacher.backbone.", state),
    },
    "lightly": lambda state: {"state_dict": prefixed("backbone.", numbered(state)), "epoch": 3},
    "lightly momentum": lambda state: {
        "state_dict": {
            **prefixed("backbone.", numbered(state)),
            **prefixed("backbone_momentum.", numbered({name: value + 1 for name, value in state.items()})),
            **prefixed("projection_head.", {"layers.0.weight": torch.ones(4, 4), "layers.9.bias": torch.ones(4)}),
        }
    },
    "lightly student and teacher": lambda state: {
        "state_dict": {
            **prefixed("student_backbone.", numbered({name: value + 1 for name, value in state.items()})),
            **prefixed("teacher_backbone.", numbered(state)),
        }
    },
    "before 2018": lambda state: {name: value for name, value in state.items() if "num_batches" not in name},
}


def resnet18(state: State | None = None) -> nn.Module:
    network: nn.Module = torchvision.models.resnet18()
    if state is not None:
        network.load_state_dict(state)
    return network.eval()


@pytest.fixture(scope="module")
def stored() -> State:
    """Weights of a ResNet-18, none of them 0 or 1, as the running statistics of a new network are."""
    return {
        name: value if "tracked" in name else value + 0.02 * torch.rand_like(value)
        for name, value in resnet18().state_dict().items()
    }


@pytest.mark.parametrize("layout", LAYOUTS)
def test_features_are_those_of_the_stored_network(tmp_path: Path, stored: State, layout: str) -> None:
    file = tmp_path / "resnet18.pth"
    torch.save(LAYOUTS[layout](stored), file)
    file.with_suffix(".json").write_text(json.dumps({"mean": MEAN, "std": STD}))
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        expected = nn.Sequential(*list(resnet18(stored).children())[:-2])(images)
    networks: dict[str, nn.Module] = {
        "smp": SMP(2, architecture="fpn", encoder_name="resnet18", encoder_weights=str(file))
    }
    if layout == "torchvision":
        options: dict[str, Any] = {"encoder": "tu-resnet18", "encoder_weights": str(file)}
        networks |= {"unet": UNet(2, channels=(4, 4, 4, 4, 4), **options), "fcn": FCN(2, **options)}
    for network in networks.values():
        assert network.normalization == Normalization(tuple(MEAN), tuple(STD))
        encoder = network.eval().encoder
        assert isinstance(encoder, nn.Module)
        with torch.no_grad():
            torch.testing.assert_close(encoder(images)[-1], expected, rtol=1e-4, atol=1e-5)


def test_feature_networks_of_timm_rename_their_stages(tmp_path: Path) -> None:
    stored, file = timm.create_model("convnext_atto").state_dict(), tmp_path / "atto.safetensors"
    safetensors.torch.save_file(stored, file)
    network = SMP(2, architecture="unet", encoder_name="tu-convnext_atto", encoder_weights=str(file))
    loaded = network.encoder.state_dict()
    assert torch.equal(loaded["model.stages_3.blocks.1.mlp.fc1.weight"], stored["stages.3.blocks.1.mlp.fc1.weight"])


@pytest.mark.parametrize("channels", [1, 4])
def test_first_convolution_and_normalisation_fit_the_channels(tmp_path: Path, stored: State, channels: int) -> None:
    torch.save(stored, tmp_path / "resnet18.pth")
    (tmp_path / "config.json").write_text(json.dumps({"pretrained_cfg": {"mean": MEAN, "std": STD}}))
    weights = str(tmp_path / "resnet18.pth")
    network = SMP(2, channels, architecture="fpn", encoder_name="resnet18", encoder_weights=weights)
    expected = smp.encoders.get_encoder("resnet18", weights=None)
    expected.load_state_dict(dict(stored))
    expected.set_in_channels(channels, pretrained=True)
    torch.testing.assert_close(network.encoder.state_dict(), expected.state_dict())
    assert network.normalization == Normalization(tuple(MEAN), tuple(STD)).for_channels(channels)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("weights.json", {"mean": MEAN, "std": STD}, (MEAN, STD)),
        (
            "config.json",
            {"mean": [51, 102, 204], "std": [51] * 3, "input_range": [0, 255]},
            ((0.2, 0.4, 0.8), (0.2,) * 3),
        ),
        ("preprocessor_config.json", {"image_mean": MEAN, "image_std": STD, "rescale_factor": 1 / 255}, (MEAN, STD)),
        (
            "preprocessor_config.json",
            {"image_mean": [51, 102, 204], "image_std": [51] * 3, "do_rescale": False, "rescale_factor": 1},
            ((0.2, 0.4, 0.8), (0.2,) * 3),
        ),
        (
            "preprocessor_config.json",
            {"image_mean": [1, 1, 1], "image_std": [1, 1, 1], "rescale_factor": 1 / 127.5},
            ((0.5,) * 3, (0.5,) * 3),
        ),
        ("preprocessor_config.json", {"image_mean": MEAN, "image_std": STD, "do_normalize": False}, None),
        ("config.json", {"architecture": "resnet18"}, None),
        ("other.json", {"mean": MEAN, "std": STD}, None),
    ],
)
def test_mean_and_std_are_read(
    tmp_path: Path, name: str, content: dict[str, Any], expected: list[list[float]] | None
) -> None:
    (tmp_path / name).write_text(json.dumps(content))
    found = normalization_beside(tmp_path / "weights.pth")
    if expected is None:
        assert found is None
    else:
        assert found is not None
        assert [[*found.mean], [*found.std]] == [pytest.approx(values) for values in expected]
        assert found.scale == pytest.approx(255)


def test_mean_and_std_that_are_not_stated_are_asked_for(tmp_path: Path, stored: State) -> None:
    torch.save(stored, tmp_path / "weights.pth")
    network = SMP(4, architecture="fpn", encoder_name="resnet18", encoder_weights=str(tmp_path / "weights.pth"))
    rest: tuple[Any, Any, Labels] = (CrossEntropy(), torch.optim.SGD, Labels.create(["a", "b", "c", "d"]))
    of_data = Normalization((90.0,), (40.0,), scale=1.0)
    assert SegmentationModule(network, *rest, of_data).normalization == of_data
    with pytest.raises(InputError, match=r"no weights.json or config.json .* set data.init_args.mean and std"):
        SegmentationModule(network, *rest)


def test_files_of_seglit_state_mean_and_std_themselves(tmp_path: Path, stored: State) -> None:
    def normalization(record: dict[str, Any]) -> Normalization | None:
        state = prefixed("network.model.encoder.", stored)
        torch.save({"epoch": 3, "state_dict": state, "seglit": record}, tmp_path / "best.ckpt")
        weights = str(tmp_path / "best.ckpt")
        return SMP(2, 1, architecture="fpn", encoder_name="resnet18", encoder_weights=weights).normalization

    record: dict[str, Any] = {"network": {}, "labels": {}, "normalization": {"mean": MEAN, "std": STD, "scale": 255.0}}
    assert normalization(record) == Normalization(tuple(MEAN), tuple(STD)).for_channels(1)
    (tmp_path / "model.json").write_text(json.dumps(record))
    assert normalization_beside(tmp_path / "model.safetensors") == Normalization(tuple(MEAN), tuple(STD))
    for other in ({"mean": MEAN, "std": [0.0], "scale": 255.0}, 3):
        with pytest.raises(InputError, match=r"no best\.json .* set data\.init_args\.mean and std"):
            normalization({**record, "normalization": other})
    (tmp_path / "config.json").write_text(json.dumps({"mean": [0.1] * 3, "std": [0.1] * 3}))  # of other weights
    assert normalization(record) == Normalization(tuple(MEAN), tuple(STD)).for_channels(1)
    with pytest.raises(InputError, match=r"mean \[0\.5, 0\.4, 0\.3\] and .* in units of their images: set data\.init"):
        normalization({**record, "normalization": {"mean": MEAN, "std": STD, "scale": 1.0}})


def test_normalization_of_another_tool_is_not_that_of_seglit(tmp_path: Path, stored: State) -> None:
    weights, in_255 = tmp_path / "other.pth", {"mean": [123.675] * 3, "std": [58.395] * 3}
    record = {"network": {}, "labels": {}, "normalization": {**in_255, "scale": 255.0}}

    def normalization() -> Normalization | None:
        return SMP(2, architecture="fpn", encoder_name="resnet18", encoder_weights=str(weights)).normalization

    for checkpoint in ({"hparams": record}, {"network": {}, "labels": {}, "normalization": in_255}):
        torch.save({"state_dict": stored, **checkpoint}, weights)
        weights.with_suffix(".json").write_text(json.dumps({"normalization": {**in_255, "scale": 1 / 255}}))
        with pytest.raises(InputError, match=r"set data\.init_args\.mean and std"):
            normalization()
    weights.with_suffix(".json").write_text(json.dumps(in_255))
    with pytest.raises(InputError, match=r"other\.json: mean \[123.*are not those of images from 0 to 1"):
        normalization()


@pytest.mark.parametrize("content", ["[1]", "{broken", '{"mean": 1, "std": 2}', '{"mean": [0.5], "std": [0]}'])
def test_unreadable_mean_and_std_are_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "weights.json").write_text(content)
    with pytest.raises(InputError, match=r"weights\.json: .*mean"):
        normalization_beside(tmp_path / "weights.pth")


def test_wrong_files_are_one_line(tmp_path: Path, stored: State) -> None:
    file = tmp_path / "weights.pth"
    torch.save(stored, file)
    for weights, encoder, message in (
        (
            file,
            "tu-mobilenetv3_small_050",
            r"not those of tu-mobilenetv3_small_050: \d+ of \d+ weights do not fit, the first",
        ),
        (
            file,
            "resnet50",
            r"the first conv1|the first layer1.0.conv1.weight \(64, 64, 1, 1\), which is \(64, 64, 3, 3\)",
        ),
        (tmp_path / "weight.pth", "resnet18", "no such file; did you mean 'weights.pth'"),
        (tmp_path / "weights", "resnet18", "has no weights"),
        (None, None, "require an encoder"),
    ):
        with pytest.raises(InputError, match=message) as raised:
            UNet(2, channels=(4, 4, 4), encoder=encoder, encoder_weights=str(weights))
        assert "\n" not in str(raised.value)


def test_architecture_beside_the_file_is_that_of_the_encoder(tmp_path: Path) -> None:
    """Both have the same names and shapes, but pad differently."""
    with torch.device("meta"):
        one, other = (timm.create_model(f"{prefix}efficientnet_lite0").state_dict() for prefix in ("tf_", ""))
    assert {name: value.shape for name, value in one.items()} == {name: value.shape for name, value in other.items()}
    file, settings = tmp_path / "model.pth", {"architecture": "tf_efficientnet_lite0", "mean": MEAN, "std": STD}
    file.with_suffix(".json").write_text(json.dumps(settings))
    torch.save({}, file)
    with pytest.raises(InputError, match=r"of tf_efficientnet_lite0, not of efficientnet_lite0: name that encoder"):
        EncoderWeights("tu-efficientnet_lite0.ra_in1k", None, file, 3).load(nn.Identity())
    for encoder, stated in (("tu-resnetv2_50", "resnetv2_101"), ("resnet50", "resnet101")):  # whose layers are more
        file.with_suffix(".json").write_text(json.dumps({**settings, "architecture": stated}))
        with pytest.raises(InputError, match=rf"of {stated}, not of {encoder.removeprefix('tu-')}:"):
            EncoderWeights(encoder, None, file, 3).load(nn.Identity())
    for encoder, stated in (
        ("tu-tf_efficientnet_lite0", "tf_efficientnet_lite0"),
        ("tu-vit_tiny_patch16_384", "vit_tiny_patch16_224"),  # of other images
        ("tu-resnet50", "tv_resnet50"),  # as it was called before
        ("tu-efficientnet_lite0", "unet"),
        ("timm-efficientnet-b0", "tf_efficientnet_b0"),
    ):
        file.with_suffix(".json").write_text(json.dumps({**settings, "architecture": stated}))
        with pytest.raises(InputError, match="contains no state dict"):  # which is read next
            EncoderWeights(encoder, None, file, 3).load(nn.Identity())


def test_hub_repository_is_a_file_with_its_settings(
    tmp_path: Path, stored: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    def download(repository: str, file: str, revision: str | None) -> str:
        assert (repository, revision) == ("timm/resnet18.a1_in1k", None)
        if not (tmp_path / file).exists():
            raise LocalEntryNotFoundError(file)
        return str(tmp_path / file)

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    options: dict[str, Any] = {"encoder_name": "resnet18", "encoder_weights": "hf-hub:timm/resnet18.a1_in1k"}
    with pytest.raises(
        InputError, match=r"hf-hub:timm/resnet18\.a1_in1k cannot be downloaded.*null or to the path of a"
    ):
        SMP(2, architecture="fpn", **options)
    torch.save(stored, tmp_path / "pytorch_model.bin")
    (tmp_path / "config.json").write_text(json.dumps({"pretrained_cfg": {"mean": MEAN, "std": STD}}))
    network = SMP(2, architecture="fpn", **options)
    assert network.normalization == Normalization(tuple(MEAN), tuple(STD))
    assert torch.equal(network.encoder.state_dict()["layer4.1.conv2.weight"], stored["layer4.1.conv2.weight"])


@pytest.fixture
def server() -> Iterator[str]:
    """A server that answers every request with an error."""

    class Silent(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Silent) as running:
        Thread(target=running.serve_forever).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_hub_that_cannot_be_reached_is_not_tried_again(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    for url, is_offline in ((server, False), ("http://127.0.0.1:9", True)):
        monkeypatch.setattr(constants, "ENDPOINT", url)
        with offline_at_once():
            assert is_offline == constants.HF_HUB_OFFLINE
        assert not constants.HF_HUB_OFFLINE


def test_server_that_never_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = Event()
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: mock.Mock(answered=answer.wait(30)))
    monkeypatch.setattr(hub, "_DEADLINE", 0.01)
    assert not hub.is_reachable("https://example.org")
    answer.set()


def test_file_is_not_needed_again(run: Run, tiny: list[str], tmp_path: Path) -> None:
    encoder = "tu-mobilenetv3_small_050"
    network = {"class_path": "seglit.networks.UNet", "init_args": {"channels": [4, 4, 4], "encoder": encoder}}
    network["init_args"]["encoder_weights"] = "small.pth"  # type: ignore[index]
    (tmp_path / "net.yaml").write_text(yaml.dump({"model": {"network": network}}))
    torch.save(timm.create_model(encoder.removeprefix("tu-")).state_dict(), tmp_path / "small.pth")
    (tmp_path / "small.json").write_text(json.dumps({"mean": MEAN, "std": STD}))
    trained = run("fit", *tiny, "-c", "net.yaml", "--test_after_fit=false", "--trainer.max_epochs=1")
    assert trained.code == 0, trained.err
    config = yaml.safe_load((trained.folder / "config.yaml").read_text())
    assert config["model"]["network"]["init_args"]["encoder_weights"] == str(tmp_path / "small.pth")
    (tmp_path / "small.pth").unlink()
    resumed = run("fit", "--resume", trained.folder, "--trainer.max_epochs=2")
    assert resumed.code == 0, resumed.err
    assert list(seglit.load(trained.folder).normalize.normalization.mean) == MEAN
    options = [f"--init_from={trained.folder}", "--trainer.max_epochs=1"]
    started = run("fit", "-c", trained.folder / "config.yaml", *options, "--test_after_fit=false")
    assert started.code == 0, started.err
    assert "starting from the weights of" in started.out
    assert list(seglit.load(started.folder).normalize.normalization.mean) == MEAN
    other = run("fit", "-c", trained.folder / "config.yaml", *options, "--model.network.channels=[4, 4, 8]")
    assert "small.pth: no such file" in other.err  # of another network, which may take only some of them
