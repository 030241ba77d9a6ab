"""Ends a run on several ranks when one of them is gone, for which the others would wait."""

import os
import platform
import select
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import pytorch_lightning as pl
from lightning_fabric.strategies.launchers.subprocess_script import _ChildProcessObserver
from pytorch_lightning.strategies.launchers import _SubprocessScriptLauncher
from torch import distributed

from seglit.callbacks.next_steps import print_how_to_resume
from seglit.runs.failures import is_lost_connection

_LAUNCHER = "SEGLIT_LAUNCHER"  # process id, in the environment of the ranks that it starts
_INTERVAL = 0.5  # seconds between two looks
_PATIENCE = 5.0  # seconds for an error that ended another rank to arrive here as well


class RankWatch(pl.Callback):
    """Ends this process, with exit code 1 and a message, when another rank of its machine has ended before the run.

    A rank that is killed leaves the others in a collective operation, which NCCL waits for until its timeout, and no
    launcher watches its own process, rank 0. The system tells any process that another one has ended (pidfd_open(2),
    Linux). That a rank on another machine has ended is known from its connections, and from the launcher there.
    """

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        if _LAUNCHER in os.environ and os.environ.get("LOCAL_RANK", "0") != "0":
            parent = int(os.environ[_LAUNCHER])
            threading.Thread(target=self._watch_launcher, args=(parent,), daemon=True).start()
        else:
            os.environ[_LAUNCHER] = str(os.getpid())

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Starts to watch the other ranks."""
        if trainer.world_size == 1 or sys.platform != "linux":
            return
        here = platform.node(), Path("/proc/self/ns/pid").stat().st_ino  # containers number their processes alike
        processes = [(here, os.getpid())] * trainer.world_size
        distributed.all_gather_object(processes, processes[0])
        pids = {rank: pid for rank, (place, pid) in enumerate(processes) if place == here}
        del pids[trainer.global_rank]
        try:
            watched = {rank: os.pidfd_open(pid) for rank, pid in pids.items()}
        except OSError:  # a system without it
            return
        self._stopped.clear()
        self._thread = threading.Thread(target=self._watch, args=(trainer, pids, watched), daemon=True)
        self._thread.start()
        for thread in threading.enumerate():
            if isinstance(thread, _ChildProcessObserver):
                thread._child_processes = []  # Lightning's watch of rank 0's children, which kills rank 0 as well

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Stops; after a lost connection, waits for the watch to end the process with the name of the rank."""
        if self._thread is not None and is_lost_connection(exception):
            self._thread.join(3 * _PATIENCE)
        self._stopped.set()

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Stops, and waits until all ranks have: the first of them may end now."""
        self._stopped.set()
        trainer.strategy.barrier("RankWatch.teardown")

    def _watch_launcher(self, pid: int) -> None:
        """Until the ranks know each other, ends one that waits for the rank that started it, which has ended."""
        while self._thread is None and not self._stopped.wait(_INTERVAL):
            if os.getppid() != pid:
                print(f"\nseglit: error: rank 0 (process {pid}) has ended", file=sys.stderr, flush=True)
                os._exit(1)

    def _watch(self, trainer: pl.Trainer, pids: Mapping[int, int], watched: Mapping[int, int]) -> None:
        poll = select.poll()
        for descriptor in watched.values():
            poll.register(descriptor, select.POLLIN)
        while not (ended := dict(poll.poll(0))) and not self._stopped.wait(_INTERVAL):
            pass
        gone = {rank: pid for rank, pid in pids.items() if watched[rank] in ended}
        if gone:
            self._end(trainer, gone, first_left=min({*pids, trainer.global_rank} - gone.keys()))
        for descriptor in watched.values():
            os.close(descriptor)

    def _end(self, trainer: pl.Trainer, gone: Mapping[int, int], first_left: int) -> None:
        """Ends this process and its ranks, unless its own error does; the first rank that is left says why."""
        rank, pid = next(iter(gone.items()))
        launcher = trainer.strategy.launcher
        children = launcher.procs if isinstance(launcher, _SubprocessScriptLauncher) else []
        exit_code = next((child.wait() for child in children if child.pid == pid), 0)
        if exit_code >= 0 and self._stopped.wait(_PATIENCE):
            return
        if trainer.global_rank == first_left:
            print(f"\nseglit: error: rank {rank} (process {pid}) {_cause(exit_code)}", file=sys.stderr, flush=True)
            print_how_to_resume(trainer)
        for child in children:
            child.kill()
        os._exit(1)


def _cause(exit_code: int) -> str:
    """Says what ended a process: minus its exit code is the signal, which only the parent of a process knows."""
    if exit_code >= 0:
        return "has ended: killed, or by an error, which is then above"
    memory = ", probably because the memory is full" if exit_code == -signal.SIGKILL else ""
    return f"was killed by {signal.Signals(-exit_code).name}{memory}"
