"""A run that is killed at any moment and resumed ends as if it had not been, bit by bit."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
import torch
import yaml
from jsonargparse import Namespace
from torch import Tensor

from seglit.callbacks.exact_resume import ExactResume
from seglit.data.augment import Pipeline
from seglit.errors import InputError
from seglit.optim import WarmupPolynomial
from seglit.runs.ckpt_path import find_ckpt_path
from seglit.runs.lock import LOCK_FILE, locked
from seglit.runs.resume import Progress, continue_run, find_progress, place_loggers
from tests.conftest import CLASS_NAMES, Outcome, Run, run_in
from tests.test_cli import logged, table

REPOSITORY = Path(__file__).parents[2]
STRONG = REPOSITORY / "configs" / "augment" / "strong.yaml"
DEPENDS_ON_FOLDER = {"dirpath", "best_model_path", "kth_best_model_path", "best_k_models", "last_model_path"}


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """Where two checkpoints differ, paths of files aside."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = [key for key in {**one, **other} if key not in DEPENDS_ON_FOLDER]
        return [line for key in keys for line in differences(one.get(key), other.get(key), f"{path}/{key}")]
    if isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [line for index, pair in pairs for line in differences(*pair, f"{path}/{index}")]
    same = torch.equal(one, other) if isinstance(one, Tensor) and isinstance(other, Tensor) else one == other
    return [] if same else [path]


def assert_same_run(run: Path, reference: Path) -> None:
    for name in ("last", "best"):
        one, other = (torch.load(each / "checkpoints" / f"{name}.ckpt", weights_only=True) for each in (run, reference))
        assert not differences(one, other)
    for name in ("metrics.csv", "config.yaml"):
        assert (run / name).read_bytes() == (reference / name).read_bytes()


@pytest.fixture(scope="module")
def reference(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Two epochs of five batches with all that has a state, and copies of the run folder at many moments."""
    root = tmp_path_factory.mktemp("resume")
    augment = yaml.safe_load(STRONG.read_text())
    augment["init_args"] |= {"rare_rate": 0.5, "rare_classes": ["disk"]}
    data = {"root": str(shapes), "class_names": CLASS_NAMES, "batch_size": 1, "num_workers": 0, "augment": augment}
    data |= {"crop_size": [24, 24], "cache": {"folder": str(root / "cache")}}
    trainer = {"max_epochs": 2, "accumulate_grad_batches": 2, "log_every_n_steps": 1, "precision": "32-true"}
    trainer |= {"accelerator": "cpu", "enable_progress_bar": False, "enable_model_summary": False}
    averaging = {"class_path": "pytorch_lightning.callbacks.EMAWeightAveraging", "init_args": {"decay": 0.8}}
    snapshots = {"class_path": "tests.runs.interrupted.Snapshots", "init_args": {"folder": str(root / "killed")}}
    config = {
        "data": {"class_path": "seglit.data.FolderDataModule", "init_args": data},
        "model": {
            "network": {"class_path": "tests.runs.interrupted.Dropped"},
            "optimizer": {"class_path": "torch.optim.AdamW", "init_args": {"lr": 0.01, "weight_decay": 0.01}},
        },
        "trainer": {**trainer, "callbacks": [averaging, snapshots]},
        "pictures": {"count": 0},
        "save_steps": 1,
    }
    (root / "resume.yaml").write_text(yaml.dump(config))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(root))
        outcome = run_in(root, "fit", "-c", "resume.yaml")
    assert outcome.code == 0, outcome.err
    return outcome


def killed(reference: Outcome, moment: str, tmp_path: Path) -> Path:
    """The run folder as a kill leaves it, moved elsewhere."""
    return Path(shutil.copytree(reference.folder.parents[2] / "killed" / moment, tmp_path / "moved"))


@pytest.mark.parametrize(
    ("moment", "options"),
    [
        ("epoch-0-batch-3", ["--data.num_workers=2"]),  # saved within the epoch, after two batches
        ("epoch-0-validated", []),  # best.ckpt is newer than last.ckpt, which was saved before the last batch
        ("epoch-1-batch-0", []),  # saved at the end of the epoch
        ("tested", []),
    ],
)
def test_resumed_run_equals_an_uninterrupted_one(
    reference: Outcome, tmp_path: Path, run: Run, moment: str, options: list[str]
) -> None:
    folder = killed(reference, moment, tmp_path)
    if moment == "tested":  # and killed before the last save had renamed its files
        for name, renamed in (("last", "newest"), ("previous", "last")):
            (folder / "checkpoints" / f"{name}.ckpt").rename(folder / "checkpoints" / f"{renamed}.ckpt")
    outcome = run("fit", "--resume", folder, *options)
    assert outcome.code == 0, outcome.err
    assert outcome.folder == folder
    assert_same_run(folder, reference.folder)
    assert {file.name for file in (folder / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt", "previous.ckpt"}
    assert table(outcome.out) == table(reference.out)


def test_samples_before_the_checkpoint_are_not_read_again(
    reference: Outcome, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = killed(reference, "epoch-0-validated", tmp_path)  # last.ckpt was saved after four of five batches of one
    augmented: list[int] = []
    augment = Pipeline.__call__

    def note(self: Pipeline, image: Any, mask: Any, seed: int, target_class: int | None = None) -> Any:
        augmented.append(seed)
        return augment(self, image, mask, seed, target_class)

    monkeypatch.setattr(Pipeline, "__call__", note)
    assert run("fit", "--resume", folder).code == 0
    assert len(augmented) == 1 + 5


@pytest.mark.starts_processes
def test_killed_command_is_resumed(reference: Outcome, tmp_path: Path, run: Run) -> None:
    """`kill -9` of the command line itself, while it trains."""
    callback = {"class_path": "tests.runs.interrupted.Wait", "init_args": {"batch": 3}}
    (tmp_path / "wait.yaml").write_text(yaml.dump({"trainer": {"callbacks+": callback}}))
    command = [sys.executable, "-m", "seglit", "fit", "-c", str(reference.folder / "config.yaml"), "-c", "wait.yaml"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": ""}
    options: Any = {"cwd": tmp_path, "env": environment, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(
        [*command, f"--trainer.default_root_dir={tmp_path}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options
    ) as process:
        assert process.stdout
        assert b"waiting\n" in process.stdout
        process.kill()
    (folder,) = tmp_path.glob("resume/*")
    progress = find_progress(folder, folder / "checkpoints")
    assert (progress.epochs, progress.batches) == (0, 2)
    shutil.copyfile(reference.folder / "config.yaml", folder / "config.yaml")  # without the wait
    outcome = run("fit", "--resume", folder)
    assert outcome.code == 0, outcome.err
    assert_same_run(folder, reference.folder)


def test_signal_within_a_validation_does_not_wait_for_its_end(reference: Outcome, tmp_path: Path, run: Run) -> None:
    callback = {"class_path": "tests.runs.interrupted.Signal", "init_args": {"signum": int(signal.SIGTERM)}}
    (tmp_path / "signal.yaml").write_text(yaml.dump({"trainer": {"callbacks+": callback}}))
    options = ["--save_steps=null", f"--trainer.default_root_dir={tmp_path}"]
    outcome = run("fit", "-c", reference.folder / "config.yaml", "-c", "signal.yaml", *options)
    assert outcome.code == 143
    (folder,) = tmp_path.glob("resume/*")
    progress = find_progress(folder, folder / "checkpoints")
    assert (progress.epochs, progress.batches, progress.validates) == (0, 5, True)
    shutil.copyfile(reference.folder / "config.yaml", folder / "config.yaml")  # without the signal
    outcome = run("fit", "--resume", folder)
    assert outcome.code == 0, outcome.err
    assert_same_run(folder, reference.folder)


def copied(trained: Outcome, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained.folder, tmp_path / "runs" / "mine" / "slurm-7-0"))


@pytest.mark.parametrize("damage", ["cut off", "a flipped bit"])
def test_damaged_checkpoint_falls_back_to_the_one_before(
    trained: Outcome, tmp_path: Path, run: Run, damage: str
) -> None:
    folder = copied(trained, tmp_path)
    last = folder / "checkpoints" / "last.ckpt"
    content = bytearray(last.read_bytes())
    values = torch.load(last, weights_only=True)["state_dict"].values()
    content[content.index(next(value for value in values if value.dim() == 1).numpy().tobytes())] ^= 1
    last.write_bytes(content if damage == "a flipped bit" else content[:-100])
    progress = find_progress(folder, last.parent)
    assert progress.checkpoint == last.with_name("previous.ckpt")
    assert (progress.epochs, progress.batches, progress.steps) == (1, 0, 2)
    if damage == "cut off":
        outcome = run("fit", "--resume", folder)
        assert outcome.code == 0
        assert f"seglit: {last} is damaged" in outcome.err
        assert_same_run(folder, trained.folder)
    last.with_name("previous.ckpt").write_bytes(b"")
    last.write_bytes(b"")
    with pytest.raises(InputError, match="every checkpoint is damaged"):
        find_progress(folder, last.parent)


def test_checkpoint_of_slurm_is_taken_if_it_is_the_newest(trained: Outcome, tmp_path: Path) -> None:
    folder = copied(trained, tmp_path)
    checkpoints = folder / "checkpoints"
    (checkpoints / "previous.ckpt").rename(folder / "hpc_ckpt_3.ckpt")
    assert find_progress(folder, checkpoints).checkpoint == checkpoints / "last.ckpt"
    (checkpoints / "last.ckpt").unlink()
    assert find_progress(folder, checkpoints).checkpoint == folder / "hpc_ckpt_3.ckpt"


def test_finished_run_trains_on_with_more_epochs_only(trained: Outcome, tmp_path: Path, run: Run) -> None:
    folder = copied(trained, tmp_path)
    checkpoint = SimpleNamespace(dirpath=str(folder / "checkpoints"))
    for epochs, message in (
        (2, "finished its 2 epochs; give a larger --trainer.max_epochs"),
        (1, "less than the 2"),
    ):
        trainer = SimpleNamespace(max_epochs=epochs, max_steps=-1)
        with pytest.raises(InputError, match=message):
            continue_run(folder, SimpleNamespace(trainer=trainer, checkpoint=checkpoint, test_after_fit=True))
    by_steps = SimpleNamespace(max_epochs=None, max_steps=4)
    with pytest.raises(InputError, match=rf"finished its 4 steps; .*: seglit fit -c {folder}/config.yaml --init_from "):
        continue_run(folder, SimpleNamespace(trainer=by_steps, checkpoint=checkpoint, test_after_fit=True))
    with pytest.raises(InputError, match=r"last.ckpt has finished its 4 steps; to start .*: --init_from "):
        find_ckpt_path("fit", str(folder / "checkpoints/last.ckpt"), by_steps)
    (folder / "report.html").touch()
    outcome = run("fit", "--resume", folder, "--trainer.max_epochs=3", "--data.num_workers=0")
    assert outcome.code == 0, outcome.err
    assert not (folder / "report.html").exists()  # it was about weights that are no longer the best
    before, after = logged(trained.folder), logged(folder)
    assert after["train/loss"][:4] == before["train/loss"]
    assert len(after["train/loss"]) == 6
    assert len(after["test/miou"]) == 1
    config = (folder / "config.yaml").read_text()
    assert config == (trained.folder / "config.yaml").read_text().replace("max_epochs: 2", "max_epochs: 3")


def test_run_that_stopped_early_goes_on_with_its_test(trained: Outcome, tmp_path: Path, run: Run) -> None:
    folder = copied(trained, tmp_path)
    (folder / "scores_test.json").unlink()
    last = folder / "checkpoints" / "last.ckpt"
    checkpoint = torch.load(folder / "checkpoints" / "previous.ckpt", weights_only=True)
    checkpoint["resume"]["stopped"] = True
    torch.save(checkpoint, last)
    outcome = run("fit", "--resume", folder)
    assert outcome.code == 0, outcome.err
    assert (folder / "scores_test.json").is_file()
    assert len(logged(folder)["val/miou"]) == 1


def test_killed_slurm_job_resumes_when_it_is_requeued(
    trained: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    folder = copied(trained, tmp_path)
    shutil.rmtree(folder / "checkpoints")  # killed before the first one: it starts over
    for name, value in {"JOB_ID": "7", "STEP_ID": "0", "RESTART_COUNT": "1"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    outcome = run("fit", "-c", trained.folder / "config.yaml", "--trainer.default_root_dir=runs")
    assert outcome.code == 0, outcome.err
    assert outcome.folder == folder
    assert_same_run(folder, trained.folder)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--resume"], "--resume needs the folder of a run"),
        (["--resume=", "--data=shapes"], "--resume needs the folder of a run"),
        (["--resume", "", "--data=shapes"], "--resume needs the folder of a run"),
        (["--resume", "nowhere"], "--resume nowhere: no such run folder"),
        (["--resume=."], "--resume .: contains no config.yaml"),
        (["--resume", "RUN", "--model.encoder_lr_factor", "2"], "--model.encoder_lr_factor cannot change"),
        (["-c", "other.yaml", "--resume", "RUN"], "-c cannot change"),
        (["--resume", "RUN", "--trainer.max_epochs_=3"], "--trainer.max_epochs_ cannot change"),
    ],
)
def test_wrong_use_is_one_line(trained: Outcome, run: Run, args: list[str], message: str) -> None:
    code, _, err = run("fit", *(arg.replace("RUN", str(trained.folder)) for arg in args))
    assert code == 2
    (line,) = err.splitlines()
    assert line.startswith(f"seglit: error: {message}")


def test_run_is_resumed_by_one_process_at_a_time(trained: Outcome, tmp_path: Path, run: Run) -> None:
    folder = copied(trained, tmp_path)
    script = (
        f"import fcntl, sys; file = open({str(folder / LOCK_FILE)!r}, 'w'); fcntl.lockf(file, fcntl.LOCK_EX)\n"
        "print('process 7 on a-node', file=file, flush=True); print('locked', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdout.readline() == b"locked\n"
        code, _, err = run("fit", "--resume", folder, "--trainer.max_epochs=3")
        assert code == 2
        assert err.splitlines()[-1] == f"seglit: error: {folder} is in use by process 7 on a-node"
        other.kill()  # a stale lock is no obstacle
    with locked(folder):
        assert (folder / LOCK_FILE).read_text().startswith(f"process {os.getpid()} on ")


def test_loggers_continue_their_runs(tmp_path: Path) -> None:
    progress = Progress(tmp_path, steps=40, loggers={"WandbLogger": "abc", "TensorBoardLogger": 3, "Mine": "x"})
    names = ("WandbLogger", "TensorBoardLogger", "MLFlowLogger", "Mine")
    namespace: Any = Namespace
    settings = {name: namespace(save_dir=".") for name in names}
    loggers = [namespace(class_path=f"a.{name}", init_args=value) for name, value in settings.items()]
    place_loggers(loggers, tmp_path, progress)
    assert all(value.pop("save_dir") == str(tmp_path) for value in settings.values())
    assert {name: value.as_dict() for name, value in settings.items()} == {
        "WandbLogger": {"id": "abc"},
        "TensorBoardLogger": {"version": 3, "purge_step": 40},
        "MLFlowLogger": {},
        "Mine": {},
    }


def test_clock_saves_at_logged_steps_within_an_epoch(tiny: list[str], run: Run) -> None:
    options = ["--trainer.max_epochs=1", "--test_after_fit=false", "--data.batch_size=1", "--save_minutes=0"]
    folder = run("fit", *tiny, *options, "--trainer.log_every_n_steps=3").folder / "checkpoints"
    assert torch.load(folder / "previous.ckpt", weights_only=True)["global_step"] == 3


def test_epoch_starts_over_with_another_batch_size(
    reference: Outcome, tmp_path: Path, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    last = killed(reference, "epoch-0-batch-3", tmp_path) / "checkpoints" / "last.ckpt"
    options = ["--data.batch_size=2", "--test_after_fit=false", "--trainer.max_epochs=1"]
    outcome = run("fit", "-c", reference.folder / "config.yaml", "--ckpt_path", last, *options)
    assert outcome.code == 0, outcome.err
    assert "epoch 0 starts over" in caplog.text
    assert logged(outcome.folder)["step"][:2] == ["1", "1"]  # one step of two batches; the score


def test_schedule_continues_at_the_share_that_is_done(reference: Outcome, tmp_path: Path, run: Run) -> None:
    """With other steps per epoch it ends with the training, not before or after."""
    last = killed(reference, "epoch-0-batch-3", tmp_path) / "checkpoints" / "last.ckpt"
    options = ["--trainer.accumulate_grad_batches=1", "--test_after_fit=false", "--trainer.default_root_dir=runs"]
    outcome = run("fit", "-c", reference.folder / "config.yaml", "--ckpt_path", last, *options)
    assert outcome.code == 0, outcome.err
    (schedule,) = torch.load(outcome.folder / "checkpoints" / "last.ckpt", weights_only=True)["lr_schedulers"]
    assert schedule["last_epoch"] == 10  # two epochs of five steps


@pytest.mark.parametrize(
    ("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGUSR1, 0)], ids=str
)
def test_signals_save_after_the_step(
    reference: Outcome, tmp_path: Path, run: Run, signum: signal.Signals, code: int
) -> None:
    (tmp_path / "signal.yaml").write_text(
        f"trainer: {{callbacks+: {{class_path: tests.runs.interrupted.Signal, init_args: {{signum: {int(signum)}, "
        "batch: 2}}}"
    )
    options = [
        "--save_steps=null",
        "--data.num_workers=1",
        "--test_after_fit=false",
        f"--trainer.default_root_dir={tmp_path}",
    ]
    before = signal.getsignal(signum)
    outcome = run("fit", "-c", reference.folder / "config.yaml", "-c", "signal.yaml", *options)
    assert signal.getsignal(signum) == before
    assert outcome.code == code
    (folder,) = tmp_path.glob("resume/*")
    assert outcome.err.splitlines()[-1] == f"{signum.name}: saved in {folder}"
    if code:
        assert outcome.out.splitlines()[-1] == f"go on:      seglit fit --resume {folder}"
        assert find_progress(folder, folder / "checkpoints").batches == 4  # the end of the accumulation
        return  # it resumes as after a kill
    states = [torch.load(each / "checkpoints" / "last.ckpt", weights_only=True) for each in (folder, reference.folder)]
    assert not differences(states[0]["state_dict"], states[1]["state_dict"])


def test_first_step_of_a_longer_training_has_its_learning_rate() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    schedule = WarmupPolynomial(optimizer, total_steps=8, warmup_steps=0, power=1)
    optimizer.param_groups[0]["lr"] = 0.0  # as restored from a training that ended after 4 steps
    data: Any = SimpleNamespace(resumed_at=(2, 0), batch_size=1)
    length = {"num_training_batches": 2, "accumulate_grad_batches": 1, "max_epochs": 4, "max_steps": -1}
    configs = [SimpleNamespace(scheduler=schedule)]
    trainer: Any = SimpleNamespace(lr_scheduler_configs=configs, ckpt_path="last.ckpt", is_global_zero=False, **length)
    callback, module = ExactResume(data, {}), mock.Mock()
    callback.on_fit_start(trainer, module)
    callback.on_train_start(trainer, module)
    assert optimizer.param_groups[0]["lr"] == 1.0  # half of the linear decay is left
