"""Continues a run where its checkpoint was saved: at the same sample, with the same random numbers."""

import math
import random
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.trainer.states import TrainerFn
from pytorch_lightning.utilities import rank_zero_info
from torch.optim.lr_scheduler import LambdaLR

from seglit.callbacks.saving import watches_validation
from seglit.data.base import SegmentationDataModule
from seglit.runs.checkpoint import RECORD_KEY, ModelRecord
from seglit.runs.init_from import TRAIN_IMAGES_KEY, VAL_IMAGES_KEY, describe_images
from seglit.runs.optimization import OPTIMIZATION_KEY, check_lengths, optimization_settings, saved_lengths
from seglit.runs.resume import RESUME_KEY, progress_of
from seglit.runs.scores import remove_scores


class ExactResume(pl.Callback):
    """Saves the state of the random number generators of each rank, and restores them and the position in the data.

    Lightning resumes the order of the samples only if the training process reads them: worker processes are started,
    by `Trainer.estimated_stepping_batches`, before it restores the epoch (Lightning issue 21938). From a checkpoint
    within an epoch it repeats the first batches of the epoch.

    It must be the first callback, so that what others draw at the start of a batch comes after the restored state.

    Args:
        data: The data module whose training loader is set to the position.
        settings: The complete configuration as plain data.
    """

    def __init__(self, data: SegmentationDataModule, settings: Mapping[str, Any]) -> None:
        self.data = data
        self.settings = settings
        self._random: dict[str, Any] | None = None  # to restore at the first batch

    @cached_property
    def _images(self) -> dict[str, Any]:
        return {TRAIN_IMAGES_KEY: describe_images(self.data), VAL_IMAGES_KEY: describe_images(self.data, "val")}

    @cached_property
    def _optimization(self) -> dict[str, Any]:
        return optimization_settings(self.settings)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Adds the states of all ranks, and what a position within an epoch depends on."""
        batches = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
        if batches["current"]["ready"] > batches["current"]["started"]:  # a batch that was only read is read again
            for progress in (batches["total"], batches["current"]):
                progress["ready"] = progress["started"]
            batches["is_last_batch"] = False
        _restart_validation(checkpoint["loops"]["fit_loop"]["epoch_loop.val_loop.batch_progress"])
        states: list[Any] = [_random_state()]
        if trainer.world_size > 1:
            states = [None] * trainer.world_size
            torch.distributed.all_gather_object(states, _random_state())
        checkpoint[RESUME_KEY] = {
            "random": states,
            "batch_size": self.data.batch_size,
            **self._images,
            OPTIMIZATION_KEY: self._optimization,
            "stopped": trainer.should_stop,  # early
            "loggers": {type(logger).__name__: logger.version for logger in trainer.loggers},
        }

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Sets the position of the training data; the epoch starts over if batches would not be the same.

        Scores of other validation images, or of the same at another size, are left out: the best of them would be
        compared with scores to come.
        """
        if trainer.state.fn != TrainerFn.FITTING:
            return
        saved = checkpoint.get(RESUME_KEY, {"random": [], "batch_size": None})
        if saved.get(VAL_IMAGES_KEY) not in (None, self._images[VAL_IMAGES_KEY]):  # None: of an earlier version
            _forget_scores(trainer, checkpoint, "the validation images are not those of the checkpoint")
        elif RECORD_KEY in checkpoint and ModelRecord.from_dict(checkpoint[RECORD_KEY]).resize != self.data.resize:
            _forget_scores(trainer, checkpoint, "data.resize is not that of the checkpoint")
        loops = checkpoint["loops"]["fit_loop"]
        epoch, batches = loops["epoch_progress"]["current"], loops["epoch_loop.batch_progress"]["current"]
        same_ranks = len(saved["random"]) == trainer.world_size
        seen = batches["processed"] if epoch["ready"] > epoch["processed"] else 0
        if seen and not (same_ranks and saved["batch_size"] == self.data.batch_size):
            reason = "the checkpoint is of another number of ranks or batch size"
            rank_zero_info(f"{reason}: epoch {epoch['processed']} starts over")
            seen = 0
            _restart_epoch(loops)
        self.data.resumed_at = epoch["processed"], seen * self.data.batch_size
        trainer.fit_loop._combined_loader = None  # made already if the strategy shards weights
        self._random = saved["random"][trainer.global_rank] if same_ranks else None

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Notes the lengths of the schedules before Lightning restores their states."""
        self._lengths = _lengths(trainer)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Sets schedules to the share that is done of this training, whose epochs may have another number of steps.

        Removes the scores and report of a finished run that is trained on: they are not of its next checkpoint.

        Raises:
            InputError: A schedule was restored whose length is not that of this training.
        """
        check_lengths(_lengths(trainer), self._lengths, str(trainer.ckpt_path))
        epochs, samples = self.data.resumed_at
        if (steps := _steps_done(trainer, epochs, samples // self.data.batch_size)) is not None:
            for config in trainer.lr_scheduler_configs:
                if isinstance(config.scheduler, LambdaLR):  # a function of the length of this training
                    _set_steps(config.scheduler, steps)
        if trainer.is_global_zero:
            remove_scores(Path(trainer.default_root_dir))

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Restores the random number generators before the first batch."""
        self._restore_random_state()

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Restores them if the training continues with a validation."""
        if not trainer.sanity_checking:
            self._restore_random_state()

    def _restore_random_state(self) -> None:
        if self._random is not None:
            _set_random_state(self._random)
            self._random = None


def _forget_scores(trainer: pl.Trainer, checkpoint: dict[str, Any], reason: str) -> None:
    """Leaves out of a checkpoint what its callbacks compare validation scores with, unless the training is finished."""
    if progress_of(checkpoint, Path(str(trainer.ckpt_path))).is_trained(trainer):
        return
    rank_zero_info(f"{reason}: its best score is not compared with those to come")
    for callback in trainer.callbacks:  # type: ignore[attr-defined]  # Lightning sets it
        if watches_validation(callback):
            checkpoint["callbacks"].pop(callback.state_key, None)


def _lengths(trainer: pl.Trainer) -> dict[str, int]:
    return saved_lengths(config.scheduler.state_dict() for config in trainer.lr_scheduler_configs)


def _set_steps(schedule: LambdaLR, steps: int) -> None:
    """Sets the number of steps that are done, and the learning rate of the next one."""
    schedule.last_epoch = steps
    for group, rate, factor in zip(
        schedule.optimizer.param_groups, schedule.base_lrs, schedule.lr_lambdas, strict=True
    ):
        group["lr"] = rate * factor(steps)


def _steps_done(trainer: pl.Trainer, epochs: int, batches: int) -> int | None:
    """The steps that this training would have done until it continues; None if its length is not given in epochs."""
    accumulated, per_epoch = trainer.accumulate_grad_batches, trainer.num_training_batches
    if trainer.max_epochs in (None, -1) or math.isinf(per_epoch):
        return None
    steps = math.ceil(per_epoch / accumulated)
    if trainer.max_steps != -1 and trainer.max_steps < trainer.max_epochs * steps:
        return None
    return epochs * steps + (steps if batches >= per_epoch else batches // accumulated)


def _restart_epoch(loops: dict[str, Any]) -> None:
    """Changes the saved progress of Lightning's loops to that at the start of the epoch."""
    for progress in loops["epoch_progress"].values():
        progress.update(ready=progress["processed"], started=progress["processed"], completed=progress["processed"])
    loops["epoch_loop.batch_progress"]["current"] = dict.fromkeys(loops["epoch_loop.batch_progress"]["current"], 0)


def _restart_validation(progress: dict[str, Any]) -> None:
    """Changes the saved progress of an interrupted validation to that at its first batch, as Lightning marks it."""
    total, current = progress["total"], progress["current"]
    if current["ready"] > current["completed"]:
        before = total["completed"] - current["completed"]  # in earlier validations of the epoch
        for tracker, done in ((total, before), (current, 0)):
            tracker.update(ready=done + 1, started=done + 1, processed=done, completed=done)


def _random_state() -> dict[str, Any]:
    """The states of all global generators of this process."""
    legacy: Any = np.random.get_state()  # noqa: NPY002 (the generator that others draw from)
    name, key, *rest = legacy
    numpy = (name, key.tolist(), *rest)  # `weights_only=True` loads no array
    cuda = torch.cuda.get_rng_state() if torch.cuda.is_available() else None
    return {"torch": torch.get_rng_state(), "cuda": cuda, "numpy": numpy, "python": random.getstate()}


def _set_random_state(state: dict[str, Any]) -> None:
    torch.set_rng_state(state["torch"])
    if state["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
    np.random.set_state(state["numpy"])  # noqa: NPY002 (see above)
    random.setstate(state["python"])
