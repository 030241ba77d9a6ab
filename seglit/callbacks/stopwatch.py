"""Durations of steps, epochs and validations, and the estimated time until a training ends."""

import math
import time
from collections import defaultdict
from typing import Any, Literal

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Timer

from seglit.data.base import SegmentationDataModule

Part = Literal["start", "batch", "epoch", "validation"]

WARM_UP = 3  # batches: loaders start, and kernels are chosen
_TEST_FACTOR = 2.0  # duration of a test batch in those of validation: it also counts outlines, regions and calibration


class Stopwatch(pl.Callback):
    """Attributes the time of a training to its parts, by the hooks at which they begin and end.

    `start` lasts until the end of the first `WARM_UP` batches; `epoch` is what the end of an epoch takes, checkpoints
    included, and `validation` one validation with its pictures and checkpoints. It must be the first callback.

    Args:
        data: The data module.
        tests: Whether a test follows the training, if there is a test split.
    """

    def __init__(self, data: SegmentationDataModule, tests: bool) -> None:
        self.data = data
        self.tests = tests
        self.num_test_batches = 0
        self.validates = False
        self.seconds: dict[Part, float] = defaultdict(float)
        self.counts: dict[Part, int] = defaultdict(int)
        self.validation_batch = 0.0  # seconds of the latest one
        self._last = time.monotonic()
        self._part: Part = "start"  # that the time until the next batch belongs to

    def mean(self, part: Part) -> float:
        """Returns the mean duration of a part in seconds; 0 if it has not occurred."""
        return self.seconds[part] / self.counts[part] if self.counts[part] else 0.0

    def remaining(self, trainer: pl.Trainer) -> float | None:
        """Estimates the seconds until training and test end.

        Returns:
            None if they are not limited, or no validation is measured yet: a run that is resumed starts without one.
        """
        training = self.remaining_training(trainer)
        if training is None or (self.validates and not self.validation_batch):
            return None
        return training + self.num_test_batches * (_TEST_FACTOR * self.validation_batch or self.mean("batch"))

    def remaining_training(self, trainer: pl.Trainer) -> float | None:
        """Estimates the seconds until the training ends, validations included once one is measured.

        Returns:
            None if it is not limited, or no batch is measured yet.
        """
        done = trainer.fit_loop.epoch_loop.total_batch_idx + 1
        left, limit = total_batches(trainer) - done, time_limit(trainer)
        if not self.counts["batch"]:
            return None
        if math.isinf(left):
            return None if math.isinf(limit) else limit
        validation = self.mean("validation") or self.validation_batch * sum(trainer.num_val_batches)
        seconds = (
            left * self.mean("batch")
            + left / trainer.num_training_batches * self.mean("epoch")
            + validations(trainer, done, done + left) * validation
        )
        return min(seconds, limit)

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Starts the clock."""
        self.validates = trainer.enable_validation and self.data.has_split("val")
        if self.tests and self.data.has_split("test"):  # not before: the data may have been downloaded since
            batches = math.ceil(len(self.data.dataset("test")) / self.data.batch_size / trainer.world_size)
            limit = trainer.limit_test_batches
            self.num_test_batches = min(batches, limit) if isinstance(limit, int) else int(batches * limit)
        self._last = time.monotonic()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Ends what came before the batch."""
        self._end(self._part)
        if self._part != "start":
            self._part = "batch"

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Ends a batch."""
        self._end(self._part)
        self.counts[self._part] += 1
        if self._part == "start" and self.counts["start"] == WARM_UP:
            self._part = "batch"

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Starts a validation."""
        self._validate(trainer)
        self.counts["validation"] += not trainer.sanity_checking

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Measures a batch of the validation."""
        before = self._last
        self._validate(trainer)
        self.validation_batch = self._last - before

    def _validate(self, trainer: pl.Trainer) -> None:
        if not trainer.sanity_checking:
            self._part = "validation"
        self._end(self._part)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Starts what the end of an epoch takes."""
        self._end(self._part)
        self._part = "epoch"
        self.counts["epoch"] += 1

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Ends the last epoch."""
        self._end(self._part)

    def _end(self, part: Part) -> None:
        now = time.monotonic()
        self.seconds[part] += now - self._last
        self._last = now


def total_batches(trainer: pl.Trainer) -> float:
    """Returns the number of batches of a whole training, as limited by epochs and steps; infinite without a limit."""
    epochs, steps, per_epoch = trainer.max_epochs, trainer.max_steps, trainer.num_training_batches
    by_epochs = math.inf if epochs in (None, -1) else epochs * per_epoch
    by_steps = math.inf if steps == -1 else _batches_of(steps, per_epoch, trainer.accumulate_grad_batches)
    return min(by_epochs, by_steps)


def _batches_of(steps: int, per_epoch: float, accumulated: int) -> float:
    """Returns the number of batches of some steps; Lightning ends an epoch with a step, which may have fewer."""
    if math.isinf(per_epoch):
        return steps * accumulated
    epochs, others = divmod(steps, math.ceil(per_epoch / accumulated))
    return epochs * per_epoch + others * accumulated


def time_limit(trainer: pl.Trainer) -> float:
    """Returns the seconds that `trainer.max_time` leaves; infinite without it."""
    callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]  # Lightning sets it
    left = (callback.time_remaining() for callback in callbacks if isinstance(callback, Timer))
    return max(0.0, min((seconds for seconds in left if seconds is not None), default=math.inf))


def validations(trainer: pl.Trainer, first: float, last: float) -> int:
    """Returns the number of validations after the `first` until the `last` batch."""
    interval = float(trainer.val_check_batch or math.inf) * (trainer.check_val_every_n_epoch or 1)
    return int(last // interval - first // interval) if trainer.enable_validation else 0
