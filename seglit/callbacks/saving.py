"""Checkpoints: the best, and the last for resuming."""

import shutil
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.plugins import TorchCheckpointIO
from pytorch_lightning.callbacks import Checkpoint, EarlyStopping, ModelCheckpoint, WeightAveraging
from pytorch_lightning.utilities import rank_zero_only

from seglit.errors import InputError, did_you_mean
from seglit.images.replacing import replacing
from seglit.runs.durable_io import DurableCheckpointIO


class BestCheckpoint(ModelCheckpoint):
    """`ModelCheckpoint` that keeps the best checkpoint when a run is resumed, in its own folder or in a new one.

    Its `monitor` is checked before training, by what the validation of two batches before the first step logs. With
    `WeightAveraging`, which may average at the end of an epoch, weights are saved right after their validation.
    """

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Notes whether the run trains, and chooses when it saves unless `save_on_train_epoch_end` is set."""
        super().setup(trainer, pl_module, stage)
        self.training = stage == "fit"
        callbacks = trainer.callbacks  # type: ignore[attr-defined]  # Lightning sets it
        averages = any(isinstance(callback, WeightAveraging) for callback in callbacks)
        if averages and watches_validation(self) and self._save_on_train_epoch_end is None:
            self._save_on_train_epoch_end = False

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
        """Restores the best scores and their checkpoints, which are copied from the folder of another run.

        A checkpoint that no longer exists is not the best: the first one of the resumed run takes its place.
        """
        kept = {path: self._kept(path) if self.training else path for path in state_dict["best_k_models"]}
        if all(kept.values()):
            names = ("best_model_path", "kth_best_model_path")
            renamed = {name: kept.get(state_dict[name], state_dict[name]) for name in names}
            scores = {kept[path]: score for path, score in state_dict["best_k_models"].items()}
            super().load_state_dict({**state_dict, **renamed, "best_k_models": scores, "dirpath": self.dirpath})
            self.current_score = state_dict["current_score"]  # which Lightning forgets

    def _kept(self, path: str) -> str:
        """Returns the path of a checkpoint in the folder of this run; '' if it does not exist."""
        file = Path(str(self.dirpath), Path(path).name)
        if not file.is_file() and Path(path).is_file():
            _copy(Path(path), file)
        return str(file) if file.is_file() or Path(path).is_file() else ""


def watches_validation(callback: pl.Callback) -> bool:
    """Whether a callback compares a score of the validation split: one that saves the best weights or stops early."""
    return isinstance(callback, ModelCheckpoint | EarlyStopping) and (callback.monitor or "").startswith("val/")


@rank_zero_only
def _copy(source: Path, target: Path) -> None:
    with replacing(target, durable=True) as unfinished:
        shutil.copyfile(source, unfinished)


class LastCheckpoint(Checkpoint):
    """Saves `last.ckpt` after every epoch, from which a run is resumed; the one before it is `previous.ckpt`.

    `ModelCheckpoint(save_last=True)` saves only when it saves a best one.

    Args:
        dirpath: The folder of checkpoints.
    """

    def __init__(self, dirpath: str) -> None:
        self.file = Path(dirpath, "last.ckpt")
        self._newest = self.file.with_name("newest.ckpt")  # until `last.ckpt` is renamed
        self.saved_at = time.monotonic()

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Makes the trainer write all checkpoints whole or not at all, unless it has a `CheckpointIO` of its own."""
        if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:
            trainer.strategy.checkpoint_io = DurableCheckpointIO()

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Completes a save that an interruption kept from its last step, if that checkpoint is resumed from."""
        if trainer.ckpt_path == str(self._newest):
            trainer.strategy.barrier("LastCheckpoint.on_load_checkpoint")  # all ranks have read it
            if trainer.is_global_zero:
                self._rename()

    def _rename(self) -> None:
        if self.file.is_file():
            self.file.replace(self.file.with_name("previous.ckpt"))
        self._newest.replace(self.file)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Saves a checkpoint."""
        self.save(trainer)

    def save(self, trainer: pl.Trainer) -> None:
        """Saves a checkpoint; called on all ranks.

        Raises:
            InputError: The file cannot be written; the earlier checkpoints are unchanged.
        """
        if trainer.fast_dev_run:  # type: ignore[attr-defined]  # Lightning sets it
            return
        trainer.save_checkpoint(self._newest, weights_only=False)  # with the state of the optimizer
        if trainer.is_global_zero:
            self._rename()
            for older in Path(trainer.default_root_dir).glob("hpc_ckpt_*.ckpt"):
                older.unlink()  # Lightning would load it under SLURM, even for the test of the best checkpoint
        trainer.strategy.barrier("LastCheckpoint.save")
        self.saved_at = time.monotonic()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Starts the clock of checkpoints within an epoch."""
        self.saved_at = time.monotonic()


def last_checkpoint(trainer: pl.Trainer) -> str:
    """Returns the path of the checkpoint that a run is resumed from, or ''."""
    files = (callback.file for callback in trainer.checkpoint_callbacks if isinstance(callback, LastCheckpoint))
    return next((str(file) for file in files if file.is_file()), "")


def best_checkpoint(trainer: pl.Trainer) -> str:
    """Returns the path of the best checkpoint, or of the last one if a run ends before its first validation, or ''."""
    callbacks = (callback for callback in trainer.checkpoint_callbacks if isinstance(callback, BestCheckpoint))
    paths = (callback.best_model_path for callback in callbacks if callback.best_model_path)
    return next(paths, last_checkpoint(trainer))
