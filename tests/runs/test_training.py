"""The duration of a training, over its resumptions and as text."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from seglit.callbacks.record import RunRecord
from seglit.data import SyntheticDataModule
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


@pytest.mark.parametrize("resumed", ["run", "other"])
def test_clock_starts_at_the_time_of_the_run_wherever_its_checkpoints_are(tmp_path: Path, resumed: str) -> None:
    Training(3, 5000.0, "1 x CPU").write(tmp_path / "other")
    if resumed == "run":
        Training(3, 1000.0, "1 x CPU").write(tmp_path / "run")
    record = RunRecord({}, SyntheticDataModule())
    checkpoint = tmp_path / "other" / "checkpoints" / "last.ckpt"
    trainer: Any = SimpleNamespace(default_root_dir=str(tmp_path / "run"), ckpt_path=str(checkpoint))
    module: Any = None
    record.on_fit_start(trainer, module)
    assert 0 <= time.monotonic() - record.start - (1000 if resumed == "run" else 5000) < 60
    trainer.ckpt_path = None
    record.on_fit_start(trainer, module)
    assert time.monotonic() - record.start < 60
