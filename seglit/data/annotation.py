"""What sources that name their classes (COCO and labelme JSON) have in common."""

import difflib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seglit.data.folder import nearest_entry
from seglit.errors import InputError
from seglit.labels import IGNORE_INDEX


def read_json(file: Path, *keys: str) -> dict[str, Any]:
    """Reads a JSON file that must be an object with these keys.

    Raises:
        InputError: It is missing, no JSON, or lacks a key.
    """
    if not file.is_file():
        raise InputError(f"{file}: no such file{nearest_entry(file)}")
    try:
        data = json.loads(file.read_bytes())
    except ValueError as error:
        raise InputError(f"{file}: is no JSON ({error})") from error
    if missing := [key for key in keys if not isinstance(data, dict) or key not in data]:
        raise InputError(f"{file}: has no {missing[0]!r}")
    return dict(data)


def uncovered(class_names: Sequence[str], background: str | None) -> int:
    """The class index of the pixels that no annotation covers; void where `background` is None.

    Raises:
        InputError: `background` is no class.
    """
    if background is None:
        return IGNORE_INDEX
    if background not in class_names:
        raise InputError(
            f"background is {background!r}, which is not among class_names{nearest(background, class_names)}; add it, "
            "or say `background: null` to make void what no annotation covers"
        )
    return class_names.index(background)


def nearest(name: str, names: Sequence[str]) -> str:
    """'; did you mean X?', or the first names there are."""
    near = difflib.get_close_matches(name, names, 1)
    return f"; did you mean {near[0]!r}?" if near else f" ({', '.join(names[:20])}{', ...' * (len(names) > 20)})"
