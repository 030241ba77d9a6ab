"""YAML whose size in memory is bounded by the size of its file.

An alias repeats a value: nine aliases in each of nine lines make 400 million values of a file of one kilobyte.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import yaml

try:  # some builds of PyYAML are without the parser in C, which is eight times as fast
    from yaml import CSafeLoader as SafeLoader
except ImportError:
    from yaml import SafeLoader  # type: ignore[assignment]

_REFUSED = (yaml.YAMLError, UnicodeError)
"""Errors of the parser in C, after which the parser in Python reads again: its messages say more, and it reads escaped
names of files that are not valid Unicode."""
MAX_REPEATED = 100_000
"""Values that the aliases of a file may add to those that are written in it."""
MAX_DEPTH = 100
"""Levels of lists and mappings within each other, of which parsers in C overflow the stack."""


def load_yaml(text: str) -> Any:
    """Loads YAML as plain data.

    Raises:
        yaml.YAMLError: It is not valid YAML, or exceeds the bounds.
    """
    check_bounds(text)
    try:
        return yaml.load(text, _Loader)  # noqa: S506 (a SafeLoader)
    except _REFUSED:
        return yaml.load(text, _PythonLoader)  # noqa: S506 (likewise)


def check_bounds(text: str) -> None:
    """Checks YAML before it is loaded, in time proportional to its length.

    Raises:
        yaml.YAMLError: It is not valid YAML, its aliases repeat too much, or it is nested too deeply.
    """
    try:
        _check_events(yaml.parse(text, SafeLoader))
    except _REFUSED:
        _check_events(yaml.parse(text, yaml.SafeLoader))


def _check_events(events: Iterator[Any]) -> None:
    anchored: dict[str | None, tuple[int, int]] = {}  # number of values, and levels
    open_values = [_Value(None)]
    repeated = 0
    for event in events:
        if isinstance(event, yaml.CollectionStartEvent):
            open_values.append(_Value(event.anchor))
            anchored[event.anchor] = MAX_REPEATED, 0  # until it is closed: an alias in it would repeat it for ever
        elif isinstance(event, yaml.NodeEvent | yaml.CollectionEndEvent):
            value = open_values.pop() if isinstance(event, yaml.CollectionEndEvent) else _Value(event.anchor)
            size, levels = value.size, value.levels
            if isinstance(event, yaml.AliasEvent):
                size, levels = anchored.get(event.anchor, (0, 0))  # the loader reports an unknown one
                repeated += size
            elif value.anchor is not None:
                anchored[value.anchor] = size, levels
            open_values[-1].size += size
            open_values[-1].levels = max(open_values[-1].levels, levels + 1)
        if repeated >= MAX_REPEATED:
            raise yaml.MarkedYAMLError(problem="its aliases repeat too many values", problem_mark=event.start_mark)
        if len(open_values) + open_values[-1].levels > MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=event.start_mark)


class _PlainDates:
    """Leaves dates as they are written, as the command line does."""

    yaml_implicit_resolvers: ClassVar = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


class _Loader(_PlainDates, SafeLoader): ...


class _PythonLoader(_PlainDates, yaml.SafeLoader): ...


@dataclass
class _Value:
    anchor: str | None
    size: int = 1
    levels: int = 0
