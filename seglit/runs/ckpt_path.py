"""Checks of `--ckpt_path`, made before data and model are built."""

from collections.abc import Mapping
from hashlib import blake2b
from http.client import HTTPException
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

from lightning_fabric.utilities.cloud_io import get_filesystem
from pytorch_lightning.utilities import rank_zero_only

from seglit.data.user_cache import cache_file
from seglit.errors import InputError, did_you_mean
from seglit.images.listing import is_file, is_folder
from seglit.images.replacing import replacing
from seglit.images.scaling import Resize
from seglit.runs.checkpoint import RECORD_KEY, ModelRecord, read_checkpoint
from seglit.runs.resume import progress_of

_TIMEOUT = 20.0  # seconds without an answer


def find_ckpt_path(
    command: str, path: str | None, trainer: Any, data: Mapping[str, Any] = MappingProxyType({})
) -> str | None:
    """Checks the checkpoint that a training command is given, and downloads it from an http address.

    Lightning looks for it only once everything is built, validates and tests random weights if there is none, and ends
    a run whose epochs are done without a message.

    Args:
        command: `fit`, `validate` or `test`.
        path: `--ckpt_path`; None trains from the start.
        trainer: Settings of the trainer, of which `max_epochs` and `max_steps` are read.
        data: Settings of the data; `resize` is compared if the class has that setting.

    Returns:
        The absolute path of a local file, another address as given, or None.

    Raises:
        InputError: There is no such checkpoint, or it is damaged, the command requires one, `fit` has no step left to
            train, or another command has another `resize` than the training.
    """
    if path is None:
        if command != "fit":
            raise InputError(f"{command} scores a checkpoint; name it: --ckpt_path RUN/checkpoints/best.ckpt")
        return None
    if path in ("best", "last"):
        raise InputError(f"--ckpt_path {path} names no file; give one, such as RUN/checkpoints/{path}.ckpt")
    if path.startswith(("http://", "https://")):
        path = _download(path)
    if "://" in path:
        _check_protocol(path)
        return path
    file = Path(path).expanduser()
    if is_folder(file):
        raise InputError(f"--ckpt_path {path} is a folder; name a file, such as RUN/checkpoints/last.ckpt")
    if not is_file(file):
        names = [each.name for each in file.parent.glob("*.ckpt")] if is_folder(file.parent) else []
        raise InputError(f"no checkpoint {path}{did_you_mean(file.name, names)}")
    path = str(file)
    checkpoint = read_checkpoint(path)
    if command == "fit":
        _check_steps_left(path, checkpoint, trainer)
    elif RECORD_KEY in checkpoint and "resize" in data:
        _check_resize(path, ModelRecord.from_dict(checkpoint[RECORD_KEY]).resize, data["resize"])
    return str(file.absolute())  # config.yaml records it, which works from any folder


def _check_protocol(url: str) -> None:
    try:
        get_filesystem(url)
    except (ImportError, ValueError) as error:
        raise InputError(f"--ckpt_path {url} cannot be read ({error})") from error


def _download(url: str) -> str:
    """Downloads a file to the user's cache, by its address; each time, since what is there may have changed.

    `torch.hub`, by which Lightning does it, knows a file by its name alone: another one of the same name is not read.
    """
    digest = blake2b(url.encode(), digest_size=8).hexdigest()
    try:
        name = Path(urlsplit(url).path).name
        with urlopen(url, timeout=_TIMEOUT) as answer:  # noqa: S310 (http or https)
            content = answer.read()
    except (OSError, HTTPException, ValueError) as error:  # ValueError: no valid address
        raise InputError(f"--ckpt_path {url} cannot be downloaded ({error})") from error
    file = cache_file("checkpoints", f"{digest}/{name or 'checkpoint'}")
    with replacing(file) as part:
        part.write_bytes(content)
    rank_zero_only(print)(f"downloaded {url} to {file}", flush=True)
    return str(file)


def _check_resize(path: str, trained: Resize, resize: Resize) -> None:
    """Raises InputError for another size than that which predict, report and export take from the checkpoint."""
    if trained != resize:
        stated, own = (
            "null" if size is None else f"[{size[0]},{size[1]}]" if isinstance(size, tuple) else f"{size:g}"
            for size in (resize, trained)
        )
        raise InputError(
            f"data.resize is {stated}, but {path} was trained with {own}, which predict and report use as well: "
            f"set --data.resize={own}"
        )


def _check_steps_left(path: str, checkpoint: dict[str, Any], trainer: Any) -> None:
    hint = f"; to start a new training from its weights: --init_from {path}"
    try:
        progress = progress_of(checkpoint, Path(path))
    except InputError as error:
        raise InputError(f"{error}{hint}") from error
    if progress.reached_max_steps(trainer):
        raise InputError(f"{path} has finished its {progress.steps} steps{hint}")
    if trainer.max_epochs is not None and 0 <= trainer.max_epochs <= progress.epochs:
        raise InputError(
            f"{path} has finished its {progress.epochs} epochs; to train on, give a larger --trainer.max_epochs than "
            f"{trainer.max_epochs}{hint}"
        )
