"""Reads JSON files, and turns what is wrong with their content into one-line errors."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from seglit.errors import InputError
from seglit.images.listing import nearest_entry
from seglit.images.replacing import replacing


def read_any_json(file: Path) -> Any:
    """Reads a JSON file.

    Raises:
        InputError: The file is missing or not JSON.
    """
    if not file.is_file():
        raise InputError(f"{file}: no such file{nearest_entry(file)}")
    try:
        return json.loads(file.read_bytes())
    except (RecursionError, ValueError) as error:
        raise InputError(f"{file}: is not valid JSON ({error})") from error


def read_json(file: Path, *keys: str) -> dict[str, Any]:
    """Reads a JSON file that must contain an object with these keys.

    Raises:
        InputError: The file is missing, not JSON, or lacks a key.
    """
    data = read_any_json(file)
    if missing := [key for key in keys if not isinstance(data, dict) or key not in data]:
        raise InputError(f"{file}: has no {missing[0]!r}")
    if not isinstance(data, dict):
        raise InputError(f"{file}: is not an object")
    return data


@contextmanager
def json_errors(where: Path | str, format_name: str) -> Iterator[None]:
    """Turns an exception from unexpected content, such as a string instead of a list, into a one-line error.

    Raises:
        InputError: The content is unexpected.
    """
    try:
        yield
    except InputError:
        raise
    except KeyError as error:
        raise InputError(f"{where}: an entry has no {error}; expected {format_name}") from error
    except (ArithmeticError, AttributeError, IndexError, TypeError, ValueError) as error:
        raise InputError(f"{where}: is not in {format_name} ({error})") from error


def write_json(file: Path, content: object) -> Path:
    """Writes a JSON file atomically, and returns it.

    Raises:
        InputError: It cannot be written.
    """
    with replacing(file) as part:
        part.write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")
    return file
