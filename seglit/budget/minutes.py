"""`fit --minutes`: the numbers of steps and validations that fit into a time, measured by a trial."""

import gc
import json
import math
import os
import re
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import pytorch_lightning as pl
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from pytorch_lightning.utilities import rank_zero_only

from seglit.budget.trial import Probe, try_out
from seglit.budget.unstated import choose_unstated
from seglit.errors import InputError
from seglit.images.pairs import Split

INHERITED = "SEGLIT_BUDGET"
"""Environment variable by which the processes of other ranks receive the numbers."""
_SHARE = 0.97  # of the time is planned
_VALIDATION_SHARE, _MAX_VALIDATIONS = 0.08, 20  # of the training time; in a run
_MIN_INTERVAL = 20  # steps between validations, as each may leave the time of a step unused
_TRIAL_SHARE, _MIN_TRIAL, _MAX_TRIAL = 0.04, 5.0, 60.0  # of the time; seconds of steps
_EVALUATED = 8  # batches of the validation and test split that a trial evaluates
_EXIT = 1.0  # seconds that Python takes to end
_NEVER = 10**9
_LENGTH = ("max_epochs", "max_steps", "max_time", "check_val_every_n_epoch", "val_check_interval")
"""Settings of the trainer that `--minutes` decides."""


class Costs(NamedTuple):
    """Seconds that the parts of a run take.

    Args:
        once: What occurs once: set-up and test.
        batch: A training batch.
        epoch: The end of an epoch.
        validation: A validation.
    """

    once: float
    batch: float
    epoch: float
    validation: float


class _Measurement(Probe):
    """Measures the steps of some seconds, then a validation and a test of a few batches."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.chosen: list[str] = []
        self.start = time.monotonic()
        self.shares: dict[str, float] = {}  # that the run evaluates, of splits that the trial evaluates in part
        self.batch_ends: dict[str, list[float]] = {"val": [], "test": []}
        self.ranks = 1  # of the run
        self.ready = self.start
        self.one_off = 0.0  # seconds of what the run does not do again: reading all pairs

    def change(self, config: Any) -> None:
        """Lets one device train until it is stopped, and evaluate a few batches.

        Raises:
            InputError: A file continues another training.
        """
        if config.ckpt_path:
            raise InputError(_contradiction("ckpt_path"))
        self.chosen = choose_unstated(config, self.command_line.args, self.command_line.parser)
        trainer = config.trainer
        devices = {name: trainer[name] for name in ("accelerator", "devices", "num_nodes")}
        self.ranks = pl.Trainer(**devices, logger=False, enable_checkpointing=False).world_size
        trainer.max_epochs, trainer.max_time, trainer.max_steps = None, None, _NEVER
        trainer.min_epochs, trainer.min_steps = None, None  # Lightning would go on when the trial is to stop
        trainer.check_val_every_n_epoch, trainer.val_check_interval = None, _NEVER
        trainer.devices, trainer.num_nodes, trainer.strategy = 1, 1, "auto"
        for split in ("val", "test"):
            limit = config.trainer[f"limit_{split}_batches"]
            if limit is None or (isinstance(limit, float) and limit):  # an int limits each rank, whatever their number
                config.trainer[f"limit_{split}_batches"] = _EVALUATED
                self.shares[split] = limit or 1.0

    def prepare(self, before_fit: Callable[[], None]) -> None:
        """Calls it twice, since the run, as the second time, finds all pairs read."""
        start = time.monotonic()
        before_fit()
        self.one_off = time.monotonic() - start
        before_fit()

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Notes when a process is ready to train."""
        self.ready = time.monotonic()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Ends the training when enough is measured."""
        if self.stopwatch.counts["batch"] >= trainer.accumulate_grad_batches:
            trainer.should_stop = self.stopwatch.seconds["batch"] >= self.seconds

    def on_validation_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Notes when a batch ends."""
        if not trainer.sanity_checking:
            self.batch_ends["val"].append(time.monotonic())

    def on_test_batch_end(self, *_: Any) -> None:
        """Notes when a batch ends."""
        self.batch_ends["test"].append(time.monotonic())

    def costs(self, started: float) -> Costs:
        """Extrapolates the trial to whole splits, divided among the ranks, which are started one after the first.

        Args:
            started: When the command started.
        """
        watch, spent = self.stopwatch, time.monotonic() - self.start
        parts = watch.seconds["batch"] + watch.seconds["epoch"] + watch.seconds["validation"]
        test, validation = self._missing("test"), self._missing("val")
        return Costs(
            once=spent - parts - self.one_off + test + (self.ranks > 1) * (self.ready - started - self.one_off),
            batch=watch.mean("batch"),
            epoch=watch.mean("epoch"),
            validation=watch.mean("validation") + validation,
        )

    def _missing(self, split: Split) -> float:
        """Returns the seconds of the batches of a split that were not evaluated."""
        ends, data = self.batch_ends[split], self.command_line.datamodule
        if len(ends) < 2 or split not in self.shares:
            return 0.0
        total = batches_of_rank(len(data.dataset(split)), data.batch_size, self.ranks, self.shares[split])
        return (ends[-1] - ends[0]) / (len(ends) - 1) * (total - len(ends))


def within_minutes(args: Sequence[str], minutes: float, started: float) -> list[str]:
    """Replaces `--minutes` by the numbers that fit into them.

    Args:
        args: The command line of `fit`, without `--minutes`.
        minutes: What the whole command may take.
        started: `time.monotonic()` when the command started.

    Returns:
        The command line, with steps, validations, and crop and batch size if it does not state them.

    Raises:
        InputError: The minutes do not suffice, or contradict other options.
    """
    if inherited := os.environ.get(INHERITED):
        return [*args, *json.loads(inherited)]
    _check(args, minutes)
    seconds = 60 * minutes
    print(f"measuring what fits into {minutes:g} min", flush=True)
    trial = min(_MAX_TRIAL, max(_MIN_TRIAL, _TRIAL_SHARE * seconds))
    chosen, costs, per_epoch, accumulated = _measure(args, trial, started)
    gc.collect()  # ends the workers of the trial
    left = _SHARE * seconds - (time.monotonic() - started) - _EXIT
    numbers = [*chosen, *divide(left, costs, per_epoch, accumulated)]
    os.environ[INHERITED] = json.dumps(numbers)
    return [*args, *numbers]


def _measure(args: Sequence[str], seconds: float, started: float) -> tuple[list[str], Costs, int, int]:
    """Returns the options that a trial of some seconds chose, its costs, batches per epoch, and batches per step."""
    probe = _Measurement(seconds)
    try_out(args, probe)
    trainer, data = probe.command_line.trainer, probe.command_line.datamodule
    images, limit = len(data.dataset("train")), trainer.limit_train_batches
    per_epoch = max(1, batches_of_rank(images, data.batch_size, probe.ranks, limit, drop_last=True))
    return probe.chosen, probe.costs(started), per_epoch, trainer.accumulate_grad_batches


def batches_of_rank(images: int, batch_size: int, ranks: int, limit: float, *, drop_last: bool = False) -> int:
    """Returns the number of batches of each rank; an int limits them, a float is the share of them that is used."""
    samples = math.ceil(images / ranks)
    batches = max(1, samples // batch_size) if drop_last else math.ceil(samples / batch_size)
    return min(batches, limit) if isinstance(limit, int) else int(batches * limit)


def divide(seconds: float, costs: Costs, batches_per_epoch: int, accumulated: int = 1) -> list[str]:
    """Divides a time into steps and validations, the last of which follows the last step.

    Args:
        seconds: The time.
        costs: What the parts take.
        batches_per_epoch: Training batches per epoch.
        accumulated: Batches per step; the last step of an epoch may have fewer.

    Returns:
        Options of `fit`.

    Raises:
        InputError: There is no time for a step.
    """
    left = seconds - costs.once
    batch = costs.batch + costs.epoch / batches_per_epoch
    accumulated = min(accumulated, batches_per_epoch)  # Lightning ends an epoch with a step
    most = max(1, min(_MAX_VALIDATIONS, int(left / batch / accumulated / _MIN_INTERVAL)))
    if costs.validation:
        most = max(1, min(most, int(_VALIDATION_SHARE * left / costs.validation)))
    steps_per_epoch = math.ceil(batches_per_epoch / accumulated)
    for count in range(most, 0, -1):
        longest = int((left / count - costs.validation) / batch)
        intervals = range(longest, max(0, longest - accumulated), -1)
        for interval in sorted(intervals, key=lambda length: length % accumulated):  # if possible between steps
            epochs, others = divmod(count * interval, batches_per_epoch)
            if others % accumulated == 0:  # a step ends there
                return [
                    "--trainer.max_epochs=null",
                    "--trainer.max_time=null",
                    f"--trainer.max_steps={epochs * steps_per_epoch + others // accumulated}",
                    "--trainer.check_val_every_n_epoch=null",
                    f"--trainer.val_check_interval={interval}",
                ]
    needed = costs.once + costs.validation
    raise InputError(
        f"--minutes is too short: set-up, one validation and the test take {needed:.0f} seconds, and "
        f"{max(0.0, seconds):.0f} are left after measuring; give more"
    )


def _contradiction(option: str) -> str:
    return f"--minutes and {option} are both set; --minutes decides the length of a new run, and when it validates"


def _check(args: Sequence[str], minutes: float) -> None:
    """Raises InputError for options that contradict `--minutes`."""
    if not 0 < minutes < math.inf:
        raise InputError(f"--minutes is {minutes:g}; give the time that the whole command may take, such as 30")
    options = {arg.partition("=")[0] for arg in args}
    inline = [arg for before, arg in pairwise(args) if before == "--trainer" or arg.startswith("--trainer={")]
    for name in _LENGTH:
        if f"--trainer.{name}" in options or any(re.search(rf"\b{name}\b[\"']?\s*:", arg) for arg in inline):
            raise InputError(_contradiction(f"--trainer.{name}"))
    for option in ("--resume", "--ckpt_path"):
        if option in options:
            raise InputError(_contradiction(option))
    if TorchElasticEnvironment.detect() or SLURMEnvironment.detect() or rank_zero_only.rank:  # type: ignore[attr-defined]
        raise InputError(
            "--minutes measures before the processes start, which torchrun and SLURM have started already; "
            "give --trainer.max_steps instead"
        )
