"""The duration of a training as text."""

import pytest

from seglit.runs.training import Training


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.7, "1 min 0 s"),
        (114, "1 min 54 s"),
        (6300, "1 h 45 min"),
        (7199.6, "2 h 0 min"),
    ],
)
def test_durations_are_not_rounded_up_in_their_larger_unit(seconds: float, text: str) -> None:
    assert Training(1, seconds, "1 x CPU").duration == text
