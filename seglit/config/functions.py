"""Commands that are plain functions: the signature is the command line, the docstring the help."""

import inspect
import itertools
from argparse import ArgumentError
from collections.abc import Callable
from typing import Any

from jsonargparse import auto_cli

from seglit.config.explain import explain
from seglit.errors import InputError


def call(function: Callable[..., Any], command: str, args: list[str]) -> Any:
    """Calls a plain function with the command line's arguments: its signature is the command line.

    Raises:
        InputError: The arguments do not fit; and what the function raises.
    """
    parameters = inspect.signature(function).parameters
    switches = {f"--{name}" for name, parameter in parameters.items() if parameter.annotation is bool}
    args, lists = _gather(_switch_on(args, switches), function)
    options: dict[str, Any] = {"prog": f"seglit {command}", "exit_on_error": False, "allow_abbrev": False}
    try:
        return auto_cli(function, args=args, set_defaults=lists or None, **options)
    except ArgumentError as error:
        raise InputError(explain(error, args, parameters)) from error


def _gather(args: list[str], function: Callable[..., Any]) -> tuple[list[str], dict[str, list[str]]]:
    """Tells what is for the parser from the last argument that has no name, where that is a list.

    The parser would take that as one text of YAML, in which some names of files mean something else, or nothing.
    """
    parameters = inspect.signature(function).parameters
    required = [each for each in parameters.values() if each.default is each.empty]
    if required[-1].annotation != list[str]:
        return args, {}
    takes_value = {"--config", *(f"--{name}" for name, each in parameters.items() if each.annotation is not bool)}
    named: list[str] = []
    plain: list[str] = []
    rest = iter(args)
    for arg in rest:
        if arg.startswith("-"):
            named += [arg, *itertools.islice(rest, 1 if arg in takes_value else 0)]
        else:
            plain.append(arg)
    single, several = plain[: len(required) - 1], plain[len(required) - 1 :]
    return [*single, *named], {required[-1].name: several} if several else {}


def _switch_on(args: list[str], switches: set[str]) -> list[str]:
    """Writes `--overlays`, and `--overlays false`, as the parser wants them: `--overlays=true`."""
    spelt: list[str] = []
    rest = iter([*args, None])
    arg = next(rest)
    while arg is not None:
        following = next(rest)
        if arg not in switches:
            spelt.append(arg)
        elif following in ("true", "false"):
            spelt.append(f"{arg}={following}")
            following = next(rest)
        else:
            spelt.append(f"{arg}=true")
        arg = following
    return spelt
