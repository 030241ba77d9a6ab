"""How many processes read, and how far ahead: by the cores that one may use, the ranks they serve, and the device."""

import os
from pathlib import Path
from typing import NamedTuple

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment

_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_AHEAD = 2  # batches of each process: one is waiting while the next is made


class Loading(NamedTuple):
    """How batches are made ahead of a device.

    Args:
        workers: Reading processes; 0 reads in the training process, when a batch is asked for.
        ahead: Batches that are made before they are asked for.
        pinned: Whether they lie in pinned memory, which a GPU fetches from while it computes.
    """

    workers: int
    ahead: int
    pinned: bool

    def __str__(self) -> str:
        """As config.yaml states it."""
        processes = f"{self.workers} reading process{'es' * (self.workers != 1)}"
        return f"{processes}, {self.ahead} batches ahead, {'pinned' if self.pinned else 'not pinned'}"


def choose_loading(num_workers: int | None, trainer: pl.Trainer | None) -> Loading:
    """Chooses how batches are made.

    A GPU leaves the processor to reading: all cores of its rank but the training process's, at most 16. Where the
    processor itself trains, it is half of them, at most 8.

    Args:
        num_workers: Reading processes where they are chosen already.
        trainer: Whose device and ranks they serve; None stands for one rank on the fastest device there is.
    """
    if trainer is None:
        device, cores = "cuda" if torch.cuda.is_available() else "cpu", available_cores()
    else:
        device, cores = trainer.strategy.root_device.type, _cores_of_a_rank(trainer)
    fitting = min(8, cores // 2) if device == "cpu" else min(16, cores - 1)
    workers = max(1, fitting) if num_workers is None else num_workers
    return Loading(workers, _AHEAD * workers, pinned=device == "cuda")


def available_cores() -> int:
    """How many cores this process may use: a cluster's job, `taskset` or a container may leave it fewer than there are.

    Of a container's limits, those of Linux's control groups (version 2) are read.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not _QUOTA.is_file():
        return cores
    quota, period = _QUOTA.read_text(encoding="ascii").split()  # microseconds of processor time, in how many
    return cores if quota == "max" else max(1, min(cores, int(quota) // int(period)))


def _cores_of_a_rank(trainer: pl.Trainer) -> int:
    """A rank's share of the cores; under SLURM a task has cores of its own, where the job asks for them."""
    cores = available_cores()
    by_slurm = isinstance(getattr(trainer.strategy, "cluster_environment", None), SLURMEnvironment)
    if by_slurm and (own := os.environ.get("SLURM_CPUS_PER_TASK")):
        return min(cores, int(own))
    return max(1, cores // trainer.num_devices)
