"""The plan that `fit` prints before it trains, and the estimate of the time until the end."""

import csv
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from pytorch_lightning.callbacks import Timer

from seglit.callbacks.plan import say_end
from seglit.callbacks.stopwatch import Stopwatch
from seglit.data import SyntheticDataModule
from tests.conftest import Outcome, Run


def test_plan_replaces_what_lightning_prints(trained: Outcome) -> None:
    plan, _, _ = trained.out.partition("test: ")
    lines = dict(line.split("  ", 1) for line in plan.splitlines() if "  " in line)
    assert {name: lines[name].strip() for name in ("data", "batch", "length", "run folder")} == {
        "data": "5 train, 3 val, 3 test pairs; 6 classes",
        "batch": "2 x whole images",
        "length": "2 epochs of 2 batches, 4 steps, 2 validations",
        "run folder": str(trained.folder),
    }
    assert lines["network"].strip().startswith("UNet, ")
    assert lines["device"].strip().startswith("1 x CPU, ")
    assert "available" not in trained.out + trained.err
    assert "Seed set" not in trained.err


def test_steps_and_accumulation_are_in_the_plan(run: Run, tiny: list[str]) -> None:
    steps = ("--trainer.max_epochs=null", "--trainer.max_steps=3", "--trainer.accumulate_grad_batches=3")
    validation = ("--trainer.check_val_every_n_epoch=null", "--trainer.val_check_interval=2")
    outcome = run("fit", *tiny, *steps, *validation, "--data.crop_size=[32,16]", "--test_after_fit=false")
    assert "2 x 32x16, 3 batches per step" in outcome.out
    assert "3 epochs of 2 batches, 3 steps, 3 validations" in outcome.out  # an epoch ends with a step
    with (outcome.folder / "metrics.csv").open() as rows:
        assert [row["step"] for row in csv.DictReader(rows) if row["val/miou"]] == ["0", "1", "2"]


def trainer_of(limit: float = 1.0, **changes: Any) -> Any:
    """What a stopwatch reads of a trainer of 10 epochs."""
    trainer: Any = SimpleNamespace(
        fit_loop=SimpleNamespace(epoch_loop=SimpleNamespace(total_batch_idx=-1)), max_epochs=10, max_steps=-1,
        num_training_batches=4, num_val_batches=[3], sanity_checking=True, val_check_batch=4, check_val_every_n_epoch=2,
        enable_validation=True, accumulate_grad_batches=1, world_size=1, limit_test_batches=limit, callbacks=[],
    )  # fmt: skip
    vars(trainer).update(changes)
    return trainer


@pytest.mark.parametrize(("limit", "tested"), [(1.0, 5), (0.5, 2), (3, 3), (9, 5)])
def test_estimate_is_the_sum_of_the_parts(monkeypatch: pytest.MonkeyPatch, limit: float, tested: int) -> None:
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr("time.monotonic", lambda: clock.now)
    trainer = trainer_of(limit)
    loop = trainer.fit_loop
    module: Any = None
    watch = Stopwatch(SyntheticDataModule(num_test=9, batch_size=2), tests=True)

    def wait(seconds: float) -> None:
        clock.now += seconds

    watch.on_fit_start(trainer, module)
    watch.on_validation_batch_end(trainer, module, None, None, 0)
    trainer.sanity_checking = False
    assert watch.remaining(trainer) is None
    for batch in range(8):  # two epochs: batches of 2 s, the first three slow; 0.5 s at the end of an epoch
        loop.epoch_loop.total_batch_idx += 1
        watch.on_train_batch_start(trainer, module, None, batch % 4)
        wait(2 if batch > 2 else 7)
        watch.on_train_batch_end(trainer, module, None, None, batch % 4)
        if batch == 7:
            watch.on_validation_start(trainer, module)
            for index in range(3):
                wait(1.5)
                watch.on_validation_batch_end(trainer, module, None, None, index)
            wait(0.25)  # pictures and the best checkpoint
        if batch % 4 == 3:
            watch.on_train_epoch_end(trainer, module)
            wait(0.5)
    watch.on_train_batch_start(trainer, module, None, 0)
    assert dict(watch.seconds) == {"start": 21, "batch": 10, "validation": 4.75, "epoch": 1}
    # 32 batches of 2 s, the ends of 8 epochs, 4 validations, and a test of batches of twice 1.5 s
    assert watch.remaining(trainer) == pytest.approx(32 * 2 + 8 * 0.5 + 4 * 4.75 + tested * 3)
    trainer.callbacks = [Timer(timedelta(seconds=50))]
    assert watch.remaining(trainer) == pytest.approx(50 + tested * 3)
    trainer.max_epochs = -1
    assert watch.remaining(trainer) == pytest.approx(50 + tested * 3)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, None),  # resumed: without the validation before the first step
        ({"enable_validation": False}, 40 * 2 + 3 * 2),  # a test batch then counts as one of training
    ],
)
def test_estimate_needs_a_validation_where_there_is_one(changes: dict[str, Any], expected: float | None) -> None:
    trainer, module = trainer_of(**changes), None
    watch = Stopwatch(SyntheticDataModule(num_test=6, batch_size=2), tests=True)
    watch.on_fit_start(trainer, module)  # type: ignore[arg-type]
    watch.counts["batch"], watch.seconds["batch"] = 3, 6.0
    assert watch.remaining_training(trainer) == pytest.approx(40 * 2)
    assert watch.remaining(trainer) == (expected if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.3, "about 1 second, done at 14:46"),
        (40, "about 40 seconds, done at 14:46"),
        (34 * 60, "about 34 minutes, done at 15:20"),
        (3.4 * 3600, "about 3.4 hours, done at 18:10"),
        (20 * 3600, "about 20.0 hours, done at Friday 10:46"),
        (200 * 3600, "about 200.0 hours, done at 2026-12-04 22:46"),
    ],
)
def test_end_is_said_in_words(seconds: float, expected: str) -> None:
    assert say_end(seconds, datetime(2026, 11, 26, 14, 46)) == expected
