"""Runs plain functions as commands: the signature defines the options, the docstring the help."""

import itertools
from argparse import ArgumentError
from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from typing import Any

import yaml
from jsonargparse import ArgumentParser, auto_cli, get_loader, set_loader

from seglit.config.bounded_yaml import check_bounds
from seglit.config.explain import explain
from seglit.errors import InputError

_load = get_loader("yaml")


def call(function: Callable[..., Any], command: str, args: list[str]) -> Any:
    """Calls a plain function with command-line arguments that are parsed according to its signature.

    Raises:
        InputError: The arguments do not match the signature, or the function raises it.
    """
    parameters = signature(function).parameters
    switches = {f"--{name}" for name, parameter in parameters.items() if parameter.annotation is bool}
    args, lists = _gather(_expand_switches(args, switches), parameters)
    options: dict[str, Any] = {"prog": f"seglit {command}", "exit_on_error": False, "allow_abbrev": False}
    set_loader("yaml", _load_bounded, (yaml.YAMLError,))
    try:
        return auto_cli(function, args=args, set_defaults=lists or None, parser_class=_Parser, **options)
    except ArgumentError as error:
        raise InputError(explain(error, args, parameters)) from error
    except UnicodeDecodeError as error:
        if not any(arg.partition("=")[0] == "--config" for arg in args):
            raise
        raise InputError(f"--config: the file is not text in UTF-8 ({error.reason})") from error


class _Parser(ArgumentParser):
    def format_help(self, *args: Any, **kwargs: Any) -> str:
        """Names a list of positional arguments as usage lines do, not as YAML is written."""
        for action in self._get_positional_actions():
            if action.metavar == "[ITEM,...]":
                action.metavar = f"{action.dest} ..."
        text: str = super().format_help(*args, **kwargs)
        return text


def _load_bounded(text: str) -> Any:
    check_bounds(text)
    return _load(text)


def _gather(args: list[str], parameters: Mapping[str, Parameter]) -> tuple[list[str], dict[str, list[str]]]:
    """Separates the values of the last positional parameter, if that is a list, from the parser's arguments.

    The parser would read each value as YAML, in which some file names mean something else, or nothing.
    """
    required = [parameter for parameter in parameters.values() if parameter.default is parameter.empty]
    if required[-1].annotation != list[str]:
        return args, {}
    with_value = {"--config", *(f"--{name}" for name, param in parameters.items() if param.annotation is not bool)}
    options: list[str] = []
    positional: list[str] = []
    remaining = iter(args)
    for arg in remaining:
        if arg.startswith("-"):
            options += [arg, *itertools.islice(remaining, 1 if arg in with_value else 0)]
        else:
            positional.append(arg)
    first, values = positional[: len(required) - 1], positional[len(required) - 1 :]
    return [*first, *options], {required[-1].name: values} if values else {}


def _expand_switches(args: list[str], switches: set[str]) -> list[str]:
    """Writes `--overlays`, and `--overlays false`, in the form that the parser requires: `--overlays=true`."""
    expanded: list[str] = []
    for arg in args:
        if arg in ("true", "false") and expanded and expanded[-1] in switches:
            expanded[-1] += f"={arg}"
        else:
            expanded.append(arg)
    return [f"{arg}=true" if arg in switches else arg for arg in expanded]
