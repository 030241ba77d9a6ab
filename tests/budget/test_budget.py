"""`fit --plan` and `fit --minutes`."""

import csv
import json
import os
import re
import shutil
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import yaml
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.trainer.connectors.data_connector import _parse_num_batches
from pytorch_lightning.trainer.states import RunningStage
from torch.utils.data import DataLoader

from seglit import cli
from seglit.budget import minutes, show_plan
from seglit.budget.minutes import Costs, batches_of_rank, divide
from seglit.budget.unstated import choose_unstated
from seglit.callbacks.stopwatch import total_batches
from seglit.cli import run as run_command_line
from seglit.config.named_configs import expand_names
from seglit.data import FolderDataModule, SyntheticDataModule
from seglit.data.sampling import KeySampler
from seglit.errors import InputError
from seglit.preview.command import PreviewCLI
from seglit.runs.init_from import start_from
from tests.conftest import CLASS_NAMES, Outcome, Run


def entries(folder: Path) -> set[Path]:
    return {*folder.rglob("*")}


@pytest.fixture
def temporary(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files of this test alone: other processes have trials, too."""
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_plan_is_printed_and_nothing_written(
    run: Run, tiny: list[str], tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = mock.Mock(wraps=start_from)
    monkeypatch.setattr(cli, "start_from", prepared)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    length = ("--trainer.max_epochs=40", "--trainer.max_time=00:10:00:00", "--trainer.check_val_every_n_epoch=10")
    weights = ("--model.criterion=seglit.losses.CrossEntropy", "--model.criterion.class_weights=auto")
    without = "--trainer.num_sanity_val_steps=0"
    outcome = run("fit", *tiny, *length, *weights, without, "--plan", "--experiment=mine")
    assert (outcome.code, outcome.err) == (0, "")
    prepared.assert_called_once()
    lines = dict(line.split("  ", 1) for line in outcome.out.splitlines())
    assert lines["length"].strip() == "40 epochs of 2 batches, 80 steps, 4 validations, at most 10.0 hours"
    assert lines["run folder"].strip() == "runs/mine/<date>_<time>"
    end = r" *about \d+ (seconds?|minutes?), done at ([A-Z]\w+ )?\d\d:\d\d, validations and test not included"
    assert re.fullmatch(end, lines["time"])  # as of a run that is resumed
    assert not entries(tmp_path)
    assert not [*temporary.glob("seglit-trial-*")]
    assert run("fit", *tiny, "--plan=true", "--data.rooot=x").code == 2


def test_plan_of_a_resumed_run_leaves_its_folder_alone(trained: Outcome, run: Run, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(trained.folder, tmp_path / "run"))
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    outcome = run("fit", "--resume", "run", "--plan", "--trainer.max_epochs=5", "--data.num_workers=0")
    assert (outcome.code, outcome.err) == (0, "")
    lines = dict(line.split("  ", 1) for line in outcome.out.splitlines())
    assert lines["length"].strip().startswith("5 epochs of 2 batches, 10 steps")
    assert lines["run folder"].strip() == f"{folder}, continued from epoch 2, batch 0, step 4"
    assert lines["time"].strip().startswith("about ")
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["run"]
    assert f"{folder} has finished its 2 epochs" in run("fit", "--resume", "run", "--plan").err


def test_plan_is_printed_by_one_rank(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for rank in (0, 1):
        trainer = mock.Mock(is_global_zero=rank == 0)
        monkeypatch.setattr(show_plan, "try_out", lambda *_: None)
        monkeypatch.setattr(show_plan._ThreeSteps, "command_line", mock.Mock(trainer=trainer), raising=False)
        monkeypatch.setattr(show_plan._ThreeSteps, "text", "the plan")
        show_plan.show_plan(["fit"])
        assert capsys.readouterr().out == ("" if rank else "the plan\n")


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize(("option", "signum"), [("--minutes=5", signal.SIGINT), ("--plan", signal.SIGTERM)])
def test_trial_that_is_interrupted_saves_nothing(
    run: Run,
    tiny: list[str],
    tmp_path: Path,
    temporary: Path,
    signal_handlers: None,
    capfd: pytest.CaptureFixture[str],
    option: str,
    signum: signal.Signals,
) -> None:
    callback = {"class_path": "tests.runs.interrupted.Signal", "init_args": {"signum": int(signum), "batch": 0}}
    (tmp_path / "signal.yaml").write_text(yaml.dump({"trainer": {"callbacks": callback}}))
    options = [each for each in tiny if "max_epochs" not in each]
    outcome = run("fit", *options, "-c", "signal.yaml", option)
    assert (outcome.code, outcome.err) == (128 + signum, "")
    assert capfd.readouterr().err == f"\nseglit: stopped by {signum.name}\n"
    assert not [*temporary.glob("seglit-trial-*")]


def test_minutes_become_numbers(run: Run, tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minutes, "_MIN_TRIAL", 0.0)
    monkeypatch.setattr(minutes, "_TRIAL_SHARE", 0.0)
    measured: list[Costs] = []

    def divide_little(_: float, costs: Costs, *counts: int) -> list[str]:
        measured.append(costs)
        return divide(50, Costs(once=1, batch=1, epoch=0, validation=1), *counts)  # 2 validations, 23 batches each

    monkeypatch.setattr(minutes, "divide", divide_little)
    options = [option for option in tiny if "max_epochs" not in option]
    length = {"max_epochs": 9, "max_time": "00:00:00:01", "val_check_interval": 0.5}
    (tmp_path / "length.yaml").write_text(yaml.dump({"trainer": length}))
    outcome = run("fit", "-c", "length.yaml", *options, "--minutes", "5")
    assert outcome.code == 0, outcome.err
    (costs,) = measured
    assert min(costs) > 0
    config = yaml.safe_load((outcome.folder / "config.yaml").read_text())
    trainer, data = config["trainer"], config["data"]["init_args"]
    interval, steps = trainer["val_check_interval"], trainer["max_steps"]
    assert "minutes" not in config
    assert [trainer[name] for name in ("max_epochs", "max_time", "check_val_every_n_epoch")] == [None] * 3
    assert (trainer["limit_val_batches"], trainer["devices"]) == (None, "auto")  # those of the trial are not kept
    assert (data["crop_size"], data["batch_size"]) == ([32, 32], 2)  # as inspect suggests; as the file states
    with (outcome.folder / "metrics.csv").open() as rows:
        validated = [int(row["step"]) + 1 for row in csv.DictReader(rows) if row["val/miou"]]
    assert validated == list(range(interval, steps + 1, interval))
    assert validated[-1] == steps
    assert (interval, steps) == (23, 46)
    assert minutes.INHERITED not in os.environ


class Fixed(FolderDataModule):
    """A data module whose batches are not a setting."""

    def __init__(self, root: str) -> None:
        super().__init__(root, CLASS_NAMES, batch_size=2, num_workers=0)


class Square(FolderDataModule):
    """A data module of square crops."""

    def __init__(self, root: str, crop_size: int = 64) -> None:
        super().__init__(root, CLASS_NAMES, crop_size=(crop_size, crop_size), batch_size=2, num_workers=0)


class Ready(SyntheticDataModule):
    """A data module without settings."""

    def __init__(self) -> None:
        super().__init__(num_train=4, num_val=2, num_test=2, size=(32, 32), batch_size=2, resize=0.5, num_workers=0)


STATED = '{"class_path": "seglit.data.FolderDataModule", "init_args": {"batch_size": 2, "crop_size": null}}'
CHOSEN = [
    (["--data=data.yaml"], ["--data.crop_size=[32,32]", "--data.batch_size=2"]),
    (["--data=data.yaml", f"--data={STATED}"], []),  # as of `seglit.fit`
    (["-c", "run.yaml"], ["--data.batch_size=2"]),
    (["-c", "run.yaml", "--data", "data.yaml", "--data", "init_args: {batch_size: 8}"], []),  # keeps the other's crop
]


@pytest.mark.filterwarnings("ignore:LightningCLI's args parameter")
def test_what_is_stated_in_any_form_is_kept(shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    data = f"class_path: seglit.data.FolderDataModule\ninit_args: {{root: {shapes}, class_names: {CLASS_NAMES}}}\n"
    Path("data.yaml").write_text(data)
    Path("run.yaml").write_text("data: ../data.yaml\n")
    (tmp_path / "data.yaml").write_text(data.replace("{root", "{crop_size: [16, 16], root"))
    parser = run_command_line(["fit", "--data=data.yaml"], PreviewCLI).parser
    for options, chosen in CHOSEN:
        args = expand_names(["fit", *options])
        assert choose_unstated(parser.parse_args(args).fit, args, parser) == chosen
    args = expand_names(["fit", "--data=tests.budget.test_budget.Fixed", f"--data.root={shapes}"])
    config = parser.parse_args(args).fit
    show_plan._ThreeSteps().change(config)
    assert choose_unstated(config, args, parser) == []
    assert vars(config.data.init_args) == {"root": str(shapes)}
    args = expand_names(["fit", "--data=tests.budget.test_budget.Ready"])
    config = run_command_line(args, PreviewCLI).config.fit
    show_plan._ThreeSteps().change(config)
    assert choose_unstated(config, args, parser) == []
    square = ["fit", "--data=tests.budget.test_budget.Square", f"--data.root={shapes}"]
    for stated, chosen in ([], ["--data.crop_size=32"]), (["--data.crop_size=32"], []):
        args = expand_names([*square, *stated])
        assert choose_unstated(parser.parse_args(args).fit, args, parser) == chosen


def test_data_without_settings_is_trained_and_tested(run: Run, tiny: list[str]) -> None:
    trained = run("fit", "--data=tests.budget.test_budget.Ready", *tiny[2:], "--trainer.max_epochs=1")
    assert trained.code == 0, trained.err
    tested = run("test", trained.folder)  # its resize is that of the checkpoint, and no option
    assert tested.code == 0, tested.err


@pytest.mark.parametrize(("epochs", "trains"), [(2, True), (None, False)])
def test_trial_trains_an_encoder_that_is_frozen_at_first(
    run: Run, tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epochs: int | None, trains: bool
) -> None:
    seen: list[bool] = []

    class Watch(show_plan._ThreeSteps):
        def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
            seen.append(any(weight.grad is not None for weight in pl_module.network.encoder.parameters()))
            super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)

    monkeypatch.setattr(show_plan, "_ThreeSteps", Watch)
    freeze = {"class_path": "seglit.callbacks.FreezeEncoder", "init_args": {"epochs": epochs}}
    (tmp_path / "freeze.yaml").write_text(yaml.dump({"trainer": {"callbacks": freeze}}))
    outcome = run("fit", "-c", "freeze.yaml", *tiny, "--plan")
    assert outcome.code == 0, outcome.err
    assert {*seen} == {trains}


def last_batch(steps: int, per_epoch: int, accumulated: int) -> int:
    """Counts batches as Lightning does until a step has ended: after each accumulation, and with each epoch."""
    batch = 0
    while steps:
        batch += 1
        of_epoch = (batch - 1) % per_epoch + 1
        steps -= of_epoch % accumulated == 0 or of_epoch == per_epoch
    return batch


def test_time_is_divided_to_its_end() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        costs = Costs(*(rng.uniform(1, 60), rng.uniform(0.01, 2), rng.uniform(0, 3), rng.uniform(0.1, 30)))
        seconds, per_epoch, accumulated = rng.uniform(300, 3000), int(rng.integers(1, 200)), int(rng.integers(1, 9))
        numbers = dict(option.removeprefix("--trainer.").split("=") for option in
                       divide(seconds, costs, per_epoch, accumulated))  # fmt: skip
        steps, interval = int(numbers["max_steps"]), int(numbers["val_check_interval"])
        batches = last_batch(steps, per_epoch, accumulated)
        count = batches / interval
        assert count == int(count)  # the last step is validated
        assert 1 <= count <= 20
        assert count == 1 or count * costs.validation <= 0.08 * (seconds - costs.once)
        assert per_epoch % accumulated or interval % accumulated == 0
        spent = costs.once + count * costs.validation + batches * (costs.batch + costs.epoch / per_epoch)
        unused = count * accumulated * (costs.batch + costs.epoch / per_epoch)  # less than a step each
        assert seconds - unused <= spent <= seconds + 1e-6
        assert count == 1 or spent - costs.once >= 0.94 * (seconds - costs.once)
        trainer: Any = mock.Mock(max_epochs=-1, max_steps=steps, num_training_batches=per_epoch)
        trainer.accumulate_grad_batches = accumulated
        assert total_batches(trainer) == batches


@pytest.mark.parametrize("ranks", [1, 2, 3])
@pytest.mark.parametrize("limit", [1.0, 0.5, 1, 2, 100])
def test_batches_of_a_rank_are_those_that_lightning_uses(ranks: int, limit: float) -> None:
    for images in (1, 9, 10, 20):
        for shuffle in (False, True):
            sampler = KeySampler(images, shuffle=shuffle, num_replicas=ranks, rank=ranks - 1)
            drop_last = shuffle and len(sampler) >= 2
            loader: DataLoader[int] = DataLoader(range(images), 2, sampler=sampler, drop_last=drop_last)  # type: ignore[arg-type]
            with suppress(MisconfigurationException):  # half of one batch
                expected = _parse_num_batches(RunningStage.TRAINING, len(loader), limit)
                assert batches_of_rank(images, 2, ranks, limit, drop_last=shuffle) == expected


def test_too_little_time_is_an_error() -> None:
    message = "set-up, one validation and the test take 50 seconds, and 45 are left after measuring; give more"
    with pytest.raises(InputError, match=message):
        divide(45, Costs(once=30, batch=1, epoch=1, validation=20), 10)


def test_other_ranks_inherit_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(minutes.INHERITED, json.dumps(["--trainer.max_steps=7"]))
    monkeypatch.setattr(minutes, "try_out", None)
    assert minutes.within_minutes(["fit"], 30, 0) == ["fit", "--trainer.max_steps=7"]


@pytest.mark.parametrize(
    ("options", "environment", "message"),
    [
        (["--minutes=5", "--trainer.max_epochs=3"], {}, "--minutes and --trainer.max_epochs are both set"),
        (["--minutes=5", "--trainer.val_check_interval", "9"], {}, "and --trainer.val_check_interval are both set"),
        (["--minutes=5", "--trainer.max_time=00:01:00:00"], {}, "--minutes and --trainer.max_time are both set"),
        (["--minutes=5", '--trainer={"max_steps": 3}'], {}, "--minutes and --trainer.max_steps are both set"),
        (["--minutes=5", "--trainer", "{max_steps: 3}"], {}, "--minutes and --trainer.max_steps are both set"),
        (["--minutes=5", "--resume=x"], {}, "--minutes and --resume are both set"),
        (["--minutes=soon"], {}, "--minutes is 'soon', not a number of minutes"),
        (["--minutes=0"], {}, "--minutes is 0; give the time that the whole command may take"),
        (["--minutes=inf"], {}, "--minutes is inf; give the time that the whole command may take"),
        (["--minutes=nan"], {}, "--minutes is nan; give the time that the whole command may take"),
        (["--minutes"], {}, "--minutes is '', not a number of minutes"),
        (["--plan=3"], {}, "--plan is '3'; expected true or false"),
        (["--minutes=5"], {"TORCHELASTIC_RUN_ID": "1"}, "which torchrun and SLURM have started already"),
        (["--minutes=5"], {"SLURM_NTASKS": "2", "SLURM_JOB_NAME": "job"}, "which torchrun and SLURM have started"),
    ],
)
def test_contradictions_are_errors(
    run: Run, options: list[str], environment: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    outcome = run("fit", *options)
    assert outcome.code == 2
    assert message in outcome.err
    assert outcome.err.count("\n") == 1


def test_only_the_command_line_of_fit_has_them(run: Run, tiny: list[str], tmp_path: Path) -> None:
    (tmp_path / "continued.yaml").write_text("ckpt_path: last.ckpt\n")
    assert "--minutes and ckpt_path are both set" in run("fit", "-c", "continued.yaml", *tiny[:4], "--minutes=5").err
    (tmp_path / "run.yaml").write_text("minutes: 5\n")
    outcome = run("fit", "-c", "run.yaml", *tiny)
    assert outcome.code == 2
    assert "an option of the command line of fit, which no file can set" in outcome.err
    assert run("test", *tiny, "--minutes=5").err == "seglit: error: --minutes is an option of fit\n"
