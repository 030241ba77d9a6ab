"""Creates run folders."""

import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from pytorch_lightning.utilities import rank_zero_only
from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]  # no stub exports them

from seglit.runs.lock import LOCK_FILE

RUN_FOLDER_VARIABLE = "SEGLIT_RUN_FOLDER"
"""The environment variable from which other ranks know the folder."""


def experiment_name(config: Any) -> str:
    """Returns the name of the first configuration file, else of the data's file, else of the data's class.

    Files in folders named hardware or logger say where and not what is trained, and are taken last.
    """
    files = [Path(str(file)) for file in (*(config.get("config") or []), config.data.get("__path__")) if file]
    files.sort(key=lambda file: file.absolute().parent.name in ("hardware", "logger"))
    return files[0].stem if files else str(config.data.class_path).rsplit(".", 1)[-1]


def make_run_folder(root: Path, experiment: str) -> Path:
    """Creates the folder `root/experiment/<date>_<time>`, with a number appended if it exists.

    Under SLURM the folder is named after job and step, and a requeued job continues in its folder. In a distributed
    run only rank 0 creates the folder; the other ranks return the same path, which they have from SLURM's variables,
    from the environment that rank 0 starts them with, or from torchrun's store.
    """
    parent = root.absolute() / experiment
    job, step = os.environ.get("SLURM_JOB_ID"), os.environ.get("SLURM_STEP_ID")
    name = f"slurm-{job}-{step}" if job and step else datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    store = _torchrun_store()
    if rank_zero_only.rank:  # type: ignore[attr-defined]  # Lightning sets it
        path = store.get(RUN_FOLDER_VARIABLE).decode() if store else os.environ.get(RUN_FOLDER_VARIABLE)
        return Path(path or parent / name)
    folder = _make_folder(parent, name, is_slurm_job=bool(job and step))
    os.environ[RUN_FOLDER_VARIABLE] = str(folder)  # for the processes of the other ranks
    if store:
        store.set(RUN_FOLDER_VARIABLE, str(folder))
    return folder


def _make_folder(parent: Path, name: str, *, is_slurm_job: bool) -> Path:
    restarts = os.environ.get("SLURM_RESTART_COUNT") or "0"
    if is_slurm_job and restarts != "0" and (parent / name).is_dir():
        return parent / name
    number = 1
    while True:
        folder = parent / (name if number == 1 else f"{name}_{number}")
        with suppress(FileExistsError):
            folder.mkdir(parents=True)
            return folder
        number += 1


def _torchrun_store() -> PrefixStore | None:
    """The store that torchrun's ranks share, for this start of them."""
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return None
    store = TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), is_master=False)
    return PrefixStore(f"seglit/{os.environ['TORCHELASTIC_RESTART_COUNT']}", store)


@rank_zero_only
def remove_if_empty(folder: Path) -> None:
    """Removes the folder of a run that ended before it wrote a file, and the experiment's if it has no other run."""
    for path in (folder, folder.parent):
        if path.is_dir() and all(entry.name == LOCK_FILE for entry in path.iterdir()):
            (path / LOCK_FILE).unlink(missing_ok=True)
            path.rmdir()
