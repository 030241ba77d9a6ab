"""Where a run keeps its files: a folder of its own that no other run writes into."""

import os
from datetime import datetime
from itertools import count
from pathlib import Path

from pytorch_lightning.utilities import rank_zero_only

_INHERITED = "SEGLIT_RUN_FOLDER"


def make_run_folder(root: Path, experiment: str) -> Path:
    """Makes `root/experiment/<date>_<time>`; of runs started in the same second, each gets its own.

    Under SLURM the folder is named by job and step, and a job that was requeued goes on in the folder it had. Other
    processes of a distributed run make none.
    """
    parent = root.absolute() / experiment
    job, step = os.environ.get("SLURM_JOB_ID"), os.environ.get("SLURM_STEP_ID")
    name = f"slurm-{job}-{step}" if job and step else datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    if rank_zero_only.rank:  # type: ignore[attr-defined]  # Lightning sets it
        return Path(os.environ.get(_INHERITED) or parent / name)
    restarts = os.environ.get("SLURM_RESTART_COUNT") or "0"
    if job and restarts != "0" and (parent / name).is_dir():
        for log in (parent / name).glob("metrics.csv"):  # Lightning's CSV log would begin it anew
            log.rename(log.with_name(f"metrics_before_restart_{restarts}.csv"))
        return parent / name
    for number in count(1):
        folder = parent / (name if number == 1 else f"{name}_{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        os.environ[_INHERITED] = str(folder)  # for the processes that Lightning starts for further devices
        return folder
    raise AssertionError("count() never ends")
