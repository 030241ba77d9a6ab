"""The entry of the command line: `seglit COMMAND`, or `python -m seglit COMMAND` with one's own files beside it."""

import difflib
import io
import os
import sys
from collections.abc import Callable
from typing import Any

COMMANDS = {
    "fit": "train a network, then score the best checkpoint on the test split",
    "validate": "score a checkpoint on the validation split",
    "test": "score a checkpoint on the test split",
    "predict": "write the masks of images with a trained network",
    "inspect": "say what a folder of images and masks holds and what is wrong, and write its configuration",
    "shapes": "write a folder of made-up images and masks, to try things on",
}


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
    # Threads of a CPU sleep while they wait: spinning, they would take the cores from the processes that read images.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
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
        if args[0] == "inspect":
            return _inspect(args[1:])
        if args[0] == "predict":
            return _predict(args[1:])
        if args[0] == "shapes":
            _write_shapes(args[1:])
        else:
            from seglit.cli import run

            run(args)
    except InputError as error:
        if debug:
            raise
        print(f"seglit: error: {one_line(error)}", file=sys.stderr)
        return 2
    return 0


def _inspect(args: list[str]) -> int:
    from seglit.inspect.command import inspect

    return int(_call(inspect, "inspect", args))


def _predict(args: list[str]) -> int:
    from seglit.inference.command import predict

    return int(_call(predict, "predict", *_gather(args, predict)))


def _write_shapes(args: list[str]) -> None:
    from seglit.data.synthetic import write_folder

    _call(write_folder, "shapes", args)


def _gather(args: list[str], function: Callable[..., Any]) -> tuple[list[str], dict[str, list[str]]]:
    """Tells what is for the parser from the last argument that has no name, a list.

    The parser would take that as one text of YAML, in which some names of files mean something else, or nothing.
    """
    import inspect

    parameters = inspect.signature(function).parameters
    required = [name for name, parameter in parameters.items() if parameter.default is parameter.empty]
    named: list[str] = []
    plain: list[str] = []
    rest = iter(args)
    for arg in rest:
        if not arg.startswith("-"):
            plain.append(arg)
            continue
        named.append(arg)
        parameter = parameters.get(arg[2:])
        if parameter is not None and parameter.annotation is not bool:
            named += [value for value in [next(rest, None)] if value is not None]
    single, several = plain[: len(required) - 1], plain[len(required) - 1 :]
    return [*single, *named], {required[-1]: several} if several else {}


def _call(
    function: Callable[..., Any], command: str, args: list[str], lists: dict[str, list[str]] | None = None
) -> Any:
    """Calls a plain function with the command line's arguments: its signature is the command line."""
    import inspect
    from argparse import ArgumentError

    from jsonargparse import auto_cli

    from seglit.errors import InputError
    from seglit.explain import explain

    parameters = inspect.signature(function).parameters
    switches = {f"--{name}" for name, parameter in parameters.items() if parameter.annotation is bool}
    args = [f"{arg}=true" if arg in switches else arg for arg in args]
    options: dict[str, Any] = {"prog": f"seglit {command}", "exit_on_error": False, "allow_abbrev": False}
    try:
        return auto_cli(function, args=args, set_defaults=lists, **options)
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
