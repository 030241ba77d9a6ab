"""Ctrl-C and SIGTERM end a command with one line and their exit codes, and leave nothing half written."""

import multiprocessing
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import yaml
from PIL import Image

from seglit.__main__ import main
from seglit.callbacks.signals import Signals
from seglit.config import quick_check
from seglit.inspect import read_pairs
from seglit.module import SegmentationModule
from seglit.predict.predictor import Predictor
from tests.conftest import Outcome, Run
from tests.predict.brightest import WATER, checkpoint

ENDS = {signal.SIGINT: (130, "seglit: interrupted\n"), signal.SIGTERM: (143, "seglit: terminated\n")}


@pytest.mark.parametrize("signum", ENDS)
def test_interrupted_prediction_is_completed_later(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signum: signal.Signals
) -> None:
    checkpoint(tmp_path / "water.ckpt", WATER)
    (tmp_path / "in").mkdir()
    for index in range(6):
        Image.fromarray(np.full((20, 20 + index, 3), 200, np.uint8)).save(tmp_path / "in" / f"{index}.png")
    predict, calls = Predictor._scores, []

    def interrupted(self: Predictor, pixels: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            signal.raise_signal(signum)
        return predict(self, pixels)

    with monkeypatch.context() as patch:
        patch.setattr(Predictor, "_scores", interrupted)
        code, _, err = run("predict", "water.ckpt", "in", "--output=out")
    assert (code, err) == ENDS[signum]
    written = [file for file in (tmp_path / "out").rglob("*") if file.is_file() and file.name != "predictions.json"]
    assert {file.suffix for file in written} == {".png"}
    for file in written:
        with Image.open(file) as mask:
            assert np.asarray(mask).tolist() == np.full(mask.size[::-1], 255).tolist()
    assert run("predict", "water.ckpt", "in", "--output=out").out.startswith(f"{6 - len(written)} images predicted")


@pytest.mark.parametrize(
    ("command", "signum"), [("inspect", signal.SIGTERM), ("report", signal.SIGINT), ("compare", signal.SIGTERM)]
)
def test_interrupted_page_keeps_the_one_before(
    run: Run,
    tmp_path: Path,
    shapes: Path,
    trained: Outcome,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    signum: signal.Signals,
) -> None:
    folder = Path(shutil.copytree(trained.folder, tmp_path / "run"))
    arguments: dict[str, tuple[list[object], Path]] = {
        "inspect": ([shapes, "--report=page"], tmp_path / "page" / "index.html"),
        "report": ([folder], folder / "report.html"),
        "compare": ([folder, folder, "--output=page.html"], tmp_path / "page.html"),
    }
    options, page = arguments[command]
    page.parent.mkdir(exist_ok=True)
    page.write_text("before")
    files = {*page.parent.iterdir()}
    write = Path.write_text

    def interrupted(self: Path, text: str, **options: Any) -> int:
        write(self, text[:100], **options)
        signal.raise_signal(signum)
        raise AssertionError

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", interrupted)
        code, _, err = run(command, *options)
    assert (code, err) == ENDS[signum]
    assert page.read_text() == "before"
    assert {*page.parent.iterdir()} == files


@pytest.mark.skipif(multiprocessing.get_start_method() != "fork", reason="replaces a function of the workers")
@pytest.mark.parametrize("signum", ENDS)
def test_signals_to_all_processes_end_inspect_in_one_line(
    shapes: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], signum: signal.Signals
) -> None:
    """As a terminal sends Ctrl-C; one worker is reading then, and the others wait."""
    monkeypatch.setattr(read_pairs, "read_facts", lambda *_: os.killpg(os.getpgrp(), signum))

    def inspect() -> None:
        os.setpgid(0, 0)
        sys.exit(main(["inspect", str(shapes), "--workers=3"]))

    process = multiprocessing.get_context("fork").Process(target=inspect)
    process.start()
    process.join()
    assert (process.exitcode, capfd.readouterr().err) == ENDS[signum]


@pytest.mark.parametrize(("command", "signum"), [("test", signal.SIGTERM), ("validate", signal.SIGINT)])
def test_interrupted_test_writes_no_scores(
    run: Run,
    tmp_path: Path,
    trained: Outcome,
    capfd: pytest.CaptureFixture[str],
    command: str,
    signum: signal.Signals,
) -> None:
    callback = {"class_path": "tests.runs.interrupted.Signal", "init_args": {"signum": int(signum)}}
    (tmp_path / "signal.yaml").write_text(yaml.dump({"trainer": {"callbacks": callback}}))
    options = ["--ckpt_path", trained.folder / "checkpoints" / "best.ckpt", "--trainer.default_root_dir=runs"]
    code, out, _ = run(command, "-c", trained.folder / "config.yaml", "-c", "signal.yaml", *options)
    assert code == 128 + signum
    assert capfd.readouterr().err == f"\nseglit: stopped by {signum.name}\n"
    assert "│" not in out
    assert not [*tmp_path.glob("runs/**/scores_*"), *tmp_path.glob("runs/**/.*.part")]


@pytest.mark.parametrize("signum", ENDS)
def test_training_that_has_not_begun_ends_at_once(
    run: Run, tiny: list[str], monkeypatch: pytest.MonkeyPatch, signum: signal.Signals
) -> None:
    monkeypatch.setattr(SegmentationModule, "configure_optimizers", lambda _: signal.raise_signal(signum))
    code, _, err = run("fit", *tiny)
    assert (code, err.splitlines()[-1] + "\n") == ENDS[signum]


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("is_slurm", [True, False])
def test_time_limit_that_is_announced_before_the_training_is_not_lost(
    run: Run,
    tiny: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    signal_handlers: None,
    capfd: pytest.CaptureFixture[str],
    is_slurm: bool,
) -> None:
    """SLURM's SIGUSR1 requeues a job before its first step; elsewhere a training goes on, and so does its test."""
    monkeypatch.setattr(quick_check, "check_command_line", lambda _: signal.raise_signal(signal.SIGUSR1))
    scontrol, requeued = tmp_path / "scontrol", tmp_path / "requeued"
    scontrol.write_text(f'#!/bin/sh\necho "$@" >{requeued}\n')
    scontrol.chmod(0o700)
    job = {"JOB_ID": 7, "STEP_ID": 0, "NTASKS": 1, "PROCID": 0, "LOCALID": 0, "NODEID": 0} if is_slurm else {}
    for name, value in job.items():
        monkeypatch.setenv(f"SLURM_{name}", str(value))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    callback = {"class_path": "tests.runs.interrupted.Signal", "init_args": {"signum": int(signal.SIGUSR1)}}
    (tmp_path / "signal.yaml").write_text(yaml.dump({"trainer": {"callbacks": callback}}))
    code, _, err = run("fit", *tiny, "-c", "signal.yaml", "--trainer.max_epochs=1")
    assert code == 0
    (folder,) = tmp_path.glob("runs/*/*")
    lines = [line for line in err.splitlines() if line.startswith("SIGUSR1: ")]
    assert lines[0] == f"SIGUSR1: nothing to save yet in {folder}"
    if is_slurm:
        assert requeued.read_text() == "requeue 7\n"
        assert not (folder / "metrics.csv").exists()
    else:  # it arrives in the validation and in the test as well
        assert lines[1:] == [f"SIGUSR1: saved in {folder}"]
        assert capfd.readouterr().err.endswith("\nSIGUSR1: nothing to save\n")
        assert (folder / "scores_test.json").exists()
        assert not requeued.exists()


def test_second_interrupt_of_a_training_ends_it_at_once() -> None:
    def interrupted_twice() -> None:
        Signals().install(pl.Trainer(logger=False, accelerator="cpu", enable_progress_bar=False))
        signal.raise_signal(signal.SIGINT)  # the run goes on until its step is done
        signal.raise_signal(signal.SIGINT)

    process = multiprocessing.get_context("fork").Process(target=interrupted_twice)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGINT
