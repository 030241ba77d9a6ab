"""A trial: the command line of `fit`, run in a temporary folder and without output, until a callback ends it."""

import io
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack, redirect_stdout
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytorch_lightning as pl

from seglit.callbacks.freeze import FreezeEncoder
from seglit.callbacks.mid_epoch import MidEpochCheckpoint
from seglit.callbacks.plan import Plan
from seglit.callbacks.signals import Signals
from seglit.callbacks.stopwatch import Stopwatch
from seglit.cli import SegmentationCLI, run
from seglit.errors import InputError
from seglit.runs.resume import Progress, set_start
from seglit.runs.run_folder import RUN_FOLDER_VARIABLE


class Probe(pl.Callback):
    """Observes a trial; a subclass changes its configuration and ends it.

    Attributes:
        stopwatch: Measures the trial.
        command_line: The command line that is tried.
    """

    stopwatch: Stopwatch
    command_line: "Trial"

    def change(self, config: Any) -> None:
        """Changes the parsed configuration in place."""

    def prepare(self, before_fit: Callable[[], None]) -> None:
        """Calls what a run does before it fits."""
        before_fit()


class Trial(SegmentationCLI):
    """Runs `fit` as it would run, observed by a `Probe`."""

    def __init__(self, args: list[str], resumed: Path | None, until_end: ExitStack, probe: Probe) -> None:
        self.args = args
        self.probe = probe
        self.continued = resumed
        self.start = Progress()
        probe.command_line = self
        super().__init__(args, None, until_end)

    def before_instantiate_classes(self) -> None:
        """Logs and writes to a temporary folder, whether the run is new or continued."""
        config = self.config.fit
        self.probe.change(config)
        if self.continued:
            config.checkpoint.dirpath = config.checkpoint.dirpath or str(self.continued / "checkpoints")
            self.start = set_start(self.continued, config)
            if self.start.is_trained(config.trainer):
                raise InputError(f"{self.continued} is trained, and only its test is left; leave out --plan")
        config.checkpoint.dirpath = None
        config.trainer.logger = None
        config.trainer.enable_progress_bar = False
        self.stated_root = config.trainer.default_root_dir
        config.trainer.default_root_dir = self.until_end.enter_context(TemporaryDirectory(prefix="seglit-trial-"))
        super().before_instantiate_classes()

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        """Adds the probe, leaves out the plan and a freezing that ends, and ends at signals without saving."""
        trainer = super().instantiate_trainer(**kwargs)
        callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]  # Lightning sets it
        (self.probe.stopwatch,) = (each for each in callbacks if isinstance(each, Stopwatch))
        for callback in callbacks:
            if isinstance(callback, MidEpochCheckpoint):
                callback.signals = Signals(saves=False)
            elif isinstance(callback, FreezeEncoder) and callback.epochs is not None:
                callback.epochs = 0  # the steps of a trial would be those of the first epochs, which are faster
        callbacks[:] = [each for each in callbacks if not isinstance(each, Plan)]
        callbacks.insert(1, self.probe)
        return trainer

    def before_fit(self) -> None:
        """Prepares through the probe, which may do so twice."""
        self.probe.prepare(super().before_fit)


def try_out(args: Sequence[str], probe: Probe) -> None:
    """Runs a trial, and leaves nothing of it.

    Raises:
        InputError: What `fit` raises.
        RunError: Likewise.
    """
    try:
        with redirect_stdout(io.StringIO()):
            run(list(args), partial(Trial, probe=probe))
    finally:
        os.environ.pop(RUN_FOLDER_VARIABLE, None)
