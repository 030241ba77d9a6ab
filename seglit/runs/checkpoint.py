"""The record that `seglit fit` adds to Lightning's checkpoints, and loading a network from a checkpoint."""

import hashlib
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from seglit.errors import InputError
from seglit.images.scaling import Resize
from seglit.labels import Labels
from seglit.networks.weight_file import find_weights, read_content, read_torch
from seglit.normalization import Normalization
from seglit.runs.build import build
from seglit.runs.plain_data import parts_of
from seglit.runs.pretrained import without_pretrained
from seglit.runs.record_schema import check_record

RECORD_KEY = "seglit"
"""Key of the record in a checkpoint."""
_PREFIX = "network."  # of the network's weights in the state dict


@dataclass(frozen=True)
class ModelRecord:
    """What prediction requires besides the weights; stored as plain data, which loads with `weights_only=True`.

    Args:
        version: The version of seglit that wrote the checkpoint.
        network: The network's `class_path` and `init_args`, including the values that are linked to the data.
        labels: The classes.
        normalization: Mean and standard deviation of the images.
        nodata: The data's setting for pixels without data; empty if there is none.
        resize: Size that images are resized to.
    """

    version: str
    network: Mapping[str, Any]
    labels: Labels
    normalization: Normalization
    nodata: tuple[float, ...] = ()
    resize: Resize = None

    @property
    def in_channels(self) -> int:
        """Number of channels of the images."""
        return int(self.network.get("init_args", {}).get("in_channels", 3))

    @property
    def architecture(self) -> str:
        """The network's class and, of a library's, its architecture: `UNet`, `SMP pspnet`."""
        name = self.network["class_path"].rpartition(".")[2]
        return f"{name} {self.network.get('init_args', {}).get('architecture', '')}".rstrip()

    def to_dict(self) -> dict[str, Any]:
        """Converts the record to plain data."""
        return {
            "version": self.version,
            "network": dict(self.network),
            "labels": self.labels.to_dict(),
            "normalization": self.normalization.to_dict(),
            "nodata": list(self.nodata),
            "resize": list(self.resize) if isinstance(self.resize, tuple) else self.resize,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Creates a record from the plain data of `to_dict`."""
        labels, normalization = Labels.from_dict(data["labels"]), Normalization.from_dict(data["normalization"])
        resize = data.get("resize")
        resize = tuple(resize) if isinstance(resize, list) else resize
        return cls(
            data["version"], data["network"], labels, normalization, tuple(map(float, data.get("nodata", ()))), resize
        )


def load_network(file: Path, trust: Collection[str] = ()) -> tuple[nn.Module, ModelRecord]:
    """Builds the network of a checkpoint, without downloading pretrained weights, and loads its weights.

    Args:
        file: The checkpoint.
        trust: Further packages whose classes it may name, see `import_class`.

    Raises:
        InputError: The file is not a seglit checkpoint, or its network cannot be built, or the weights do not fit it.
    """
    checkpoint = read_checkpoint(file)
    if RECORD_KEY not in checkpoint:
        raise InputError(f"{file}: not a seglit checkpoint; it stores no network and labels")
    record, weights = _record_and_weights(checkpoint, file)
    return build_network(record, weights, file, trust), record


def build_network(
    record: ModelRecord, weights: Mapping[str, Tensor], file: Path, trust: Collection[str] = ()
) -> nn.Module:
    """Builds the network of a record, without downloading pretrained weights, and loads its weights.

    Raises:
        InputError: The network cannot be built, or the weights do not fit it; `file` is where they are from.
    """
    network = build_untrained(record.network, f"{file}: its network", trust)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        first = str(error).splitlines()[:2][-1].strip()
        raise InputError(
            f"{file}: its weights do not fit its network {record.network['class_path']}, whose code has changed since "
            f"({first})"
        ) from error
    return network


def build_untrained(spec: Mapping[str, Any], where: str, trust: Collection[str] = ()) -> nn.Module:
    """Builds a network from its `class_path` and `init_args` without reading or downloading pretrained weights.

    Args:
        spec: As in `ModelRecord.network`.
        where: File and object, for messages.
        trust: Further packages whose classes may be named, see `import_class`.

    Raises:
        InputError: The network cannot be built.
    """
    return build(nn.Module, without_pretrained(spec), where, trust)


def build_again(spec: Mapping[str, Any], where: str) -> nn.Module:
    """Builds the network of a configuration once more, if possible without values; the random state stays as it is.

    Args, Raises: As `build_untrained`; all that it names is trusted.
    """
    trust = {path.partition(".")[0] for path in parts_of(spec) if isinstance(path, str) and "." in path}
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings(action="ignore"):
        try:
            with torch.device("meta"):
                return build_untrained(spec, where, trust)
        except InputError:  # one that computes with numbers while it is built, such as smp's mit_b0
            return build_untrained(spec, where, trust)


def read_checkpoint(file: str | Path) -> dict[str, Any]:
    """Reads a checkpoint to the CPU with `weights_only=True`, which runs no code in it.

    Raises:
        InputError: It is not a checkpoint, damaged, or contains objects that only code can load, or its record, if it
            has one, is not what seglit writes.
    """
    checkpoint = read_torch(file)
    if not isinstance(checkpoint, dict):
        raise InputError(f"{file}: not a checkpoint")
    if RECORD_KEY in checkpoint:
        check_record(checkpoint[RECORD_KEY], Path(file))
    return checkpoint


def digest_of(file: Path) -> str:
    """Returns the SHA-256 of a checkpoint file, by which what was exported from it knows it again."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def read_any_weights(file: Path) -> tuple[ModelRecord | None, dict[str, Tensor]]:
    """Reads the weights of a network: of a seglit checkpoint with its record, of any other file without.

    Raises:
        InputError: The file is damaged, contains objects that only code can load, or no weights.
    """
    content = read_content(file)
    if not isinstance(content, dict) or RECORD_KEY not in content:
        return None, find_weights(content, file)
    check_record(content[RECORD_KEY], file)
    return _record_and_weights(content, file)


def _record_and_weights(checkpoint: Mapping[str, Any], file: Path) -> tuple[ModelRecord, dict[str, Tensor]]:
    state = checkpoint.get("state_dict")
    if not isinstance(state, dict) or not all(isinstance(name, str) for name in state):
        raise InputError(f"{file}: damaged; it stores no weights")
    weights = {name.removeprefix(_PREFIX): value for name, value in state.items() if name.startswith(_PREFIX)}
    if not weights or not all(isinstance(value, Tensor) for value in weights.values()):
        raise InputError(f"{file}: damaged; it stores no weights of a network")
    return ModelRecord.from_dict(checkpoint[RECORD_KEY]), weights
