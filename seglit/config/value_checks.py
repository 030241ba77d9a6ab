"""Checks of values that the parser and Lightning accept, but that fail later or train wrongly."""

import math
from pydoc import locate
from typing import Any, cast

from seglit.config.schedule_check import check_schedule
from seglit.errors import InputError

_ABOVE_ZERO = ("accumulate_grad_batches", "check_val_every_n_epoch", "val_check_interval")
_NOT_NEGATIVE = ("gradient_clip_val", "log_every_n_steps")  # a negative norm would turn the gradients around
_NAMED = ("accelerator", "profiler", "strategy")


def check_values(config: Any) -> None:
    """Checks the parsed configuration of a training command.

    Raises:
        InputError: A number is out of range, `check_schedule` raises, or a class is given where a name is expected.
    """
    if schedule := config.model.scheduler:
        check_schedule(cast(type, locate(schedule.class_path)))
    for name in (*_ABOVE_ZERO, *_NOT_NEGATIVE):
        value = config.trainer[name]
        if isinstance(value, int | float) and not (0 < value < math.inf or (value == 0 and name in _NOT_NEGATIVE)):
            expected = "finite and above 0" if name in _ABOVE_ZERO else "finite and 0 or above"
            raise InputError(f"trainer.{name} is {value}; it must be {expected}")
    for name in _NAMED:
        value = config.trainer[name]
        if isinstance(value, str) and "." in value:
            path = value.replace("lightning.pytorch.", "pytorch_lightning.")
            raise InputError(f"trainer.{name} is {value!r}; a class is given as --trainer.{name}.class_path={path}")
