"""The folder of a bundle, which `seglit export --format bundle` writes: its files, and what they contain."""

from pathlib import Path

import msgspec
from torch import Tensor

from seglit.errors import InputError
from seglit.images.listing import is_file
from seglit.networks.weight_file import read_safetensors
from seglit.runs.checkpoint import ModelRecord
from seglit.runs.record_schema import check_record

WEIGHTS = "model.safetensors"
RECORD = "model.json"


def bundle_of(path: Path) -> Path | None:
    """Returns the bundle that a path names, by its folder or by one of its two files; None if it names none."""
    folder = path.parent if path.name in (WEIGHTS, RECORD) else path
    return folder if is_bundle(folder) else None


def is_bundle(folder: Path) -> bool:
    """Whether a folder is a bundle: weights of other tools may have a model.json of mean and std beside them."""
    if not (is_file(folder / RECORD) and is_file(folder / WEIGHTS)):
        return False
    try:
        data = msgspec.json.decode((folder / RECORD).read_bytes())
    except ValueError:  # damaged, which `read_bundle` says
        return True
    return isinstance(data, dict) and {"network", "labels"} <= data.keys()


def read_bundle(folder: Path) -> tuple[ModelRecord, dict[str, Tensor]]:
    """Reads the record and the weights of a bundle, which may be a stranger's, to the CPU.

    Raises:
        InputError: A file is damaged.
    """
    try:
        data = msgspec.json.decode((folder / RECORD).read_bytes())
    except ValueError as error:
        raise InputError(f"{folder / RECORD}: damaged ({error})") from error
    check_record(data, folder / RECORD)
    return ModelRecord.from_dict(data), read_safetensors(folder / WEIGHTS)
