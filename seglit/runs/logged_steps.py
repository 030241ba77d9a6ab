"""The steps at which values are logged: the only ones at which the host syncs with the device.

With `log_every_n_steps: 0` nothing is logged; the host then syncs, and checks signals and the clock, every 50 steps.
"""

import math

import pytorch_lightning as pl
from torch import Tensor

_DEFAULT_INTERVAL = 50  # Lightning's


def is_logged_step(trainer: pl.Trainer) -> bool:
    """Whether the values of the optimizer step that just ended are logged."""
    return _is_logged(trainer, trainer.global_step)


def log_short_epochs(trainer: pl.Trainer) -> None:
    """Limits the interval of logged values to an epoch, or to a shorter training: each logs its loss."""
    interval: int = trainer.log_every_n_steps  # type: ignore[attr-defined]  # Lightning sets it
    shortest = min(trainer.num_training_batches / trainer.accumulate_grad_batches, trainer.estimated_stepping_batches)
    if shortest < interval:
        trainer.log_every_n_steps = math.ceil(shortest)  # type: ignore[attr-defined]


def mean_if_logged(value: Tensor, trainer: pl.Trainer) -> Tensor:
    """Returns the mean over ranks in a step that is logged, else the value of this rank: reducing it syncs the host."""
    if trainer.world_size == 1 or not _is_logged(trainer, trainer.global_step + 1):
        return value
    mean: Tensor = trainer.strategy.reduce(value.detach().clone(), reduce_op="mean")
    return mean


def _is_logged(trainer: pl.Trainer, steps: int) -> bool:
    interval: int = trainer.log_every_n_steps  # type: ignore[attr-defined]  # Lightning sets it
    return steps % (interval or _DEFAULT_INTERVAL) == 0
