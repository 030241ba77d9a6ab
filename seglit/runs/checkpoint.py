"""A checkpoint of `seglit fit`: what it holds beside Lightning's own, found and read again."""

import pickle
from pathlib import Path
from typing import Any

import torch
from torch import nn

from seglit.config.build import build
from seglit.errors import InputError
from seglit.images.listing import nearest_entry

CHECKPOINT_KEY = "seglit"
"""Where in a checkpoint the plain data lies that prediction needs; see `seglit.callbacks.RunRecord`."""
PREFIX = "network."
"""What the names of the network's weights begin with."""
_PRETRAINED = ("encoder_weights", "weights", "weights_backbone")


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
    raise InputError(f"{path}: no such file or folder{nearest_entry(path)}")


def read_checkpoint(file: Path) -> dict[str, Any]:
    """Reads a checkpoint of `seglit fit`, as plain data.

    Raises:
        InputError: It is none, or cut off.
    """
    try:
        # mapped: the optimizer's state, twice the weights, is never read
        checkpoint = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise InputError(f"{file}: is no checkpoint, or cut off ({str(error).splitlines()[0]})") from error
    if not isinstance(checkpoint, dict) or CHECKPOINT_KEY not in checkpoint:
        raise InputError(f"{file}: is no checkpoint of `seglit fit`; it does not say its network and labels")
    return checkpoint


def build_network(network: dict[str, Any], file: Path) -> nn.Module:
    """Builds a network from its `class_path` and `init_args`, without the pretrained weights that it started from.

    Raises:
        InputError: The class is not found, or cannot be built so.
    """
    given = network.get("init_args", {})
    weightless = {name: None for name in _PRETRAINED if isinstance(given.get(name), str)}
    spec = {**network, "init_args": {**given, **weightless}}
    return build(nn.Module, spec, f"{file}: its network")
