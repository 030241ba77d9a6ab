"""`--patience`, and the direction in which a score is better."""

import csv
import json
import re
from math import nan

import pytest
import torch
from pytorch_lightning.callbacks import EarlyStopping

from seglit.callbacks import BestCheckpoint
from seglit.callbacks.early_stopping import Patience, check_direction
from seglit.errors import InputError
from tests.conftest import Run


def test_patience_counts_validations_without_a_better_score(run: Run, tiny: list[str]) -> None:
    options = ("--trainer.max_epochs=40", "--trainer.check_val_every_n_epoch=2", "--model.optimizer.lr=0.3")
    outcome = run("fit", *tiny, *options, "--patience=1")  # whose test reads the checkpoint
    assert outcome.code == 0, outcome.err
    with (outcome.folder / "metrics.csv").open() as rows:
        scores = [float(row["val/miou"]) for row in csv.DictReader(rows) if row["val/miou"]]
    *before, last = scores
    assert 1 < len(scores) < 20
    assert before == sorted(set(before))  # each was better than all before
    assert last <= before[-1]
    assert f"stopped: 1 validation without a better score than val/miou {before[-1]:.3f}" in outcome.out


def test_patience_watches_the_monitored_score_in_its_mode(run: Run, tiny: list[str]) -> None:
    monitor = ("--checkpoint.monitor=val/loss", "--checkpoint.mode=min")  # which falls in all epochs
    outcome = run("fit", *tiny, *monitor, "--trainer.max_epochs=3", "--patience=1", "--test_after_fit=false")
    assert json.loads((outcome.folder / "training.json").read_text())["epochs"] == 3
    assert "stopped" not in outcome.out


def test_early_stopping_in_the_wrong_direction_is_an_error(run: Run, tiny: list[str]) -> None:
    callback = "--trainer.callbacks+=pytorch_lightning.callbacks.EarlyStopping"
    outcome = run("fit", *tiny, callback, "--trainer.callbacks.monitor=val/miou")
    assert outcome.code == 2
    expected = "EarlyStopping's mode is min, but a higher val/miou is better; write `mode: max`"
    assert outcome.err == f"seglit: error: {expected}\n"


def test_nan_is_no_better_score() -> None:
    stopping = Patience(BestCheckpoint(monitor="val/miou", mode="max"), 2)
    stopped = [stopping._evaluate_stopping_criteria(torch.tensor(score))[0] for score in (0.5, nan, 0.6, nan, nan)]
    assert stopped == [False, False, False, False, True]


def test_patience_of_a_continued_training_is_its_own() -> None:
    scores = 0.5, 0.4, 0.4, 0.4
    for before, after, expected in ((3, 2, [False, True]), (3, 9, [False] * 3), (9, 2, [True])):
        stopped, continued = (Patience(BestCheckpoint(monitor="val/miou", mode="max"), n) for n in (before, after))
        for score in scores:
            stopped._evaluate_stopping_criteria(torch.tensor(score))
        continued.load_state_dict(stopped.state_dict())
        answers = [continued._evaluate_stopping_criteria(torch.tensor(0.4))[0] for _ in expected]
        assert answers == expected


def test_patience_without_a_score_is_an_error(run: Run, tiny: list[str]) -> None:
    outcome = run("fit", *tiny, "--checkpoint.monitor=null", "--patience=3")
    expected = "patience watches checkpoint.monitor, which is null; name a score, such as val/miou"
    assert (outcome.code, outcome.err) == (2, f"seglit: error: {expected}\n")


@pytest.mark.parametrize(
    ("monitor", "mode", "message"),
    [
        ("val/loss", "max", "checkpoint.mode is max, but a lower val/loss is better; write `mode: min`"),
        ("val/iou/star", "min", "checkpoint.mode is min, but a higher val/iou/star is better; write `mode: max`"),
        ("val/Mine", "max", "EarlyStopping's mode is min, but a higher val/Mine is better; write `mode: max`"),
    ],
)
def test_direction_is_that_of_the_score(monitor: str, mode: str, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        check_direction(BestCheckpoint(monitor=monitor, mode=mode), [EarlyStopping("val/Mine")])


def test_direction_of_other_scores_is_free() -> None:
    check_direction(BestCheckpoint(monitor="val/Mine", mode="min"), [EarlyStopping("val/Other", mode="max")])
