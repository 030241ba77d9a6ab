"""Which settings differ between runs."""

from collections.abc import Iterator
from typing import Any

_OWN = {"experiment", "trainer.default_root_dir", "checkpoint.dirpath", "ckpt_path"}
"""What names the run and its places."""


def differing_settings(configs: list[dict[str, Any]], environments: list[str]) -> dict[str, list[Any]]:
    """The settings that are not the same in all runs, under their names on the command line.

    Args:
        configs: Each run's complete configuration.
        environments: Each run's versions and hardware, parted by commas.

    Returns:
        Dotted name to a value a run, None where it has none; `environment` comes last, with the parts that differ.
    """
    flat = [dict(_flatten(config)) for config in configs]
    names = dict.fromkeys(name for each in flat for name in each if name not in _OWN)
    parts = [environment.split(", ") for environment in environments]
    common = set(parts[0]).intersection(*parts[1:])
    rows = {
        **{name: [each.get(name) for each in flat] for name in names},
        "environment": [", ".join(part for part in each if part not in common) or None for each in parts],
    }
    return {name: values for name, values in rows.items() if any(value != values[0] for value in values)}


def _flatten(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted names and values; a class is the value under its own name, its arguments stand directly below."""
    if isinstance(value, dict):
        for key, part in value.items():
            own = key in ("class_path", "init_args") and "class_path" in value
            yield from _flatten(part, name if own else f"{name}.{key}".removeprefix("."))
    elif isinstance(value, list) and any(isinstance(part, dict) for part in value):
        for place, part in enumerate(value):
            yield from _flatten(part, f"{name}.{place}")
    else:
        yield name, value
