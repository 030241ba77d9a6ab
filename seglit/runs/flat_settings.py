"""Settings by their dotted names, as on the command line."""

from collections.abc import Iterator
from typing import Any


def flat_settings(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yields dotted names and values; a `class_path` gets the name of its setting, `init_args` follow below it."""
    if isinstance(value, dict):
        for key, part in value.items():
            is_class = key in ("class_path", "init_args") and "class_path" in value
            yield from flat_settings(part, name if is_class else f"{name}.{key}".removeprefix("."))
    elif isinstance(value, list) and any(isinstance(part, dict) for part in value):
        for index, part in enumerate(value):
            yield from flat_settings(part, f"{name}.{index}")
    else:
        yield name, value
