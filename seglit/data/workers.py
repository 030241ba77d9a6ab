"""Number of worker processes and of batches to prefetch, chosen by available cores, ranks and device."""

import atexit
import multiprocessing
import os
import signal
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment

_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_PREFETCH = 2  # batches per worker


class Loading(NamedTuple):
    """Settings of a loader.

    Args:
        workers: Worker processes; 0 reads in the training process.
        ahead: Batches to prefetch, of all workers together.
        pinned: Whether batches are in pinned memory, which a GPU copies from while it computes.
    """

    workers: int
    ahead: int
    pinned: bool

    def arguments(self) -> dict[str, Any]:
        """Arguments of the `DataLoader`; its own generator, so that it draws nothing from that of dropout."""
        return {
            "num_workers": self.workers,
            "prefetch_factor": self.ahead // self.workers if self.workers else None,
            "pin_memory": self.pinned,
            "persistent_workers": self.workers > 0,
            "worker_init_fn": _ignore_signals,
            "generator": torch.Generator().manual_seed(torch.initial_seed()),
        }

    def __str__(self) -> str:
        """Describes the settings for config.yaml."""
        workers = f"{self.workers} worker{'s' * (self.workers != 1)}"
        return f"{workers}, {self.ahead} batches prefetched, {'pinned' if self.pinned else 'not pinned'}"


def choose_loading(num_workers: int | None, trainer: pl.Trainer | None) -> Loading:
    """Chooses the settings of a loader.

    On a GPU all cores of the rank but one read, at most 16; on the CPU, which also trains, half of them, at most 8.

    Args:
        num_workers: Number of workers if the user has set it.
        trainer: Defines device and ranks; None is one rank on the fastest device.
    """
    if trainer is None:
        device, cores = "cuda" if torch.cuda.is_available() else "cpu", available_cores()
    else:
        device, cores = trainer.strategy.root_device.type, _cores_of_a_rank(trainer)
    fitting = min(8, cores // 2) if device == "cpu" else min(16, cores - 1)
    workers = max(1, fitting) if num_workers is None else num_workers
    return Loading(workers, _PREFETCH * workers, pinned=device == "cuda")


def _ignore_signals(_: int) -> None:
    """Leaves signals, which terminals and SLURM send to all processes, to the training process."""
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, signal.SIG_IGN)
    if sys.platform != "win32":
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)


@atexit.register
def _kill_workers() -> None:
    """Ends workers that are left on exit, since they ignore the SIGTERM by which Python would end them."""
    for process in multiprocessing.active_children():
        if process.daemon:
            process.kill()


def available_cores() -> int:
    """Returns the number of cores that this process may use, as limited by SLURM, `taskset` or cgroup v2."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not _QUOTA.is_file():
        return cores
    quota, period = _QUOTA.read_text(encoding="ascii").split()  # microseconds of CPU time per period
    return cores if quota == "max" else max(1, min(cores, int(quota) // int(period)))


def _cores_of_a_rank(trainer: pl.Trainer) -> int:
    """Returns the cores of a rank; under SLURM those of the task, if the job sets them."""
    cores = available_cores()
    by_slurm = isinstance(getattr(trainer.strategy, "cluster_environment", None), SLURMEnvironment)
    if by_slurm and (own := os.environ.get("SLURM_CPUS_PER_TASK")):
        return min(cores, int(own))
    return max(1, cores // trainer.num_devices)
