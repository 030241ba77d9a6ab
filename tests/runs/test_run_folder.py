"""No two runs share a folder, but the processes of one run and the parts of one SLURM job do."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pytorch_lightning.utilities import rank_zero_only

from seglit.runs.run_folder import make_run_folder


@pytest.fixture(autouse=True)
def fresh_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SEGLIT_RUN_FOLDER", "SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_RESTART_COUNT"):
        monkeypatch.setenv(name, "")  # put back when the test is done, whatever a run sets meanwhile


def start(root: Path) -> Path:
    os.environ["SEGLIT_RUN_FOLDER"] = ""  # as a new process finds it
    return make_run_folder(root, "name")


def test_runs_of_one_second_get_their_own(tmp_path: Path) -> None:
    folders = [start(tmp_path) for _ in range(50)]
    assert len(set(folders)) == 50
    assert all(folder.is_dir() and folder.parent == tmp_path / "name" for folder in folders)


class Forgetful(dict[str, str]):
    """Threads stand for processes, which do not share what they set."""

    def __setitem__(self, name: str, value: str) -> None:
        pass


def test_runs_started_at_once_get_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", Forgetful())
    with ThreadPoolExecutor(16) as threads:
        folders = list(threads.map(lambda _: make_run_folder(tmp_path, "name"), range(64)))
    assert len(set(folders)) == 64


def test_further_processes_of_a_run_share_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = start(tmp_path)
    assert make_run_folder(tmp_path, "name") != folder  # a second run of one process
    first = Path(os.environ["SEGLIT_RUN_FOLDER"])
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    assert make_run_folder(tmp_path, "name") == first


def test_only_a_requeued_job_goes_on_in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "123")
    monkeypatch.setenv("SLURM_STEP_ID", "0")
    first = start(tmp_path)
    assert first == tmp_path / "name" / "slurm-123-0"
    assert start(tmp_path) != first  # two runs of one job
    (first / "metrics.csv").touch()
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    assert start(tmp_path) == first
    assert [file.name for file in first.iterdir()] == ["metrics_before_restart_1.csv"]
    monkeypatch.setenv("SLURM_JOB_ID", "124")
    assert start(tmp_path) != first
