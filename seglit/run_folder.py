"""Where a run keeps its files: a folder of its own that no other run writes into."""

import os
from datetime import datetime
from itertools import count
from pathlib import Path

from pytorch_lightning.utilities import rank_zero_only

_INHERITED = "SEGLIT_RUN_FOLDER"


def make_run_folder(root: Path, experiment: str) -> Path:
    """Makes `root/experiment/<date>_<time>`; of runs started in the same second, each gets its own.

    Under SLURM the folder is named by the job, so that a requeued job goes on in its own. Other processes of a
    distributed run get the main process's folder and make none.
    """
    if inherited := os.environ.get(_INHERITED):
        return Path(inherited)
    parent = root.absolute() / experiment
    if job := os.environ.get("SLURM_JOB_ID"):
        folder = parent / f"slurm-{job}"
        folder.mkdir(parents=True, exist_ok=True)
        for log in folder.glob("metrics.csv"):  # Lightning's CSV log would begin it anew
            log.rename(folder / f"metrics_before_{os.environ.get('SLURM_RESTART_COUNT', 'restart')}.csv")
        return folder
    stamp = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    if rank_zero_only.rank:  # type: ignore[attr-defined]  # Lightning sets it
        return parent / stamp
    for number in count(1):
        folder = parent / (stamp if number == 1 else f"{stamp}_{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        os.environ[_INHERITED] = str(folder)  # for the processes that Lightning starts for further devices
        return folder
    raise AssertionError("count() never ends")
