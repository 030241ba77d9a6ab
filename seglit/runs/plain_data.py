"""Plain data of the files of others: of bounded size, and of numbers, texts, lists and dictionaries only."""

from collections.abc import Iterator
from typing import Any

from seglit.errors import InputError

_MAX_VALUES, _MAX_DEPTH = 1_000_000, 50


def check_plain(data: object, where: str) -> None:
    """Checks data before it is converted.

    Raises:
        InputError: It contains other objects, or is so large, or nested so deeply, that it would fill the memory.
    """
    for count, (part, depth) in enumerate(_with_depth(data)):
        if count > _MAX_VALUES or depth > _MAX_DEPTH:
            raise InputError(f"{where} has more than {_MAX_VALUES:,} values, or {_MAX_DEPTH} within each other")
        if not isinstance(part, dict | list | tuple | str | int | float | None):
            raise InputError(f"{where} contains a {type(part).__name__}, but must be plain data")


def parts_of(data: Any) -> Iterator[Any]:
    """Yields plain data and all that is within it; values that are shared are yielded each time."""
    return (part for part, _ in _with_depth(data))


def _with_depth(data: Any) -> Iterator[tuple[Any, int]]:
    stack = [(data, 0)]
    while stack:
        part, depth = stack.pop()
        yield part, depth
        if isinstance(part, dict):
            stack += [(inner, depth + 1) for inner in (*part, *part.values())]
        elif isinstance(part, list | tuple):
            stack += [(inner, depth + 1) for inner in part]
