"""Which learning rate schedules the command line accepts."""

import pytest
from torch.optim.lr_scheduler import CosineAnnealingLR, ExponentialLR, LRScheduler, OneCycleLR, PolynomialLR

from seglit.config.schedule_check import check_schedule
from seglit.errors import InputError
from seglit.optim import WarmupPolynomial


@pytest.mark.parametrize("schedule", [WarmupPolynomial, PolynomialLR, CosineAnnealingLR])
def test_pytorch_schedules_with_total_steps(schedule: type[LRScheduler]) -> None:
    check_schedule(schedule)


@pytest.mark.parametrize(("schedule", "second"), [(OneCycleLR, "max_lr"), (ExponentialLR, "gamma")])
def test_schedules_without_total_steps_are_rejected(schedule: type[LRScheduler], second: str) -> None:
    with pytest.raises(InputError, match=f"second parameter of {schedule.__name__} is '{second}', not the number"):
        check_schedule(schedule)
