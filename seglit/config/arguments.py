"""What the arguments of a command line state, before the parser sees them. Loads neither torch nor the parser."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from seglit.config.bounded_yaml import load_yaml
from seglit.images.listing import is_file


def take_option(option: str, args: Sequence[str], *, is_switch: bool = False) -> tuple[str | None, list[str]]:
    """Returns the value of an option, None if it is not given, and the other arguments.

    A switch without a value is "true", another option without one "".
    """
    value, others = None, []
    remaining = list(args)
    while remaining:
        arg = remaining.pop(0)
        if arg == option:
            has_value = bool(remaining) and (not is_switch or remaining[0] in ("true", "false"))
            value = remaining.pop(0) if has_value else "true" if is_switch else ""
        elif arg.startswith(f"{option}="):
            value = arg.partition("=")[2]
        else:
            others.append(arg)
    return value, others


def option_values(args: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yields options and their values, which are not empty."""
    for option, following in pairwise([*args, ""]):
        name, equals, value = option.partition("=")
        if value := value if equals else following:
            yield name, value


def values_in_files(args: Sequence[str], key: str) -> Iterator[Any]:
    """Yields the values of a top-level key in the files of `-c`; what is invalid is left to the parser to report."""
    for option, value in option_values(args):
        if option in ("-c", "--config") and is_file(file := Path(value).expanduser()):
            with suppress(yaml.YAMLError, UnicodeDecodeError):
                loaded = load_yaml(file.read_text(encoding="utf-8"))
                if isinstance(loaded, dict) and key in loaded:
                    yield loaded[key]
