"""The record that `seglit fit` adds to Lightning's checkpoints, and loading a network from a checkpoint."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from seglit.errors import InputError
from seglit.images.listing import nearest_entry
from seglit.labels import Labels
from seglit.normalization import Normalization
from seglit.runs.build import build
from seglit.runs.record_schema import check_record

RECORD_KEY = "seglit"
"""Key of the record in a checkpoint."""
_PREFIX = "network."  # of the network's weights in the state dict
_PRETRAINED = ("encoder_weights", "weights", "weights_backbone")


@dataclass(frozen=True)
class ModelRecord:
    """What prediction requires besides the weights; stored as plain data, which loads with `weights_only=True`.

    Args:
        version: The version of seglit that wrote the checkpoint.
        network: The network's `class_path` and `init_args`, including the values that are linked to the data.
        labels: The classes.
        normalization: Mean and standard deviation of the images.
        nodata: The data's setting for pixels without data; empty if there is none.
    """

    version: str
    network: Mapping[str, Any]
    labels: Labels
    normalization: Normalization
    nodata: tuple[float, ...] = ()

    @property
    def in_channels(self) -> int:
        """Number of channels of the images."""
        return int(self.network.get("init_args", {}).get("in_channels", 3))

    def to_dict(self) -> dict[str, Any]:
        """Converts the record to plain data."""
        return {
            "version": self.version,
            "network": dict(self.network),
            "labels": self.labels.to_dict(),
            "normalization": self.normalization.to_dict(),
            "nodata": list(self.nodata),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Creates a record from the plain data of `to_dict`."""
        labels, normalization = Labels.from_dict(data["labels"]), Normalization.from_dict(data["normalization"])
        return cls(data["version"], data["network"], labels, normalization, tuple(data.get("nodata", ())))


def find_checkpoint(path: Path) -> Path:
    """Returns the checkpoint at a path: the file itself, or the best, else the last one of a run folder.

    Raises:
        InputError: There is no checkpoint.
    """
    if path.is_file():
        return path
    for name in ("checkpoints/best.ckpt", "best.ckpt", "checkpoints/last.ckpt", "last.ckpt"):
        if (path / name).is_file():
            return path / name
    if path.is_dir():
        runs = sorted(file.parents[1] for depth in ("*", "*/*") for file in path.glob(f"{depth}/checkpoints/best.ckpt"))
        raise InputError(f"{path}: contains no checkpoints/best.ckpt" + (f"; did you mean {runs[-1]}?" if runs else ""))
    raise InputError(f"{path}: no such file or folder{nearest_entry(path)}")


def load_network(file: Path, trust: Collection[str] = ()) -> tuple[nn.Module, ModelRecord]:
    """Builds the network of a checkpoint, without downloading pretrained weights, and loads its weights.

    Args:
        file: The checkpoint.
        trust: Further packages whose classes it may name, see `import_class`.

    Raises:
        InputError: The file is not a seglit checkpoint, or its network cannot be built, or the weights do not fit it.
    """
    record, weights = _read(file)
    init_args = record.network.get("init_args", {})
    untrained = {name: None for name in _PRETRAINED if isinstance(init_args.get(name), str | bool)}
    spec = {**record.network, "init_args": {**init_args, **untrained}}
    network: nn.Module = build(nn.Module, spec, f"{file}: its network", trust)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        first = str(error).splitlines()[:2][-1].strip()
        raise InputError(
            f"{file}: its weights do not fit its network {record.network['class_path']}, whose code has changed since "
            f"({first})"
        ) from error
    return network, record


def read_checkpoint(file: str | Path) -> dict[str, Any]:
    """Reads a checkpoint to the CPU with `weights_only=True`, which runs no code in it.

    Raises:
        InputError: It is not a checkpoint, damaged, or contains objects that only code can load, or its record, if it
            has one, is not what seglit writes.
    """
    try:
        # memory-mapped, since the optimizer state, twice the size of the weights, is not always needed
        checkpoint = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:
        raise InputError(f"{file}: not a checkpoint, or truncated ({_reason(error)})") from error
    if not isinstance(checkpoint, dict):
        raise InputError(f"{file}: not a checkpoint")
    if RECORD_KEY in checkpoint:
        check_record(checkpoint[RECORD_KEY], Path(file))
    return checkpoint


def _reason(error: Exception) -> str:
    """Shortens torch's explanation, which advises to unpickle a file that is not plain data."""
    if match := re.search(r"Unsupported global: GLOBAL (\S+)", str(error)):
        return f"it contains {match[1]}, which only code can load"
    return " ".join(str(error).split()).partition(". ")[0] or type(error).__name__


def _read(file: Path) -> tuple[ModelRecord, dict[str, Tensor]]:
    """Reads the record and the network's weights."""
    checkpoint = read_checkpoint(file)
    if RECORD_KEY not in checkpoint:
        raise InputError(f"{file}: not a seglit checkpoint; it stores no network and labels")
    state = checkpoint.get("state_dict")
    if not isinstance(state, dict) or not all(isinstance(name, str) for name in state):
        raise InputError(f"{file}: damaged; it stores no weights")
    weights = {name.removeprefix(_PREFIX): value for name, value in state.items() if name.startswith(_PREFIX)}
    return ModelRecord.from_dict(checkpoint[RECORD_KEY]), weights
