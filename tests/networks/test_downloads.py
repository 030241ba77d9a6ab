"""Downloads of weights that fail halfway, whose errors are of several libraries, are one line."""

from http.client import IncompleteRead
from pathlib import Path
from unittest import mock

import pytest
import torch
from huggingface_hub import constants
from huggingface_hub.errors import RevisionNotFoundError
from torchvision.models import WeightsEnum

from seglit.errors import InputError
from seglit.exported.bundle import download_bundle, push_bundle
from seglit.networks import SMP, Torchvision, hub
from seglit.runs.weight_source import WeightSource

HUB = (
    (lambda: SMP(2, architecture="fpn", encoder_name="resnet18", encoder_weights="imagenet"), "encoder_weights: null"),
    (lambda: SMP(2, architecture="fpn", encoder_weights="hf:owner/name"), "encoder_weights: null"),
    (lambda: WeightSource.find("hf:owner/name"), "set init_from: null"),
    (lambda: download_bundle("owner/name"), "not in the cache"),
)


class RemoteProtocolError(Exception):
    """As httpx raises them: no OSError."""


@pytest.fixture
def reachable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub, "_was_reachable", lambda *_: True)
    monkeypatch.setattr("seglit.networks.torchvision.is_reachable", lambda _: True)


@pytest.mark.usefixtures("reachable")
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RemoteProtocolError("Server disconnected"), "Server disconnected"),
        (RemoteProtocolError(), "RemoteProtocolError"),
        (RuntimeError("Data processing error"), "Data processing error"),  # of hf_xet
    ],
)
def test_connection_to_the_hub_that_is_lost(monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str) -> None:
    monkeypatch.setattr("huggingface_hub.file_download.get_hf_file_metadata", mock.Mock(side_effect=error))
    for load, hint in HUB:
        with pytest.raises(InputError, match=rf"cannot be downloaded.*{reason}.*{hint}|{hint} \({reason}\)") as raised:
            load()
        assert "\n" not in str(raised.value)


@pytest.mark.usefixtures("reachable")
def test_revision_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    error = RevisionNotFoundError("404 Client Error.\n\nRevision Not Found for url: ...", response=mock.MagicMock())
    monkeypatch.setattr("huggingface_hub.file_download.get_hf_file_metadata", mock.Mock(side_effect=error))
    with pytest.raises(InputError, match=r"^owner/name@v9: no such repository or revision of the hub.*\(404 Client"):
        WeightSource.find("hf:owner/name@v9")


def test_upload_whose_connection_is_lost(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    error = RemoteProtocolError("Server disconnected")
    (tmp_path / "model.json").write_text('{"network": {}, "labels": {}}')
    (tmp_path / "model.safetensors").touch()
    monkeypatch.setattr("huggingface_hub.hf_api.get_session", mock.Mock(side_effect=error))
    with pytest.raises(InputError, match=r"hf:owner/name: cannot be uploaded \(Server disconnected\)"):
        push_bundle(tmp_path, "owner/name")


@pytest.mark.usefixtures("reachable")
def test_download_of_torch_that_is_cut_off(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    part = tmp_path / "weights-0123abcd.pth"
    part.write_bytes(b"a part")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))

    def download(*_: object, **__: object) -> object:
        return torch.hub.load_state_dict_from_url(part.as_uri(), check_hash=True, progress=False)

    disconnect = mock.Mock(side_effect=IncompleteRead(b"a part", 9))
    for get, reason in ((download, "invalid hash value"), (disconnect, r"IncompleteRead\(6 bytes read")):
        monkeypatch.setattr(WeightsEnum, "get_state_dict", get)
        with pytest.raises(InputError, match=rf"cannot be downloaded.*\({reason}.*set weights: null"):
            Torchvision(2, architecture="lraspp_mobilenet_v3_large", weights="DEFAULT")


@pytest.mark.usefixtures("reachable")
def test_other_errors_keep_their_class(monkeypatch: pytest.MonkeyPatch) -> None:
    error = RuntimeError("shapes differ")
    monkeypatch.setattr("segmentation_models_pytorch.create_model", mock.Mock(side_effect=error))
    with pytest.raises(RuntimeError, match="shapes differ"):
        HUB[0][0]()
