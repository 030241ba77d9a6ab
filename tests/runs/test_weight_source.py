"""What `--init_from` may name: bundles with their classes and normalisation, by folder, file and repository."""

import shutil
from pathlib import Path
from typing import Any
from unittest import mock

import huggingface_hub
import pytest
import safetensors.torch
import torch
from huggingface_hub import constants
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError, RemoteEntryNotFoundError

from seglit.data import SyntheticDataModule
from seglit.errors import InputError
from seglit.exported.bundle import write_bundle
from seglit.labels import Labels
from seglit.losses import CrossEntropy
from seglit.module import SegmentationModule
from seglit.networks import UNet, hub
from seglit.normalization import Normalization
from seglit.runs.checkpoint import ModelRecord
from seglit.runs.initial_weights import load_initial_weights
from seglit.runs.weight_source import WeightSource

SOURCE, TARGET = ["road", "sky", "car"], ["car", "bus", "road"]
STATED = Normalization((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
DATA = SyntheticDataModule(2, 2, 2, (8, 8))
SPEC: dict[str, Any] = {
    "class_path": "seglit.networks.UNet",
    "init_args": {"channels": [4, 8], "num_classes": 3, "in_channels": 3},
}


def model(classes: list[str]) -> SegmentationModule:
    network = UNet(len(classes), 3, (4, 8)).eval()
    return SegmentationModule(network, CrossEntropy(), torch.optim.SGD, Labels.create(classes))


@pytest.fixture
def source() -> SegmentationModule:
    return model(SOURCE)


@pytest.fixture
def bundle(tmp_path: Path, source: SegmentationModule) -> Path:
    write_bundle(tmp_path, source.network, ModelRecord("0", SPEC, source.labels, STATED), "the card")
    return tmp_path


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The repository owner/name at the revision v1 consists of the files of `tmp_path`, each downloaded by its name."""
    (tmp_path / "cache").mkdir()

    def download(repository: str, file: str, revision: str | None) -> str:
        assert (repository, revision) == ("owner/name", "v1")
        if not (tmp_path / file).exists():
            raise EntryNotFoundError(file)
        return str(shutil.copy(tmp_path / file, tmp_path / "cache"))

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize("name", ["", "model.safetensors", "model.json", "hf:owner/name@v1", "hf-hub:owner/name@v1"])
def test_bundle_keeps_classes_and_normalisation(bundle: Path, source: SegmentationModule, name: str) -> None:
    target = model(TARGET)
    load_initial_weights(target, DATA, SPEC, WeightSource.find(name if ":" in name else str(bundle / name)))
    images = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        logits, expected = target.network(images), source.network(images)
    torch.testing.assert_close(logits[:, [0, 2]], expected[:, [2, 0]])
    assert target.normalization == STATED


def test_mean_and_std_in_model_json_make_no_bundle(tmp_path: Path, source: SegmentationModule) -> None:
    weights = {name: value.contiguous() for name, value in source.network.state_dict().items()}
    safetensors.torch.save_file(weights, tmp_path / "model.safetensors")
    (tmp_path / "model.json").write_text('{"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}')
    found = WeightSource.find(str(tmp_path / "model.safetensors"))
    assert (found.record, found.normalization) == (None, STATED)


def cached(folder: Path, source: SegmentationModule, *absent: str) -> Path:
    """The cache of huggingface_hub with the weights of owner/name, and the files that it is known not to have."""
    repository, weights = folder / "models--owner--name", source.network.state_dict()
    for name in ("refs", "snapshots/abc", ".no_exist/abc"):
        (repository / name).mkdir(parents=True)
    (repository / "refs/main").write_text("abc")
    safetensors.torch.save_file(
        {name: value.contiguous() for name, value in weights.items()}, repository / "snapshots/abc/model.safetensors"
    )
    for name in absent:
        (repository / ".no_exist/abc" / name).touch()
    return repository / "snapshots/abc"


def test_cached_weights_without_the_record_of_a_bundle_are_refused(
    tmp_path: Path, source: SegmentationModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "a"))
    snapshot = cached(tmp_path / "a", source)
    with pytest.raises(
        InputError,
        match=r"hf:owner/name cannot .*\(model\.safetensors is cached, but not whether there is a model\.json",
    ):
        WeightSource.find("hf:owner/name")
    (snapshot / "config.json").write_text('{"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}')  # of timm
    assert WeightSource.find("hf:owner/name").normalization == STATED
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "b"))
    cached(tmp_path / "b", source, "model.json")
    assert WeightSource.find("hf:owner/name").record is None


@pytest.mark.parametrize("is_lost", [True, False])
def test_connection_that_is_lost_and_files_that_are_missing_differ(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, is_lost: bool
) -> None:
    def download(repository: str, file: str, revision: str | None) -> str:
        if is_lost and file == "model.safetensors":
            return str(bundle / file)
        lost, missing = LocalEntryNotFoundError("it is lost"), RemoteEntryNotFoundError(file, response=mock.MagicMock())
        raise lost if is_lost else missing

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub, "_was_reachable", lambda *_: True)
    message = r"hf:owner/name cannot .*\(it is lost\)" if is_lost else r"^owner/name: the repository has no model\.safe"
    with pytest.raises(InputError, match=message):
        WeightSource.find("hf:owner/name")
