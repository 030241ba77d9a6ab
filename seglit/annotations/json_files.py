"""Shared by the readers of COCO and labelme JSON, which name their classes."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from seglit.errors import InputError, did_you_mean
from seglit.images.listing import nearest_entry
from seglit.labels import IGNORE_INDEX


def read_json(file: Path, *keys: str) -> dict[str, Any]:
    """Reads a JSON file that must contain an object with these keys.

    Raises:
        InputError: The file is missing, not JSON, or lacks a key.
    """
    if not file.is_file():
        raise InputError(f"{file}: no such file{nearest_entry(file)}")
    try:
        data = json.loads(file.read_bytes())
    except (RecursionError, ValueError) as error:
        raise InputError(f"{file}: is not valid JSON ({error})") from error
    if missing := [key for key in keys if not isinstance(data, dict) or key not in data]:
        raise InputError(f"{file}: has no {missing[0]!r}")
    return dict(data)


@contextmanager
def json_errors(file: Path, format_name: str) -> Iterator[None]:
    """Turns an exception from unexpected content, such as a string instead of a list, into a one-line error.

    Raises:
        InputError: The content is unexpected.
    """
    try:
        yield
    except InputError:
        raise
    except KeyError as error:
        raise InputError(f"{file}: an entry has no {error}; expected {format_name}") from error
    except (ArithmeticError, AttributeError, IndexError, TypeError, ValueError) as error:
        raise InputError(f"{file}: is not in {format_name} ({error})") from error


def check_coordinates(coordinates: Sequence[float], height: int, width: int) -> None:
    """Rejects coordinates that are invalid, or that the drawing libraries draw wrongly or crash on.

    Args:
        coordinates: x, y, x, y, ... in pixels.
        height: Height of the image.
        width: Width of the image.

    Raises:
        ValueError: The number of coordinates is odd, or one is NaN or beyond ten times the image's longer side.
    """
    if len(coordinates) % 2:
        raise ValueError(f"a shape has {len(coordinates)} coordinates, not pairs of x and y")
    outside = [value for value in coordinates if not abs(value) <= 10 * max(height, width)]  # NaN included
    if outside:
        raise ValueError(f"a shape reaches {outside[0]:g} in an image of {height} x {width} pixels (height x width)")


def uncovered(class_names: Sequence[str], background: str | None) -> int:
    """Returns the class index of the pixels that no annotation covers; void if `background` is None.

    Raises:
        InputError: `background` is not a class.
    """
    if background is None:
        return IGNORE_INDEX
    if background not in class_names:
        raise InputError(
            f"background is {background!r}, which is not among class_names{did_you_mean(background, class_names)}; "
            "add it, or set `background: null` to make pixels without annotation void"
        )
    return class_names.index(background)
