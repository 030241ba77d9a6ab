"""`fit --plan`: the plan, with the time that three steps predict, and nothing else."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from seglit.budget.trial import Probe, try_out
from seglit.callbacks.plan import describe, say_end
from seglit.data.user_cache import saving_nothing

_STEPS = 3  # after the first, slower ones


class _EnoughError(Exception):
    """Ends the trial."""


class _ThreeSteps(Probe):
    """Describes the run after three steps."""

    text = ""

    def change(self, config: Any) -> None:
        """Keeps no decoded images."""
        config.check = False
        if "cache" in config.data.init_args:
            config.data.init_args.cache = None

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Ends the trial when three steps are measured."""
        if self.stopwatch.counts["batch"] >= _STEPS * trainer.accumulate_grad_batches:
            self.finish(trainer, pl_module)
            raise _EnoughError

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Describes a run of fewer steps."""
        self.finish(trainer, pl_module)
        raise _EnoughError

    def finish(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Describes the run; its time is what three steps predict, and what was spent before them."""
        facts = describe(trainer, module, self.command_line.datamodule) | {"run folder": self._run_folder()}
        watch = self.stopwatch
        left, training = watch.remaining(trainer), watch.remaining_training(trainer)
        if training is not None:
            end = say_end((training if left is None else left) + sum(watch.seconds.values()), datetime.now())
            facts["time"] = end + (left is None) * ", validations and test not included"
        width = max(map(len, facts))
        self.text = "\n".join(f"{name:<{width}}  {fact}" for name, fact in facts.items())

    def _run_folder(self) -> str:
        """Describes the folder of the run, which is not that of the trial."""
        tried = self.command_line
        if tried.continued:
            return f"{tried.continued}, continued from {tried.start}"
        return str(Path(tried.stated_root, tried.config.fit.experiment, "<date>_<time>"))


def show_plan(args: Sequence[str]) -> None:
    """Prints the plan of a command line of `fit`, without writing anything but downloads.

    Raises:
        InputError: What `fit` raises.
        RunError: Likewise.
    """
    probe = _ThreeSteps()
    with suppress(_EnoughError), saving_nothing():
        try_out(args, probe)
    if probe.command_line.trainer.is_global_zero:
        print(probe.text)
