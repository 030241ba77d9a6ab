"""Checkpoints: the best, and the last for resuming."""

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint


class BestCheckpoint(ModelCheckpoint):
    """`ModelCheckpoint` that keeps the best score when a run is resumed in a new folder."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the best score and its path; never deletes files in another folder."""
        super().load_state_dict({**state_dict, "dirpath": self.dirpath})


class LastCheckpoint(ModelCheckpoint):
    """Writes `last.ckpt` after every epoch; `ModelCheckpoint(save_last=True)` does so only when it saves a best one."""

    def __init__(self, dirpath: str) -> None:
        super().__init__(dirpath, "last", save_on_train_epoch_end=True, enable_version_counter=False)


def best_checkpoint(trainer: pl.Trainer) -> str:
    """Returns the path of the best checkpoint, or of the last one if a run ends before its first validation, or ''."""
    for kind in (BestCheckpoint, LastCheckpoint):
        for callback in trainer.checkpoint_callbacks:
            if isinstance(callback, kind) and callback.best_model_path:
                return callback.best_model_path
    return ""
