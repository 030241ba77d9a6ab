"""`seglit completion`: completes commands, options and their values in a shell."""

from argparse import ArgumentParser
from collections.abc import Callable
from importlib import import_module
from inspect import Parameter, signature
from typing import Any, Literal, get_args, get_origin

from seglit.__main__ import COMMANDS, FUNCTIONS, OPTIONS_OF_FIT
from seglit.config.named_configs import list_configs
from seglit.config.quick_check import all_settings
from seglit.errors import InputError

Shell = Literal["bash", "zsh", "fish"]
_FOLDERS = ("run", "runs", "root", "output", "report", "images", "masks", "init_from", "resume", "data.root")
"""Parameters and settings whose values are folders."""


def completion(shell: Shell) -> None:
    """Prints the script that completes `seglit` in a shell. Options of a data set or network are not all known to it.

    Args:
        shell: The shell: bash, zsh or fish.

    Raises:
        InputError: The package shtab is not installed.
    """
    try:
        import shtab
    except ImportError as error:
        raise InputError('shtab is not installed: pip install "seglit[completion]"') from error
    parser = ArgumentParser("seglit")
    commands = parser.add_subparsers()
    for command, help_text in COMMANDS.items():
        added = commands.add_parser(command, help=help_text)
        if command in FUNCTIONS and command not in OPTIONS_OF_FIT:
            module, name = FUNCTIONS[command]
            _add_parameters(added, getattr(import_module(module), name))
        else:
            _add_settings(added, command)
        for action in added._actions:
            is_folder = action.dest in _FOLDERS
            if action.choices is None and action.nargs != 0:
                setattr(action, "complete", shtab.DIRECTORY if is_folder else shtab.FILE)  # noqa: B010  # shtab's way
    print(shtab.complete(parser, shell))


def _add_settings(parser: ArgumentParser, command: str) -> None:
    """Adds the options of a training command."""
    if command in ("validate", "test"):
        parser.add_argument("run", nargs="?", help="run folder")
    if command == "preview":
        parser.add_argument("--output", help="picture to write")
    parser.add_argument("-c", "--config", help="configuration file")
    choices = {"--model": list_configs("model"), "--data.augment": list_configs("augment")}
    for option in (f"--{setting}" for setting in sorted(all_settings())):
        parser.add_argument(option, choices=choices.get(option))
    for option in ("--print_config", "--help.all", "--debug"):
        parser.add_argument(option, action="store_true")


def _add_parameters(parser: ArgumentParser, function: Callable[..., Any]) -> None:
    """Adds the options of a command that is a function."""
    for name, parameter in signature(function, eval_str=True).parameters.items():
        if parameter.annotation == list[str]:
            parser.add_argument(name, nargs="*")
        else:
            option = name if parameter.default is Parameter.empty else f"--{name}"
            parser.add_argument(option, choices=_choices(parameter.annotation))


def _choices(annotation: Any) -> list[str] | None:
    """The values of a `bool` or `Literal`, which may be in a union; None if there are others."""
    if annotation is bool:
        return ["true", "false"]
    for part in (annotation, *get_args(annotation)):
        if get_origin(part) is Literal:
            return list(get_args(part))
    return None
