"""`seglit fit --resume RUN`: the newest whole checkpoint of a run, and what continues there."""

import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from pytorch_lightning.utilities import rank_zero_only

from seglit.config.bounded_yaml import load_yaml
from seglit.errors import InputError
from seglit.runs.checkpoint import read_checkpoint
from seglit.runs.optimization import saved_lengths
from seglit.runs.scores import SCORE_FILE

RESUME_KEY = "resume"
"""Checkpoint key of what exact resuming requires beside Lightning's own state, as plain data."""
LOGGER_IDS = {"WandbLogger": "id", "MLFlowLogger": "run_id", "TensorBoardLogger": "version"}


class _Counts(msgspec.Struct):
    ready: int
    started: int
    processed: int


class _Tracker(msgspec.Struct):
    current: _Counts


class _Stepped(msgspec.Struct):
    steps: int = msgspec.field(name="_batches_that_stepped")


class _FitLoop(msgspec.Struct):
    """What Lightning saves of the progress of a training, as far as it is read here."""

    epochs: _Tracker = msgspec.field(name="epoch_progress")
    batches: _Tracker = msgspec.field(name="epoch_loop.batch_progress")
    validation: _Tracker = msgspec.field(name="epoch_loop.val_loop.batch_progress")
    stepped: _Stepped = msgspec.field(name="epoch_loop.state_dict")


class _Loops(msgspec.Struct):
    fit_loop: _FitLoop


class _Resume(msgspec.Struct):
    stopped: bool = False
    loggers: dict[str, str | int | None] = {}
    optimization: dict[str, Any] = {}  # see `check_optimization`


class _Training(msgspec.Struct):
    loops: _Loops
    lr_schedulers: list[dict[str, Any]] = []
    resume: _Resume = msgspec.field(default_factory=_Resume, name=RESUME_KEY)


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Args:
        checkpoint: The newest whole checkpoint; None if the run starts at its first step.
        epochs: Finished epochs.
        batches: Batches trained on in the epoch after them.
        steps: Optimizer steps.
        validates: Whether the validation of the last step starts over.
        stopped: Whether training was stopped early.
        loggers: Class name of a logger to the run that it logs to.
        lengths: See `saved_lengths`.
    """

    checkpoint: Path | None = None
    epochs: int = 0
    batches: int = 0
    steps: int = 0
    validates: bool = False
    stopped: bool = False
    loggers: Mapping[str, Any] = field(default_factory=dict)
    lengths: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        """Describes the position."""
        return f"epoch {self.epochs}, batch {self.batches}, step {self.steps}"

    def is_trained(self, trainer: Any) -> bool:
        """Whether no step is left to train by the settings of the trainer."""
        return self.epochs >= (trainer.max_epochs or -1) > 0 or self.reached_max_steps(trainer)

    def reached_max_steps(self, trainer: Any) -> bool:
        """Whether `trainer.max_steps` is reached, if it is set."""
        return bool(self.steps >= trainer.max_steps > 0)


def continue_run(folder: Path, config: Any) -> Progress:
    """Sets a configuration to continue a run, if its folder is that of one: its checkpoint and the runs of its loggers.

    Args:
        folder: The run folder, of a new run or of one that is resumed.
        config: The parsed configuration of `fit`; changed in place.

    Returns:
        How far the run is.

    Raises:
        InputError: All checkpoints are damaged, nothing is left to do, or the schedule has no more epochs.
    """
    if not (folder / "config.yaml").is_file():
        return Progress()
    progress = set_start(folder, config)
    _remove_unfinished(folder)
    _announce(folder, progress)
    return progress


def set_start(folder: Path, config: Any) -> Progress:
    """Sets a configuration to start at the newest checkpoint of a run; leaves the run folder as it is.

    Args, Returns, Raises: As `continue_run`.
    """
    trainer, progress = config.trainer, find_progress(folder, Path(config.checkpoint.dirpath))
    recorded = load_yaml((folder / "config.yaml").read_text(encoding="utf-8"))["trainer"]["max_epochs"]
    longer = recorded is not None and trainer.max_epochs is not None and trainer.max_epochs > recorded
    if recorded is not None and trainer.max_epochs is not None and 0 <= trainer.max_epochs < recorded:
        raise InputError(f"--trainer.max_epochs {trainer.max_epochs} is less than the {recorded} of {folder}")
    if longer and progress.lengths:
        raise InputError(
            f"--trainer.max_epochs {trainer.max_epochs}: the learning rate schedule of {folder} continues with its own "
            f"{', '.join(progress.lengths)}, of {recorded} epochs; to start a new training from its weights: "
            f"seglit fit -c {folder / 'config.yaml'} --init_from {folder} --trainer.max_epochs {trainer.max_epochs}"
        )
    if progress.stopped and not longer:
        trainer.max_epochs = progress.epochs
    if progress.is_trained(trainer) and ((folder / SCORE_FILE).is_file() or not config.test_after_fit):
        if progress.reached_max_steps(trainer):
            raise InputError(
                f"{folder} has finished its {progress.steps} steps; to start a new training from its weights: "
                f"seglit fit -c {folder / 'config.yaml'} --init_from {folder}"
            )
        raise InputError(f"{folder} has finished its {progress.epochs} epochs; give a larger --trainer.max_epochs")
    if progress.checkpoint:
        config.ckpt_path = str(progress.checkpoint)
    return progress


def find_progress(folder: Path, checkpoints: Path) -> Progress:
    """Reads how far a run is from its newest whole checkpoint, and says which ones are damaged.

    Args:
        folder: The run folder, where SLURM's checkpoints are.
        checkpoints: The folder of the others.

    Raises:
        InputError: All are damaged.
    """
    names = ("last", "previous", "newest")  # `newest` was about to become `last`
    files = [file for name in names if (file := checkpoints / f"{name}.ckpt").is_file()]
    files += folder.glob("hpc_ckpt_*.ckpt")
    whole, damaged = [], []
    for file in files:
        try:
            whole.append(_read_progress(file))
        except (InputError, zipfile.BadZipFile) as error:
            damaged.append(file)
            _say(f"{file} is damaged ({str(error).removeprefix(f'{file}: ')}); using an older one")
    if damaged and not whole:
        raise InputError(f"{checkpoints}: every checkpoint is damaged; to start again: -c {folder / 'config.yaml'}")
    return max(whole, key=lambda each: (each.epochs, each.batches), default=Progress())


def _read_progress(file: Path) -> Progress:
    checkpoint = read_checkpoint(file)
    with zipfile.ZipFile(file) as archive:
        if broken := archive.testzip():
            raise zipfile.BadZipFile(f"wrong checksum of {broken}")
    return progress_of(checkpoint, file)


def progress_of(checkpoint: dict[str, Any], file: Path) -> Progress:
    """Returns how far the training of a checkpoint was.

    Raises:
        InputError: It has no state of a training.
    """
    try:
        training = msgspec.convert(checkpoint, _Training)
    except msgspec.ValidationError as error:
        raise InputError(f"{file}: has no state of a training to continue ({error})") from error
    loop = training.loops.fit_loop
    epoch, batches, validation = loop.epochs.current, loop.batches.current, loop.validation.current
    return Progress(
        file,
        epoch.processed,
        batches.processed if epoch.ready > epoch.processed else 0,
        loop.stepped.steps,
        validation.started > validation.processed,
        training.resume.stopped,
        training.resume.loggers,
        saved_lengths(training.lr_schedulers),
    )


def place_loggers(loggers: Sequence[Any], folder: Path, progress: Progress) -> None:
    """Sets the folders of configured loggers within the run folder, and the runs that they continue."""
    for logger in loggers:
        settings = logger.get("init_args", {})
        name = logger.class_path.rpartition(".")[2]
        if "save_dir" in settings:
            settings.save_dir = str(folder / (settings.save_dir or "."))
        if name in progress.loggers and name in LOGGER_IDS:
            settings[LOGGER_IDS[name]] = progress.loggers[name]
        if name == "TensorBoardLogger" and progress.checkpoint:
            settings["purge_step"] = progress.steps


@rank_zero_only
def _remove_unfinished(folder: Path) -> None:
    """Removes the parts of files whose writing was interrupted."""
    for part in folder.glob("**/.*.part"):
        part.unlink()


@rank_zero_only
def _announce(folder: Path, progress: Progress) -> None:
    found = (
        f"from {progress.checkpoint.name} ({progress})" if progress.checkpoint else "at its start: no checkpoint yet"
    )
    print(f"resuming {folder} {found}", flush=True)


@rank_zero_only
def _say(message: str) -> None:
    print(f"seglit: {message}", file=sys.stderr, flush=True)
