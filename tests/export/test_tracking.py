"""Exported files in the runs of W&B and MLflow that the training logged to."""

import shutil
from pathlib import Path

import pytest
import torch
import yaml

from seglit.loggers import MLFlowLogger
from tests.conftest import Outcome, Run

FILES = {"README.md", "model.json", "model.safetensors"}


@pytest.fixture
def tracked(trained: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run whose training states that it logged to W&B, offline, and to MLflow."""
    for name in ("HOME", "WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    folder = Path(shutil.copytree(trained.folder, tmp_path / "run"))
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["trainer"]["logger"] = [
        {"class_path": "seglit.loggers.WandbLogger", "init_args": {"project": "seglit", "save_dir": "."}},
        {"class_path": "seglit.loggers.MLFlowLogger", "init_args": {"experiment_name": "e", "save_dir": "mlruns"}},
    ]
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    checkpoint = torch.load(folder / "checkpoints/best.ckpt", weights_only=True)
    mlflow = MLFlowLogger(experiment_name="e", save_dir=str(folder / "mlruns")).run_id
    checkpoint["resume"]["loggers"] = {"WandbLogger": "abc12345", "MLFlowLogger": mlflow}
    torch.save(checkpoint, folder / "checkpoints/best.ckpt")
    return folder


def test_trackers_receive_the_files(tracked: Path, run: Run) -> None:
    outcome = run("export", tracked, "--format=bundle", "--log")
    assert outcome.code == 0, outcome.err
    assert {path.name for path in tracked.glob("mlruns/*/*/artifacts/export/bundle/*")} == FILES
    (offline,) = tracked.glob("wandb/offline-run-*-abc12345")  # `wandb sync` joins it to the run of the training
    record = next(offline.glob("run-*.wandb")).read_bytes()
    assert b"bundle-abc12345" in record
    assert all(name.encode() in record for name in FILES)


def test_run_without_trackers_is_one_line(trained: Outcome, run: Run, tmp_path: Path) -> None:
    outcome = run("export", trained.folder, "--log")
    assert outcome.code == 2
    assert "was logged to neither W&B nor MLflow" in outcome.err
    assert list(tmp_path.iterdir()) == []
