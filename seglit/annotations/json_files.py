"""What sources that name their classes (COCO and labelme JSON) have in common."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from seglit.errors import InputError, did_you_mean
from seglit.images.listing import nearest_entry
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
    except (RecursionError, ValueError) as error:
        raise InputError(f"{file}: is no JSON ({error})") from error
    if missing := [key for key in keys if not isinstance(data, dict) or key not in data]:
        raise InputError(f"{file}: has no {missing[0]!r}")
    return dict(data)


@contextmanager
def understanding(file: Path, form: str) -> Iterator[None]:
    """Says in one line that a JSON holds other things than it should, such as a text where a list belongs.

    Raises:
        InputError: It does.
    """
    try:
        yield
    except InputError:
        raise
    except KeyError as error:
        raise InputError(f"{file}: an entry has no {error}; {form} is read") from error
    except (ArithmeticError, AttributeError, IndexError, TypeError, ValueError) as error:
        raise InputError(f"{file}: is not in {form} ({error})") from error


def check_coordinates(coordinates: Sequence[float], height: int, width: int) -> None:
    """Refuses what a shape cannot mean, and what the libraries that draw it draw wrongly, or crash at.

    Args:
        coordinates: In pixels; x and y by turns.
        height: The image's.
        width: The image's.

    Raises:
        ValueError: One lacks its partner, is no number, or lies beyond ten times the image's longer side.
    """
    if len(coordinates) % 2:
        raise ValueError(f"a shape has {len(coordinates)} coordinates, x and y by turns")
    if wild := [each for each in coordinates if not abs(each) <= 10 * max(height, width)]:
        raise ValueError(f"a shape reaches {wild[0]:g} in an image of {height} x {width} pixels (height x width)")


def uncovered(class_names: Sequence[str], background: str | None) -> int:
    """The class index of the pixels that no annotation covers; void where `background` is None.

    Raises:
        InputError: `background` is no class.
    """
    if background is None:
        return IGNORE_INDEX
    if background not in class_names:
        raise InputError(
            f"background is {background!r}, which is not among class_names{did_you_mean(background, class_names)}; "
            "add it, or say `background: null` to make void what no annotation covers"
        )
    return class_names.index(background)
