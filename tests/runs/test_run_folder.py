"""Runs never share a folder, but the ranks of one run and the restarts of one SLURM job do."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from jsonargparse import Namespace
from pytorch_lightning.utilities import rank_zero_only

from seglit.runs.run_folder import experiment_name, make_run_folder


@pytest.fixture(autouse=True)
def fresh_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SEGLIT_RUN_FOLDER", "SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_RESTART_COUNT"):
        monkeypatch.setenv(name, "")  # also restores what a run sets


@pytest.mark.parametrize(
    ("configs", "data", "name"),
    [
        (["configs/hardware/slurm.yaml", "mine/street.yaml", "b.yaml"], None, "street"),
        (["configs/logger/wandb.yaml"], "mine.yaml", "mine"),
        (["wandb.yaml"], "mine.yaml", "wandb"),
        (["configs/hardware/slurm.yaml"], None, "slurm"),
        (None, None, "Data"),
    ],
)
def test_experiment_is_named_after_what_is_trained(configs: list[str] | None, data: str | None, name: str) -> None:
    own = {"class_path": "my.Data", **({"__path__": data} if data else {})}
    settings = Namespace(config=configs, data=Namespace(**own))  # type: ignore[no-untyped-call]
    assert experiment_name(settings) == name


def start(root: Path) -> Path:
    os.environ["SEGLIT_RUN_FOLDER"] = ""  # as in a new process
    return make_run_folder(root, "name")


def test_runs_in_the_same_second_get_different_folders(tmp_path: Path) -> None:
    folders = [start(tmp_path) for _ in range(50)]
    assert len(set(folders)) == 50
    assert all(folder.is_dir() and folder.parent == tmp_path / "name" for folder in folders)


class IsolatedEnvironment(dict[str, str]):
    """Ignores assignments, since the threads here replace processes, which do not share their environment."""

    def __setitem__(self, name: str, value: str) -> None:
        pass


def test_concurrent_runs_get_different_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", IsolatedEnvironment())
    with ThreadPoolExecutor(16) as threads:
        folders = list(threads.map(lambda _: make_run_folder(tmp_path, "name"), range(64)))
    assert len(set(folders)) == 64


def test_ranks_of_a_run_share_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = start(tmp_path)
    assert make_run_folder(tmp_path, "name") != folder  # a second run of one process
    first = Path(os.environ["SEGLIT_RUN_FOLDER"])
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    assert make_run_folder(tmp_path, "name") == first


def test_only_a_requeued_slurm_job_continues_in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "123")
    monkeypatch.setenv("SLURM_STEP_ID", "0")
    first = start(tmp_path)
    assert first == tmp_path / "name" / "slurm-123-0"
    assert start(tmp_path) != first  # two runs of one job
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    assert start(tmp_path) == first
    monkeypatch.setenv("SLURM_JOB_ID", "124")
    assert start(tmp_path) != first
