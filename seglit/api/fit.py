"""`seglit.fit`: the command `seglit fit` as a function."""

import json
import math
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seglit.errors import InputError

if TYPE_CHECKING:
    from seglit.cli import SegmentationCLI

PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class TrainedRun:
    """A finished training.

    Args:
        folder: The run folder; `seglit.load(folder)` makes a predictor.
        checkpoint: The best checkpoint; None after a `fast_dev_run`.
        scores: Scores by the names that they are logged under: the best `checkpoint.monitor`, such as `val/miou`, and
            `test/miou`, `test/iou/<class>` and all others of the test, if the data has a test split. Those that are n/a
            are left out.
    """

    folder: Path
    checkpoint: Path | None
    scores: dict[str, float]


def fit(
    *configs: PathLike,
    data: PathLike | Mapping[str, Any] | None = None,
    model: PathLike | Mapping[str, Any] | None = None,
    **settings: Any,
) -> TrainedRun:
    """Trains a network, and scores its best checkpoint on the test split, as `seglit fit` does.

    Random numbers, logging, warnings, threads, signal handlers and environment variables of the process are the same
    afterwards. Ctrl-C, or interrupting the notebook, saves a checkpoint after the current step and raises
    KeyboardInterrupt; a second one ends the process.

    Args:
        configs: Configuration files; later ones override earlier ones.
        data: Name or file of a data configuration, a class path, or a dictionary of `class_path` and `init_args`.
        model: Name or file of a model configuration, or a dictionary of its settings.
        settings: Other options of `seglit fit` as plain data, by their dotted names:
            `**{"trainer.max_epochs": 5, "data.batch_size": 4}`, or `minutes=30`.

    Returns:
        The run.

    Raises:
        InputError: A file, a setting or the data is invalid.
        RunError: The run failed with valid input, such as by a loss that is not finite.
    """
    from seglit.config.quick_check import check_command_line

    started = time.monotonic()
    if "plan" in settings:
        raise InputError("plan: an option of the command line, seglit fit --plan, which trains nothing")
    named = {name: value for name, value in (("data", data), ("model", model)) if value is not None}
    args = ["fit", *(f"--config={os.fspath(config)}" for config in configs)]
    args += [_option(name, value) for name, value in {**named, **settings}.items()]
    check_command_line(args)
    from seglit.api.process_state import unchanged_process  # imports torch

    with unchanged_process():
        from seglit.budget.command import fit as run_fit

        try:
            command_line = run_fit(args, started)
        except SystemExit as leave:
            if leave.code == 128 + signal.SIGINT:
                raise KeyboardInterrupt from None
            raise
        assert command_line is not None  # noqa: S101  # only of --plan
        return _finished(command_line)


def _option(name: str, value: Any) -> str:
    if isinstance(value, str | os.PathLike):
        return f"--{name}={os.fspath(value)}"
    try:
        return f"--{name}={json.dumps(value, default=_path_text)}"
    except TypeError as error:
        raise InputError(f"{name}: {error}, not plain data; name a class by its class_path, as in YAML") from error


def _path_text(value: object) -> str:
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    raise TypeError(f"a {type(value).__name__}")


def _finished(command_line: "SegmentationCLI") -> TrainedRun:
    from seglit.callbacks.saving import BestCheckpoint, best_checkpoint

    trainer = command_line.trainer
    scores: dict[str, float] = {}
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, BestCheckpoint) and callback.monitor and callback.best_model_score is not None:
            scores[callback.monitor] = float(callback.best_model_score)
    logged = {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith("test/")}
    scores |= {name: value for name, value in logged.items() if math.isfinite(value)}
    checkpoint = best_checkpoint(trainer)
    return TrainedRun(command_line.run_folder, Path(checkpoint) if checkpoint else None, scores)
