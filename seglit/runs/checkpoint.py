"""What a checkpoint of `seglit fit` holds beside Lightning's own, written and read."""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from seglit.config.build import build
from seglit.errors import InputError
from seglit.images.listing import nearest_entry
from seglit.labels import Labels
from seglit.normalization import Normalization

RECORD_KEY = "seglit"
"""Where in a checkpoint the record lies."""
_PREFIX = "network."  # of the names of the network's weights
_PRETRAINED = ("encoder_weights", "weights", "weights_backbone")


@dataclass(frozen=True)
class ModelRecord:
    """What prediction needs beside the weights: plain data, which loads with `weights_only=True`.

    Args:
        version: The version of seglit that wrote it.
        network: The network's `class_path` and `init_args`, with the values that the data gave.
        labels: The classes.
        normalization: What images are normalised by.
    """

    version: str
    network: Mapping[str, Any]
    labels: Labels
    normalization: Normalization

    @property
    def in_channels(self) -> int:
        """Channels of the images."""
        return int(self.network.get("init_args", {}).get("in_channels", 3))

    def to_dict(self) -> dict[str, Any]:
        """Plain data that a checkpoint can hold and `from_dict` reads."""
        return {
            "version": self.version,
            "network": dict(self.network),
            "labels": self.labels.to_dict(),
            "normalization": self.normalization.to_dict(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Reads what `to_dict` wrote."""
        labels, normalization = Labels.from_dict(data["labels"]), Normalization.from_dict(data["normalization"])
        return cls(data["version"], data["network"], labels, normalization)


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


def load_network(file: Path) -> tuple[nn.Module, ModelRecord]:
    """Builds the network of a checkpoint, without the pretrained weights that it started from, and loads its weights.

    Raises:
        InputError: It is no checkpoint of `seglit fit`, or its network cannot be built, or is no longer what it was.
    """
    record, weights = _read(file)
    given = record.network.get("init_args", {})
    weightless = {name: None for name in _PRETRAINED if isinstance(given.get(name), str)}
    spec = {**record.network, "init_args": {**given, **weightless}}
    network: nn.Module = build(nn.Module, spec, f"{file}: its network")
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip()
        raise InputError(
            f"{file}: its weights do not fit its network {record.network['class_path']}, whose code has changed since "
            f"({first})"
        ) from error
    return network, record


def _read(file: Path) -> tuple[ModelRecord, dict[str, Tensor]]:
    """The record of a checkpoint and the network's weights."""
    try:
        # mapped: the optimizer's state, twice the weights, is never read
        checkpoint = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise InputError(f"{file}: is no checkpoint, or cut off ({str(error).splitlines()[0]})") from error
    if not isinstance(checkpoint, dict) or RECORD_KEY not in checkpoint:
        raise InputError(f"{file}: is no checkpoint of `seglit fit`; it does not say its network and labels")
    weights = checkpoint["state_dict"].items()
    own = {name.removeprefix(_PREFIX): value for name, value in weights if name.startswith(_PREFIX)}
    return ModelRecord.from_dict(checkpoint[RECORD_KEY]), own
