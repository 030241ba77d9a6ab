"""The callbacks that every run has beside those of its configuration."""

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import BatchSizeFinder, LearningRateFinder
from pytorch_lightning.callbacks import ProgressBar as LightningProgressBar

from seglit.callbacks.class_weighting import ClassWeighting
from seglit.callbacks.early_stopping import Patience, check_direction
from seglit.callbacks.exact_resume import ExactResume
from seglit.callbacks.finite import Finite
from seglit.callbacks.freeze import warn_if_random
from seglit.callbacks.memory import MemoryAdvice
from seglit.callbacks.mid_epoch import MidEpochCheckpoint
from seglit.callbacks.next_steps import NextSteps
from seglit.callbacks.plan import Plan
from seglit.callbacks.progress import ProgressBar
from seglit.callbacks.rank_watch import RankWatch
from seglit.callbacks.record import RunRecord
from seglit.callbacks.same_buffers import SameBuffers
from seglit.callbacks.score_file import ScoreFile
from seglit.callbacks.score_table import ScoreTable
from seglit.callbacks.stopwatch import Stopwatch
from seglit.callbacks.strategies import check_strategy
from seglit.data.base import SegmentationDataModule
from seglit.errors import InputError

_REJECTED: dict[type[pl.Callback], str] = {
    BatchSizeFinder: "BatchSizeFinder changes the batch size after config.yaml states it, which then describes another "
    "training: set --data.batch_size instead; if the memory is full, fit suggests smaller settings",
    LearningRateFinder: "LearningRateFinder sets the attribute `lr` of a module, but the learning rate is a setting of "
    "the optimizer: compare runs with several --model.optimizer.init_args.lr instead",
}


def callbacks_of_every_run(config: Any, data: SegmentationDataModule, settings: Mapping[str, Any]) -> list[pl.Callback]:
    """Returns the configured callbacks between those that every run has.

    Args:
        config: The configuration of a training command, with its callbacks built.
        data: The data module.
        settings: The complete configuration as plain data.

    Raises:
        InputError: A callback is configured that changes settings in a way that cannot work here, or `check_strategy`
            or `check_direction` raises.
    """
    chosen = config.trainer.callbacks or []
    chosen = chosen if isinstance(chosen, list) else [chosen]  # Lightning accepts one
    check_strategy(config.trainer, chosen)
    for kind, reason in _REJECTED.items():
        if any(isinstance(callback, kind) for callback in chosen):
            raise InputError(reason)
    check_direction(config.checkpoint, chosen)
    warn_if_random(chosen, config, settings)
    if config.patience is not None:
        chosen = [*chosen, Patience(config.checkpoint, config.patience)]
    stopwatch = Stopwatch(data, tests=config.test_after_fit)
    callbacks = [
        stopwatch,
        ExactResume(data, settings),
        RankWatch(),
        MidEpochCheckpoint(config.save_minutes, config.save_steps),
        *chosen,
        SameBuffers(),
        Finite(),
        ClassWeighting(data),
        ScoreTable(config.protocol),
        RunRecord(settings, data),
        ScoreFile(),
        NextSteps(),
        Plan(data, stopwatch),
        MemoryAdvice(data),
    ]
    own_bar = any(isinstance(callback, LightningProgressBar) for callback in chosen)
    return callbacks if config.trainer.enable_progress_bar is False or own_bar else [*callbacks, ProgressBar(stopwatch)]
