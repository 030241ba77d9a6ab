"""The steps at which the host syncs with the device."""

from types import SimpleNamespace
from typing import Any

import pytest

from seglit.runs.logged_steps import is_logged_step


@pytest.mark.parametrize(("interval", "expected"), [(20, [20, 40, 60, 80, 100]), (0, [50, 100])])
def test_signals_and_the_clock_are_looked_at_though_nothing_is_logged(interval: int, expected: list[int]) -> None:
    def at(step: int) -> Any:
        return SimpleNamespace(log_every_n_steps=interval, global_step=step)

    assert [step for step in range(1, 101) if is_logged_step(at(step))] == expected
