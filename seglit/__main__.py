"""The entry of the command line: `seglit COMMAND`, or `python -m seglit COMMAND` with one's own files beside it."""

import difflib
import importlib
import io
import itertools
import os
import sys
from collections.abc import Callable
from typing import Any

COMMANDS = {
    "fit": "train a network, then score the best checkpoint on the test split",
    "validate": "score a checkpoint on the validation split",
    "test": "score a checkpoint on the test split",
    "predict": "write the masks of images with a trained network",
    "report": "write a page about a run that was tested: scores, curves, pictures, likely label errors",
    "compare": "say what changed between tested runs, and whether it is more than chance",
    "inspect": "say what a folder of images and masks holds and what is wrong, and write its configuration",
    "shapes": "write a folder of made-up images and masks, to try things on",
}

FUNCTIONS = {
    "predict": ("seglit.inference.command", "predict"),
    "report": ("seglit.report.command", "report"),
    "compare": ("seglit.compare.command", "compare"),
    "inspect": ("seglit.inspect.command", "inspect"),
    "shapes": ("seglit.data.synthetic", "write_folder"),
}
"""The commands that are plain functions, by module and name: the signature is the command line. The others train."""


def main(args: list[str] | None = None) -> int:
    """Runs one command and returns its exit code: 0 done, 1 for findings, 2 for input that has to be put right."""
    args = list(sys.argv[1:] if args is None else args)
    if not args or args[0] in ("-h", "--help"):
        print(_help())
        return 0
    if args[0] == "--version":
        from seglit import __version__

        print(f"seglit {__version__}")
        return 0
    if args[0] not in COMMANDS:
        near = difflib.get_close_matches(args[0], COMMANDS, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(COMMANDS)}"
        print(f"seglit: error: no command {args[0]!r}; {hint}", file=sys.stderr)
        return 2
    debug = "--debug" in args
    return _run([arg for arg in args if arg != "--debug"], debug)


def _run(args: list[str], debug: bool) -> int:
    # imported here, so that help and a mistyped command answer at once
    import logging
    import warnings

    from seglit.errors import InputError, one_line

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as stderr is: names of files need be no Unicode
    # what Lightning advertises at every start
    lightning = logging.getLogger("pytorch_lightning.utilities.rank_zero")
    lightning.addFilter(lambda record: "litlogger" not in record.getMessage())
    warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric|torch|jsonargparse")
    try:
        if args[0] in FUNCTIONS:
            module, name = FUNCTIONS[args[0]]
            return int(_call(getattr(importlib.import_module(module), name), args[0], args[1:]) or 0)
        from seglit.cli import run

        run(args)
    except BrokenPipeError:  # whoever reads the output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python fails again at its exit
        return 0
    except InputError as error:
        if debug:
            raise
        print(f"seglit: error: {one_line(error)}", file=sys.stderr)
        return 2
    return 0


def _gather(args: list[str], function: Callable[..., Any]) -> tuple[list[str], dict[str, list[str]]]:
    """Tells what is for the parser from the last argument that has no name, where that is a list.

    The parser would take that as one text of YAML, in which some names of files mean something else, or nothing.
    """
    import inspect

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


def _call(function: Callable[..., Any], command: str, args: list[str]) -> Any:
    """Calls a plain function with the command line's arguments: its signature is the command line."""
    import inspect
    from argparse import ArgumentError

    from jsonargparse import auto_cli

    from seglit.errors import InputError
    from seglit.explain import explain

    parameters = inspect.signature(function).parameters
    switches = {f"--{name}" for name, parameter in parameters.items() if parameter.annotation is bool}
    args, lists = _gather(_switch_on(args, switches), function)
    options: dict[str, Any] = {"prog": f"seglit {command}", "exit_on_error": False, "allow_abbrev": False}
    try:
        return auto_cli(function, args=args, set_defaults=lists or None, **options)
    except ArgumentError as error:
        raise InputError(explain(error, args, parameters)) from error


def _help() -> str:
    width = max(map(len, COMMANDS))
    commands = "\n".join(f"  {name:<{width}}  {meaning}" for name, meaning in COMMANDS.items())
    return f"""usage: seglit COMMAND -c CONFIG.yaml [options]

From a folder of images and masks to a trained, scored semantic segmentation network.

commands:
{commands}

`seglit COMMAND --help` lists its options; `seglit COMMAND -c CONFIG.yaml --print_config` shows the whole
configuration. An error is one line; `--debug` shows the traceback."""


if __name__ == "__main__":
    sys.exit(main())
