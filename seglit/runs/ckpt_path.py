"""Checks of `--ckpt_path`, made before data and model are built."""

from pathlib import Path
from typing import Any

from seglit.errors import InputError, did_you_mean
from seglit.runs.checkpoint import read_checkpoint


def check_ckpt_path(command: str, path: str | None, max_epochs: int | None) -> None:
    """Checks the checkpoint that a training command is given.

    Lightning looks for it only once everything is built, validates and tests random weights if there is none, and ends
    a run whose epochs are done without a message.

    Args:
        command: `fit`, `validate` or `test`.
        path: `--ckpt_path`; None trains from the start.
        max_epochs: `--trainer.max_epochs`.

    Raises:
        InputError: There is no such checkpoint, or it is damaged, the command requires one, or `fit` has no epoch left
            to train.
    """
    if path is None:
        if command != "fit":
            raise InputError(f"{command} scores a checkpoint; name it: --ckpt_path RUN/checkpoints/best.ckpt")
        return
    if path in ("best", "last"):
        raise InputError(f"--ckpt_path {path} names no file; such as RUN/checkpoints/{path}.ckpt")
    if "://" in path:
        return
    if not Path(path).exists():
        names = [file.name for file in Path(path).parent.glob("*.ckpt")]
        raise InputError(f"no checkpoint {path}{did_you_mean(Path(path).name, names)}")
    if Path(path).is_file():
        checkpoint = read_checkpoint(path)
        if command == "fit":
            _check_epochs_left(path, checkpoint, max_epochs)


def _check_epochs_left(path: str, checkpoint: dict[str, Any], max_epochs: int | None) -> None:
    try:
        done = checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"]
    except (KeyError, TypeError) as error:
        raise InputError(f"{path}: has no state of a training to continue") from error
    if max_epochs is not None and 0 <= max_epochs <= done:
        raise InputError(
            f"{path} has finished its {done} epochs; to train on, give a larger --trainer.max_epochs than {max_epochs}"
            f"; to start a new training from its weights: --init_from {path}"
        )
