"""`seglit.fit` and `seglit.inspect_folder`: the commands as functions, without traces in the process."""

import json
import logging
import os
import random
import signal
import threading
import warnings
from contextlib import chdir
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np
import pytest
import torch
from jsonargparse import get_loader
from jsonargparse._common import parsing_settings
from pytorch_lightning import Trainer

import seglit
from seglit import hardware
from seglit.callbacks.signals import Signals
from seglit.runs.scores import SavedScores
from tests.conftest import CLASS_NAMES, QUIET, Outcome, Run, run_in


def state() -> dict[str, Any]:
    """What a run might change in its process."""
    numpy: Any = np.random.get_state()  # noqa: NPY002
    running = [thread.name for thread in threading.enumerate()]  # of a loader that ended, one may end at any time
    return {
        "environment": dict(os.environ),
        "folder": Path.cwd(),
        "filters": warnings.filters[:],
        "loggers": {
            name: (logger.level, logger.filters[:], logger.handlers[:])
            for name, logger in logging.root.manager.loggerDict.items()
            if isinstance(logger, logging.Logger) and name.startswith(("pytorch_lightning", "lightning", "seglit"))
        },
        "signals": [signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)],
        "threads": (torch.get_num_threads(), cv2.getNumThreads(), {*running} - {"QueueFeederThread"}),
        "flags": (torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark),
        "parser": (get_loader("yaml"), parsing_settings.copy()),
        "random": (random.getstate(), numpy[1].tobytes(), torch.get_rng_state().tolist()),
    }


def options(**more: Any) -> dict[str, Any]:
    """The options of `tiny`'s runs that are not files."""
    pairs = (option.removeprefix("--").split("=") for option in QUIET)
    return {**{name: {"true": True, "false": False}.get(value, value) for name, value in pairs}, **more}


def test_fit_trains_as_the_command_does(tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_freed_memory = mock.Mock()  # of a process, for good
    monkeypatch.setattr(hardware, "keep_freed_memory", keep_freed_memory)
    monkeypatch.setattr(hardware, "find_device", lambda *_: "cpu")
    data, model = tiny[1], Path(tiny[3])
    cv2.setNumThreads(2)
    before = state()
    with chdir(tmp_path):
        before["folder"] = tmp_path
        run = seglit.fit(data=data, model=model, **options(**{"trainer.max_epochs": 1, "seed_everything": 3}))
        after = state()
    assert after == before
    assert run.folder.parent == tmp_path / "runs" / "data"
    assert run.checkpoint == run.folder / "checkpoints" / "best.ckpt"
    saved = SavedScores.read(run.folder).scores
    expected = {f"test/{name}": value for name, value in saved.items() if value is not None}
    assert {name: run.scores[name] for name in expected} == pytest.approx(expected)
    more = {"val/miou", "test/loss", *(f"test/iou/{name}" for name in CLASS_NAMES)}
    assert run.scores.keys() - expected.keys() <= more
    best = torch.load(run.checkpoint, weights_only=True)
    (score,) = [each["best_model_score"] for name, each in best["callbacks"].items() if name.startswith("BestCh")]
    assert run.scores["val/miou"] == pytest.approx(float(score))
    keep_freed_memory.assert_not_called()
    same = run_in(tmp_path, "fit", *tiny, "--seed_everything=3", "--trainer.max_epochs=1")
    keep_freed_memory.assert_called_once_with()
    assert SavedScores.read(same.folder).scores == saved


FOLDER = {"class_path": "seglit.data.FolderDataModule"}


def test_errors_leave_no_trace(tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = state()
    for settings, message in (
        ({"data": "dat.yaml"}, "no such file dat.yaml"),
        ({"data": tiny[1], "epochs": 3}, "unknown setting 'epochs'; did you mean 'trainer.max_epochs'?"),
        ({"data": tiny[1], "model.network": torch.nn.ReLU()}, "model.network: a ReLU, not plain data"),
        ({"data": {"class_path": "seglit.data.SyntheticDataModule", "init_args": {"num_trai": 1}}}, "'num_trai'"),
        ({"data": FOLDER | {"init_args": {"root": Path("none"), "class_names": ["a"]}}}, "none: no such folder"),
        ({"data": {"init_args": {"mean": torch.zeros(3)}}}, "data: a Tensor, not plain data"),
        ({"data": tiny[1], "plan": True}, "plan: an option of the command line"),
    ):
        with pytest.raises(seglit.InputError) as error:
            seglit.fit(**settings)
        assert message in str(error.value)
        assert state() == before


def test_loading_changes_no_setting_of_the_process(trained: Outcome) -> None:
    before = state()
    predictor = seglit.load(trained.folder, trust=["tests"])
    predictor(np.zeros((8, 8, 3), np.uint8))
    assert state() == {**before, "random": state()["random"]}  # a new network draws its weights


def test_inspect_folder_returns_what_json_prints(run: Run, shapes: Path) -> None:
    inspected = seglit.inspect_folder(shapes, workers=1)
    printed = json.loads(run("inspect", shapes, "--json", "true", "--workers=1").out)
    assert json.loads(json.dumps(inspected)) == printed
    assert inspected["splits"] == {"train": 5, "val": 3, "test": 3}


def test_ctrl_c_is_a_keyboard_interrupt(tiny: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(*_: object) -> None:
        raise SystemExit(128 + signal.SIGINT)  # as a run does once its checkpoint is saved

    monkeypatch.setattr("seglit.budget.command.fit", leave)
    with pytest.raises(KeyboardInterrupt):
        seglit.fit(data=tiny[1])


def test_signals_are_left_alone_outside_the_main_thread() -> None:
    errors: list[BaseException] = []

    def install() -> None:
        try:
            Signals().install(Trainer(accelerator="cpu", logger=False, enable_checkpointing=False))
        except ValueError as error:
            errors.append(error)

    thread = threading.Thread(target=install)
    thread.start()
    thread.join()
    assert errors == []
