"""Checkpoints: the best, and the last for resuming."""

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint

from seglit.errors import InputError, did_you_mean


class BestCheckpoint(ModelCheckpoint):
    """`ModelCheckpoint` that keeps the best score when a run is resumed in a new folder.

    Its `monitor` is checked before training, by what the validation of two batches before the first step logs.
    """

    def on_sanity_check_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Checks that validation logs the monitored score; values of training are not known yet.

        Raises:
            InputError: It does not.
        """
        logged = trainer.callback_metrics
        if self.monitor and self.monitor not in logged and not self.monitor.startswith("train"):
            hint = did_you_mean(self.monitor, logged)
            raise InputError(f"checkpoint.monitor is {self.monitor!r}, which validation does not log{hint}")

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the best score and its path; never deletes files in another folder."""
        super().load_state_dict({**state_dict, "dirpath": self.dirpath})


class LastCheckpoint(ModelCheckpoint):
    """Writes `last.ckpt` after every epoch; `ModelCheckpoint(save_last=True)` does so only when it saves a best one."""

    def __init__(self, dirpath: str) -> None:
        super().__init__(dirpath, "last", save_on_train_epoch_end=True, enable_version_counter=False)


def saved_checkpoint(trainer: pl.Trainer, kind: type[ModelCheckpoint]) -> str:
    """Returns the path of the checkpoint that a callback of this class saved, or ''."""
    callbacks = (callback for callback in trainer.checkpoint_callbacks if isinstance(callback, kind))
    return next((callback.best_model_path for callback in callbacks if callback.best_model_path), "")


def best_checkpoint(trainer: pl.Trainer) -> str:
    """Returns the path of the best checkpoint, or of the last one if a run ends before its first validation, or ''."""
    return saved_checkpoint(trainer, BestCheckpoint) or saved_checkpoint(trainer, LastCheckpoint)
