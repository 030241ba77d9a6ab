"""What `--init_from` may name: bundles with their classes and normalisation, by folder, file and repository."""

import shutil
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import safetensors.torch
import torch
from huggingface_hub import constants
from huggingface_hub.errors import EntryNotFoundError

from seglit.data import SyntheticDataModule
from seglit.exported.bundle import write_bundle
from seglit.labels import Labels
from seglit.losses import CrossEntropy
from seglit.module import SegmentationModule
from seglit.networks import UNet
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
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The repository owner/name at the revision v1 consists of the files of `tmp_path`, each downloaded by its name."""
    (tmp_path / "cache").mkdir()

    def download(repository: str, file: str, revision: str | None) -> str:
        assert (repository, revision) == ("owner/name", "v1")
        if not (tmp_path / file).exists():
            raise EntryNotFoundError(file)
        return str(shutil.copy(tmp_path / file, tmp_path / "cache"))

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


@pytest.mark.usefixtures("hub")
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
