"""What of optimizer and learning rate schedule a checkpoint brings with it, which the settings must not contradict.

`load_state_dict` of an optimizer replaces the settings of its parameter groups by the saved ones, and that of PyTorch's
schedules their length, too.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from seglit.config.schedule_check import TOTAL_STEPS_NAMES
from seglit.errors import InputError
from seglit.runs.flat_settings import flat_settings

OPTIMIZATION_KEY = "optimization"
"""Key, within `RESUME_KEY`, of what `optimization_settings` returns."""
_SETTINGS = ("optimizer", "scheduler", "encoder_lr_factor", "layer_decay")  # of `model`
_KERNELS = ("fused", "foreach", "capturable")  # settings of optimizers, chosen by hardware
_FOLLOWS_SETTINGS = "seglit.optim.WarmupPolynomial"  # nothing of it is saved but the learning rate that it starts from
_SAME_LENGTH = 0.02  # share by which it may differ: the last batch of an epoch may depend on the batch size


def optimization_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings of a configuration that a checkpoint brings with it, by their dotted names.

    Args:
        settings: The complete configuration.
    """
    model = settings["model"]
    named = dict(flat_settings({name: model[name] for name in _SETTINGS if name in model}, "model"))
    if named.get("model.scheduler") == _FOLLOWS_SETTINGS:
        named = {name: value for name, value in named.items() if not name.startswith("model.scheduler.")}
    return {name: value for name, value in named.items() if name.rpartition(".")[2] not in _KERNELS}


def check_optimization(saved: Mapping[str, Any], current: Mapping[str, Any], path: str) -> None:
    """Compares the settings of a checkpoint with those of the training that continues it.

    Raises:
        InputError: One differs.
    """
    for name in current:
        if name in saved and saved[name] != current[name]:
            ours, theirs = ("null" if value is None else value for value in (current[name], saved[name]))
            raise InputError(
                f"{name} is {ours}, but {path} continues with its own, {theirs}; to start a new training from its "
                f"weights: --init_from {path}"
            )


def saved_lengths(schedules: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Returns the numbers of steps in the states of schedules and of their parts, by dotted names; {} without any."""
    named = (item for state in schedules for item in flat_settings(dict(state)))
    return {name: value for name, value in named if name.rpartition(".")[2] in TOTAL_STEPS_NAMES}


def check_lengths(saved: Mapping[str, int], current: Mapping[str, int], path: str) -> None:
    """Compares the lengths of the schedules of a checkpoint with those of the training that continues it.

    Raises:
        InputError: One differs.
    """
    for name in current:
        if name in saved and abs(current[name] - saved[name]) > _SAME_LENGTH * saved[name]:
            raise InputError(
                f"model.scheduler: {name} is {current[name]}, but {path} continues with its own, {saved[name]}; to "
                f"start a new training from its weights: --init_from {path}"
            )
