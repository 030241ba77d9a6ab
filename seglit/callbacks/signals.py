"""Signals that end a run: SIGTERM, SIGINT (Ctrl-C), and SIGUSR1, by which SLURM announces a time limit."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from functools import partial
from types import FrameType
from typing import Any, NoReturn

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment

from seglit.callbacks.saving import last_checkpoint
from seglit.runs.logged_steps import is_logged_step
from seglit.runs.noted_signal import NotedSignal


class Signals:
    """Notes signals, so that a run ends after an optimizer step, with a checkpoint.

    A second Ctrl-C ends the process at once.

    Args:
        saves: Whether there is a checkpoint to save; a trial has none, and ends when a signal arrives.
    """

    def __init__(self, saves: bool = True) -> None:
        self.saves = saves
        self.received = 0

    def install(self, trainer: pl.Trainer, *, at_once: bool = False) -> None:
        """Replaces Lightning's handlers, which it removes after training or testing; obeys a signal noted before.

        Args:
            trainer: The trainer.
            at_once: Whether a signal that ends a run does so when it arrives, as in a test, of which nothing is saved.
        """
        self.received = 0
        if threading.current_thread() is not threading.main_thread():
            return  # Python allows handlers only there
        handler = partial(_leave_at_once, trainer) if at_once or not self.saves else self._note
        for signum in _signals(trainer):
            before = signal.signal(signum, handler)
            if isinstance(before, NotedSignal) and before.received:
                before.received = False
                signal.raise_signal(signum)

    def _note(self, signum: int, frame: FrameType | None) -> None:
        self.received = signum
        if signum == signal.SIGINT:
            signal.signal(signum, signal.SIG_DFL)
        os.write(2, f"\n{signal.Signals(signum).name}: saving after this step\n".encode())

    def ends_run(self, trainer: pl.Trainer) -> bool:
        """Whether a signal has arrived that ends the run, once its checkpoint is saved."""
        return _ends_run(trainer, self.received)

    def agree(self, trainer: pl.Trainer, *, at_logged_steps: bool = True) -> int:
        """Returns the signal that any rank has received, or 0; several ranks agree where the loss is logged."""
        if trainer.world_size == 1:
            return self.received
        if at_logged_steps and not is_logged_step(trainer):
            return 0
        received = torch.tensor(self.received, device=trainer.strategy.root_device)
        agreed = int(trainer.strategy.reduce(received, reduce_op="max"))
        self.received = agreed or self.received  # which may have arrived in the meantime
        return agreed

    def obey(self, trainer: pl.Trainer) -> None:
        """Ends the run after its checkpoint is saved, or continues after SIGUSR1 outside of SLURM.

        Raises:
            SystemExit: With 128 plus the number of the signal, or with 0 if SLURM starts the job again.
        """
        ends = self.ends_run(trainer)
        signum, self.received = self.received, 0
        if trainer.is_global_zero:
            done = "saved" if last_checkpoint(trainer) else "nothing to save yet"
            print(f"{signal.Signals(signum).name}: {done} in {trainer.default_root_dir}", file=sys.stderr, flush=True)
        if ends:
            _leave(trainer, signum)


def _ends_run(trainer: pl.Trainer, signum: int) -> bool:
    return signum in (signal.SIGTERM, signal.SIGINT, _requeue_signal(trainer))


def _leave_at_once(trainer: pl.Trainer, signum: int, _: FrameType | None) -> None:
    if not _ends_run(trainer, signum):
        os.write(2, f"\n{signal.Signals(signum).name}: nothing to save\n".encode())
        return
    os.write(2, f"\nseglit: stopped by {signal.Signals(signum).name}\n".encode())
    _leave(trainer, signum)


def _leave(trainer: pl.Trainer, signum: int) -> NoReturn:
    requeued = signum == _requeue_signal(trainer)
    if requeued and trainer.is_global_zero:
        _requeue()
    raise SystemExit(0 if requeued else 128 + signum)


def _requeue_signal(trainer: pl.Trainer) -> int | None:
    """The signal after which the job is submitted to SLURM again."""
    environment: Any = trainer._accelerator_connector.cluster_environment
    if not isinstance(environment, SLURMEnvironment) or not environment.auto_requeue:
        return None
    return environment.requeue_signal


def _signals(trainer: pl.Trainer) -> set[int]:
    if sys.platform == "win32":
        return {signal.SIGTERM, signal.SIGINT}
    return {signal.SIGTERM, signal.SIGINT, _requeue_signal(trainer) or signal.SIGUSR1}


def _requeue() -> None:
    job, array = os.environ["SLURM_JOB_ID"], os.environ.get("SLURM_ARRAY_JOB_ID")
    job = f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}" if array else job
    subprocess.run([shutil.which("scontrol") or "scontrol", "requeue", job], check=True)  # noqa: S603
