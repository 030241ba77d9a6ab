"""The entry of the command line: `seglit COMMAND`, or `python -m seglit COMMAND` with one's own files beside it."""

import importlib
import io
import os
import sys

from seglit.errors import InputError, did_you_mean, one_line

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
    "predict": ("seglit.predict.command", "predict"),
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
        print(f"seglit: error: no command {args[0]!r}{did_you_mean(args[0], COMMANDS)}", file=sys.stderr)
        return 2
    debug = "--debug" in args
    return _run([arg for arg in args if arg != "--debug"], debug)


def _run(args: list[str], debug: bool) -> int:
    # imported here, so that help and a mistyped command answer at once
    import logging
    import warnings

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as stderr is: names of files need be no Unicode
    # what Lightning advertises at every start
    lightning = logging.getLogger("pytorch_lightning.utilities.rank_zero")
    lightning.addFilter(lambda record: "litlogger" not in record.getMessage())
    warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric|torch|jsonargparse|PIL")
    try:
        if args[0] in FUNCTIONS:
            from seglit.config.functions import call

            module, name = FUNCTIONS[args[0]]
            return int(call(getattr(importlib.import_module(module), name), args[0], args[1:]) or 0)
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
