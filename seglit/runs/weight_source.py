"""What `--init_from` names: a run, a checkpoint, a bundle, a file of another tool, or a repository of the hub."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from torch import Tensor

from seglit.networks.hub import download_weights, offline_at_once, repository_of
from seglit.networks.library import download_errors
from seglit.networks.weight_file import normalization_beside
from seglit.normalization import Normalization
from seglit.runs.bundle_folder import bundle_of, read_bundle
from seglit.runs.checkpoint import ModelRecord, read_any_weights
from seglit.runs.named_run import find_checkpoint
from seglit.runs.pretrained import names_pretrained


@dataclass(frozen=True)
class WeightSource:
    """Where the weights of a trained network are, and what is known of them.

    Args:
        path: The file, or the folder of a bundle.
        record: Network, classes and normalisation; None of a file of another tool.
        normalization: How images are normalised for the weights; None if it is not stated.
    """

    path: Path
    record: ModelRecord | None
    normalization: Normalization | None

    @classmethod
    def find(cls, init_from: str) -> Self:
        """Finds weights, and downloads those of a repository.

        Args:
            init_from: A run folder (its best checkpoint), a checkpoint, a bundle, a state dict, or `hf:owner/name`.

        Raises:
            InputError: There is no such file, it cannot be downloaded or read, or contains no weights.
        """
        path = _find(init_from)
        record, _ = _read(path)
        return cls(path, record, record.normalization if record else normalization_beside(path))

    def read(self) -> dict[str, Tensor]:
        """Reads the weights by name, to the CPU; they are not kept, since training would not free them."""
        return _read(self.path)[1]

    def difference(self, spec: Mapping[str, Any]) -> str:
        """Says in what a network differs from that of these weights; '' if in nothing, or if that is not known.

        Args:
            spec: `class_path` and `init_args` of the network. Classes, channels and pretrained weights may differ.
        """
        if self.record is None:
            return ""
        network = self.record.network
        if network["class_path"] != spec["class_path"]:
            return f"it is of {network['class_path']}, here {spec['class_path']}"
        theirs, ours = network.get("init_args", {}), spec.get("init_args", {})
        may = ("num_classes", "in_channels", *(name for name in ours if names_pretrained(spec["class_path"], name)))
        names = [name for name in ours if name in theirs and name not in may and ours[name] != theirs[name]]
        return ", ".join(f"{name} is {theirs[name]} there, here {ours[name]}" for name in names)

    def is_like(self, spec: Mapping[str, Any]) -> bool:
        """Whether the weights are known to be of a network that `difference` finds none to."""
        return self.record is not None and not self.difference(spec)


def _find(init_from: str) -> Path:
    """Returns the folder of a bundle, or the file of other weights."""
    path = Path(init_from).expanduser()
    if repository := repository_of(init_from):
        from huggingface_hub.constants import HF_HUB_CACHE

        with download_errors(init_from, "init_from", HF_HUB_CACHE), offline_at_once():
            path = download_weights(repository)
    return bundle_of(path) or find_checkpoint(path)


def _read(path: Path) -> tuple[ModelRecord | None, dict[str, Tensor]]:
    return read_bundle(path) if path.is_dir() else read_any_weights(path)
