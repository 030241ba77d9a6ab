"""A predictor from a checkpoint alone: no trainer, no data, no download."""

import difflib
import importlib
import pickle
from pathlib import Path
from typing import Any, get_args

import torch
from torch import nn

from seglit.config.explain import explain
from seglit.errors import InputError
from seglit.labels import Labels
from seglit.normalization import Normalization
from seglit.predict.predictor import Predictor
from seglit.predict.settings import Precision, Settings
from seglit.report.tested import TestedRun

CHECKPOINT_KEY = "seglit"
"""Where in a checkpoint the plain data lies that prediction needs; see `seglit.callbacks.RunRecord`."""
_PREFIX = "network."
_PRETRAINED = ("encoder_weights", "weights", "weights_backbone")


def load(path: str | Path) -> Predictor:
    """Makes a predictor from a checkpoint, or from a run folder's best one.

    Args:
        path: A checkpoint of `seglit fit`, or the run folder that it printed.

    Raises:
        InputError: There is no such checkpoint, it is none of seglit's, or its network's class is not found.
    """
    file = find_checkpoint(Path(path).expanduser())
    checkpoint = _read(file)
    saved, weights = checkpoint[CHECKPOINT_KEY], checkpoint["state_dict"]
    network = _build(saved["network"], file)
    own = {name.removeprefix(_PREFIX): value for name, value in weights.items() if name.startswith(_PREFIX)}
    try:
        network.load_state_dict(own)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip()
        raise InputError(
            f"{file}: its weights do not fit its network {saved['network']['class_path']}, whose code has changed "
            f"since ({first})"
        ) from error
    in_channels = saved["network"].get("init_args", {}).get("in_channels", 3)
    normalization = Normalization.from_dict(saved["normalization"])
    return Predictor(network, Labels.from_dict(saved["labels"]), normalization, in_channels)


def make_predictor(run: TestedRun) -> Predictor:
    """Loads the checkpoint that was scored; it computes in the test's precision.

    Raises:
        InputError: The checkpoint is gone.
    """
    if run.checkpoint is None:
        raise InputError(f"{run.folder}: the checkpoint that was scored was not kept")
    predictor = load(run.checkpoint)
    precision = run.config["trainer"].get("precision")
    predictor.settings = Settings(precision=precision if precision in get_args(Precision) else None)
    return predictor


def find_checkpoint(path: Path) -> Path:
    """The checkpoint that a path means: itself, or a run folder's best, else last one.

    Raises:
        InputError: There is none.
    """
    if path.is_file():
        return path
    for name in ("checkpoints/best.ckpt", "best.ckpt", "checkpoints/last.ckpt", "last.ckpt"):
        if (path / name).is_file():
            return path / name
    if path.is_dir():
        runs = sorted(file.parents[1] for file in path.glob("**/checkpoints/best.ckpt"))
        raise InputError(f"{path}: holds no checkpoints/best.ckpt" + (f"; did you mean {runs[-1]}?" if runs else ""))
    near = difflib.get_close_matches(path.name, [file.name for file in path.parent.glob("*")], 1)
    raise InputError(f"{path}: no such file or folder" + (f"; did you mean {path.parent / near[0]}?" if near else ""))


def _read(file: Path) -> dict[str, Any]:
    try:
        # mapped: the optimizer's state, twice the weights, is never read
        checkpoint = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise InputError(f"{file}: is no checkpoint, or cut off ({str(error).splitlines()[0]})") from error
    if not isinstance(checkpoint, dict) or CHECKPOINT_KEY not in checkpoint:
        raise InputError(f"{file}: is no checkpoint of `seglit fit`; it does not say its network and labels")
    return checkpoint


def _build(network: dict[str, Any], file: Path) -> nn.Module:
    """Builds a network from its `class_path` and `init_args`, without the pretrained weights that it started from."""
    from jsonargparse import ArgumentError, ArgumentParser

    _check_class(network["class_path"], file)
    given = network.get("init_args", {})
    weightless = {name: None for name in _PRETRAINED if isinstance(given.get(name), str)}
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(nn.Module, "network", fail_untyped=False)
    try:
        config = parser.parse_object({"network": {**network, "init_args": {**given, **weightless}}})
    except ArgumentError as error:
        raise InputError(f"{file}: its network cannot be built: {explain(error, (), ())}") from error
    built: nn.Module = parser.instantiate(config).network
    return built


def _check_class(class_path: str, file: Path) -> None:
    module, _, name = class_path.rpartition(".")
    try:
        found = hasattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name and not f"{module}.".startswith(f"{error.name}."):
            raise InputError(f"{file}: its network {class_path} needs the package {error.name!r}") from error
        found = False
    if not found:
        raise InputError(
            f"{file}: its network {class_path} is not found; run `python -m seglit` from the folder where its code lies"
        )
