"""Checks a learning rate schedule before anything is built."""

import inspect

from seglit.errors import InputError

TOTAL_STEPS_NAMES = ("total_steps", "total_iters", "T_max", "num_training_steps")
"""Names that schedules give their parameter for the number of optimizer steps of the run."""


def check_schedule(schedule: type) -> None:
    """Checks that a schedule's second parameter is the number of optimizer steps.

    Raises:
        InputError: It is not: `OneCycleLR` would take the number of steps as its `max_lr`.
    """
    parameters = list(inspect.signature(schedule).parameters)
    if len(parameters) < 2 or parameters[1] not in TOTAL_STEPS_NAMES:
        second = f"is {parameters[1]!r}" if len(parameters) > 1 else "is missing"
        raise InputError(
            f"model.scheduler: the second parameter of {schedule.__name__} {second}, not the number of optimizer "
            "steps; use WarmupPolynomial, PolynomialLR or CosineAnnealingLR; in your own schedule name it "
            f"{TOTAL_STEPS_NAMES[0]!r}"
        )
