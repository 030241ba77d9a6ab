"""Reads weights from files of PyTorch and safetensors without running code in them."""

import json
import re
import zipfile
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seglit.errors import InputError, printable
from seglit.normalization import Normalization

# Keys of the state dict in checkpoints of training tools; averaged weights and the teacher of a student come first.
_NESTED = (
    *("state_dict_ema", "model_ema", "state_dict", "model_state_dict", "model", "teacher", "student"),
    *("teacher_state_dict", "student_state_dict", "network", "backbone"),
)


def read_weights(file: Path) -> dict[str, Tensor]:
    """Reads a state dict, by itself or within a checkpoint, to the CPU.

    Raises:
        InputError: The file cannot be read, is damaged, contains objects that only code can load, or no weights.
    """
    return find_weights(read_content(file), file)


def read_content(file: Path) -> Any:
    """Reads what a file of PyTorch or safetensors contains, by its first bytes, to the CPU.

    Raises:
        InputError: The file cannot be read, is damaged, or contains objects that only code can load.
    """
    return read_safetensors(file) if _is_safetensors(file) else read_torch(file)


def find_weights(content: Any, file: Path) -> dict[str, Tensor]:
    """Returns the innermost state dict of a checkpoint.

    Args:
        content: What the file contains.
        file: The file, for messages.

    Raises:
        InputError: There is none.
    """
    weights = _innermost(content)
    if not weights:
        keys = f"; its keys are {', '.join(map(str, [*content][:8]))}" if isinstance(content, Mapping) else ""
        raise InputError(printable(f"{file}: contains no state dict, names to tensors{keys}"))
    return weights


def read_torch(file: str | Path) -> Any:
    """Reads a file of `torch.save` to the CPU with `weights_only=True`, which runs no code in it.

    Raises:
        InputError: The file cannot be read, is damaged, or contains objects that only code can load.
    """
    try:
        # DINO and others store their command line as a Namespace, which is plain data. Memory-mapped, since optimizer
        # states, twice the size of the weights, are not always needed.
        with torch.serialization.safe_globals([Namespace]):
            return torch.load(file, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(file))
    except Exception as error:
        if code := re.search(r"GLOBAL `?([\w.]+)", str(error)):
            raise InputError(
                f"{file}: not a checkpoint that is read: it contains an object of {printable(code[1])}, which could "
                "run code; where it was made, save the weights only: torch.save(model.state_dict(), file)"
            ) from error
        reason = " ".join(str(error).split()).partition(". ")[0] or type(error).__name__
        raise InputError(f"{file}: not a checkpoint, or truncated ({printable(reason)})") from error


def normalization_beside(file: Path) -> Normalization | None:
    """Reads mean and standard deviation of the images from the JSON beside a weight file.

    Of `<name>.json`, which may be the record of a bundle, timm's or smp's `config.json` and transformers'
    `preprocessor_config.json`, the first that states them.

    Returns:
        The normalisation, one value per channel that the weights were trained with, of 8-bit images except for a
        record in units of its images; None if no file states it.

    Raises:
        InputError: A file cannot be read, or its values are not a mean and a standard deviation.
    """
    for beside in _settings_of(file):
        try:
            content = json.loads(beside.read_bytes())
            if recorded := recorded_normalization(content):
                return recorded
            settings = {**content, **content.get("pretrained_cfg", {})}
            mean, std = (settings.get(key, settings.get(f"image_{key}")) for key in ("mean", "std"))
            if mean is None or std is None or not settings.get("do_normalize", True):
                continue
            white = 255.0  # in the units of mean and std
            if settings.get("do_rescale", True):
                white *= settings.get("input_range", [0, 1])[1] * settings.get("rescale_factor", 1 / 255)
            mean, std = ([float(value) / white for value in values] for values in (mean, std))
        except (OSError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError) as error:
            raise InputError(f"{beside}: states no mean and std that can be read ({error})") from error
        if not mean or len(mean) != len(std) or min(std) <= 0:
            raise InputError(f"{beside}: mean {mean} and std {std} are not one value, and one above 0, per channel")
        if max(mean) > 1:
            raise InputError(f"{beside}: mean {mean} and std {std} are not those of images from 0 to 1")
        return Normalization(tuple(mean), tuple(std))
    return None


def stated_architecture(file: Path) -> str | None:
    """Reads the name of a network of timm from the nearest JSON beside a weight file; None if that states none.

    Raises:
        InputError: The file cannot be read.
    """
    beside = next(iter(_settings_of(file)), None)
    if beside is None:
        return None
    try:
        content = json.loads(beside.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"{beside}: cannot be read ({error})") from error
    name = content.get("architecture") if isinstance(content, dict) else None
    return name if isinstance(name, str) else None


def _settings_of(file: Path) -> list[Path]:
    """The JSON files beside a weight file that may describe it, nearest first."""
    names = (f"{file.stem}.json", "config.json", "preprocessor_config.json")
    return [file.with_name(name) for name in names if file.with_name(name).is_file()]


def recorded_normalization(content: Any) -> Normalization | None:
    """Returns the normalisation that a checkpoint or the record of a bundle of seglit states, if any.

    Args:
        content: What the file contains; its record is in a checkpoint, or the whole of a JSON file.

    Returns:
        The normalisation, whose scale is 1 if the training stated it in units of its images.
    """
    records: tuple[Any, ...] = (content, content.get("seglit")) if isinstance(content, Mapping) else ()
    for record in records:
        try:
            values = record["normalization"]
            if not {"network", "labels"} <= record.keys() or "scale" not in values:  # of another tool
                continue
            found = Normalization.from_dict(values)
        except (LookupError, TypeError, ValueError):
            continue
        if len(found.mean) == len(found.std) and min(found.std, default=0) > 0:
            return found
    return None


def _is_safetensors(file: Path) -> bool:
    """Whether the file starts as safetensors do: the length of a JSON object, eight bytes, and the object."""
    try:
        with file.open("rb") as opened:
            return opened.read(9)[8:] == b"{"
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror})") from error


def read_safetensors(file: Path) -> dict[str, Tensor]:
    """Reads a file of safetensors to the CPU.

    Raises:
        InputError: The file cannot be read, or is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(file)
    except (SafetensorError, ValueError, OSError) as error:
        raise InputError(f"{file}: damaged, or not safetensors ({printable(str(error))})") from error


def _innermost(content: Any) -> dict[str, Tensor]:
    """Returns the tensors of the innermost state dict, by name; empty if there is none."""
    if not isinstance(content, Mapping):
        return {}
    for key in _NESTED:
        if weights := _innermost(content.get(key)):
            return weights
    return {name: value for name, value in content.items() if isinstance(name, str) and isinstance(value, Tensor)}
