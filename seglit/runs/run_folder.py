"""Creates run folders."""

import os
from datetime import datetime
from itertools import count
from pathlib import Path

from pytorch_lightning.utilities import rank_zero_only

from seglit.runs.lock import LOCK_FILE

_INHERITED = "SEGLIT_RUN_FOLDER"


def make_run_folder(root: Path, experiment: str) -> Path:
    """Creates the folder `root/experiment/<date>_<time>`, with a number appended if it exists.

    Under SLURM the folder is named after job and step, and a requeued job continues in its folder. In a distributed
    run only rank 0 creates the folder; the other ranks return the same path.
    """
    parent = root.absolute() / experiment
    job, step = os.environ.get("SLURM_JOB_ID"), os.environ.get("SLURM_STEP_ID")
    name = f"slurm-{job}-{step}" if job and step else datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    if rank_zero_only.rank:  # type: ignore[attr-defined]  # Lightning sets it
        return Path(os.environ.get(_INHERITED) or parent / name)
    restarts = os.environ.get("SLURM_RESTART_COUNT") or "0"
    if job and restarts != "0" and (parent / name).is_dir():
        return parent / name
    for number in count(1):
        folder = parent / (name if number == 1 else f"{name}_{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        os.environ[_INHERITED] = str(folder)  # for the processes of the other ranks
        return folder
    raise AssertionError("unreachable")


def remove_if_empty(folder: Path) -> None:
    """Removes the folder of a run that ended before it wrote a file, and the experiment's if it has no other run."""
    for path in (folder, folder.parent):
        if path.is_dir() and all(entry.name == LOCK_FILE for entry in path.iterdir()):
            (path / LOCK_FILE).unlink(missing_ok=True)
            path.rmdir()
