"""Checkpoints within an epoch, by the clock, by steps and by signals."""

import time
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import WeightAveraging
from pytorch_lightning.trainer.states import TrainerFn

from seglit.callbacks.saving import LastCheckpoint
from seglit.callbacks.signals import Signals
from seglit.runs.logged_steps import is_logged_step


class MidEpochCheckpoint(pl.Callback):
    """Saves `last.ckpt` within epochs, after an optimizer step and never within an accumulation; obeys signals there.

    It saves before a batch is trained on, when everything that belongs to the step before has been logged. It must
    precede the configured callbacks, so that what they draw at random then comes after the saved state.

    Args:
        save_minutes: Minutes between two checkpoints; rank 0 reads the clock where the loss is logged. None saves at
            the end of epochs only.
        save_steps: Number of optimizer steps after which to save, as well.
    """

    def __init__(self, save_minutes: float | None, save_steps: int | None) -> None:
        self.save_minutes = save_minutes
        self.save_steps = save_steps
        self.signals = Signals()
        self._validated = False

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Waits for signals."""
        self.signals.install(trainer)

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Lets signals end the process."""
        self.signals.install(trainer, at_once=True)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Lets signals end `validate`; in a training, removes the mark of a validation that starts over."""
        if trainer.state.fn == TrainerFn.VALIDATING:
            self.signals.install(trainer, at_once=True)
        total: Any = trainer.fit_loop.epoch_loop.val_loop.batch_progress.total
        total.ready = total.started = total.completed

    def on_validation_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Saves a checkpoint and ends the run if a signal asks for it; resumed, the validation starts over.

        Several ranks, which may have different numbers of batches, end after the validation.
        """
        accumulates = trainer.fit_loop.epoch_loop._should_accumulate()
        if trainer.sanity_checking or trainer.world_size > 1 or accumulates or not self.signals.ends_run(trainer):
            return
        for callback in trainer.callbacks:  # type: ignore[attr-defined]  # Lightning sets it
            if isinstance(callback, WeightAveraging):
                callback.on_validation_epoch_end(trainer, pl_module)  # puts the trained weights back
        _last_checkpoint(trainer).save(trainer)
        self.signals.obey(trainer)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Ends the process before the test, if a signal arrived in the last epoch."""
        if self.signals.agree(trainer, at_logged_steps=False):
            self.signals.obey(trainer)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Notes a validation within an epoch, which Lightning would repeat if the run resumed right after it."""
        self._validated = True

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Saves a checkpoint if one is due, and ends the run if a signal asks for it."""
        validated, self._validated = self._validated, False
        if (validated and batch_idx) or batch_idx % trainer.accumulate_grad_batches:
            return
        last = _last_checkpoint(trainer)
        signal = self.signals.agree(trainer)
        if batch_idx and (signal or self._is_due(trainer, last)):  # before the first batch nothing is new
            last.save(trainer)
        if signal:
            self.signals.obey(trainer)

    def _is_due(self, trainer: pl.Trainer, last: LastCheckpoint) -> bool:
        """Whether to save now; the same on all ranks."""
        if self.save_steps and trainer.global_step % self.save_steps == 0:
            return True
        if self.save_minutes is None or not is_logged_step(trainer):
            return False
        late = time.monotonic() - last.saved_at >= 60 * self.save_minutes
        return bool(trainer.strategy.broadcast(late))


def _last_checkpoint(trainer: pl.Trainer) -> LastCheckpoint:
    (last,) = (callback for callback in trainer.checkpoint_callbacks if isinstance(callback, LastCheckpoint))
    return last
