"""Entry point of the command line: `seglit COMMAND`, or `python -m seglit COMMAND` next to your own modules."""

import importlib
import io
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from seglit.errors import InputError, RunError, did_you_mean, one_line, printable
from seglit.runs.noted_signal import NotedSignal

COMMANDS = {
    "fit": "train a network, then score the best checkpoint on the test split",
    "preview": "draw what augmentation makes of the training images",
    "validate": "score a checkpoint on the validation split",
    "test": "score a checkpoint, or an exported FILE, on the test split",
    "predict": "predict masks for images with a trained network",
    "export": "write a trained network to a file that needs no seglit",
    "serve": "predict masks of images that are sent over HTTP",
    "push": "upload an exported bundle to the Hugging Face Hub",
    "demo": "serve a page that predicts pictures, or write it to a folder",
    "report": "write an HTML report of a tested run",
    "compare": "show what differs between tested runs beyond chance",
    "inspect": "check a folder of images and masks, and write its configuration",
    "shapes": "write a folder of synthetic images and masks to try things out",
    "completion": "print the script that completes options in bash, zsh or fish",
}

FUNCTIONS = {
    "preview": ("seglit.preview.command", "preview"),
    "predict": ("seglit.predict.command", "predict"),
    "export": ("seglit.export.command", "export"),
    "push": ("seglit.export.command", "push"),
    "serve": ("seglit.serve.command", "serve"),
    "demo": ("seglit.demo.command", "demo"),
    "report": ("seglit.report.command", "report"),
    "compare": ("seglit.compare.command", "compare"),
    "inspect": ("seglit.inspect.command", "inspect"),
    "shapes": ("seglit.drawing.shapes", "write_folder"),
    "completion": ("seglit.completion.command", "completion"),
    "test FILE": ("seglit.export.scored_file", "score_file"),
}
"""Commands that are plain functions, by module and name; their signature defines the options."""

OPTIONS_OF_FIT = ("preview",)
"""Those of them that parse their options themselves, as `fit` does."""

COMMANDS = {  # a fork may delete rooms
    command: help_text
    for command, help_text in COMMANDS.items()
    if command not in FUNCTIONS or Path(__file__).with_name(FUNCTIONS[command][0].split(".")[1]).exists()
}


class _Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a command as Ctrl-C does."""


def main(args: list[str] | None = None) -> int:
    """Runs one command and returns its exit code.

    Returns:
        0 on success, 1 for findings or a failed run, 2 for bad input, 128 plus the number of a signal that ended it.
    """
    args = list(sys.argv[1:] if args is None else args)
    debug = "--debug" in args
    try:
        if not args or args[0] in ("-h", "--help"):
            print(_help())
            sys.stdout.flush()
        elif args[0] == "--version":
            from seglit import __version__

            print(f"seglit {__version__}")
        elif args[0] not in COMMANDS:
            raise InputError(f"unknown command {args[0]!r}{did_you_mean(args[0], COMMANDS)}")
        else:
            with _handling_signals(args[0]):
                return _run([arg for arg in args if arg != "--debug"])
    except BrokenPipeError:  # the reader of the output, such as `head`, has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python fails again on exit
    except KeyboardInterrupt as error:
        terminated = isinstance(error, _Terminated)
        print(f"seglit: {'terminated' if terminated else 'interrupted'}", file=sys.stderr)
        return 128 + (signal.SIGTERM if terminated else signal.SIGINT)
    except (InputError, RunError, MemoryError, OSError) as error:
        if debug or (isinstance(error, OSError) and error.errno is None):  # not one of the operating system
            raise
        print(f"seglit: error: {_message(error)}", file=sys.stderr)
        return 2 if isinstance(error, InputError | OSError) else 1
    return 0


def _message(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "out of memory"
    if isinstance(error, OSError) and isinstance(error.filename, str | bytes):
        return printable(f"{os.fsdecode(error.filename)}: {error.strerror}")
    return one_line(error)


@contextmanager
def _handling_signals(command: str) -> Iterator[None]:
    """Raises an exception on SIGTERM, so that unfinished files are removed; processes that are forked end at once.

    Notes SIGUSR1, by which SLURM announces a time limit, for the training that is about to start.
    """
    process = os.getpid()

    def terminate(signum: int, _: FrameType | None) -> None:
        if os.getpid() != process:
            os._exit(128 + signum)
        raise _Terminated

    before = {signal.SIGTERM: signal.signal(signal.SIGTERM, terminate)}
    if command == "fit" and sys.platform != "win32":
        before[signal.SIGUSR1] = signal.signal(signal.SIGUSR1, NotedSignal())
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def _run(args: list[str]) -> int:
    started = time.monotonic()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # like stderr: file names may be invalid Unicode
    # imported here and below, so that help and errors in the command name are instant
    from seglit.config.quiet import quiet_libraries

    if args[0] == "test" and _is_exported(*args[1:2]):
        args = [
            "test FILE",
            *(arg.removeprefix("--config=").removeprefix("-c=") for arg in args[1:] if arg not in ("-c", "--config")),
        ]
    if {"-h", "--help"} & {*args} and (args[0] not in FUNCTIONS or args[0] in OPTIONS_OF_FIT):
        from seglit.config.help_screen import help_screen

        print(help_screen(args[0]))
        return 0
    with quiet_libraries():
        return _call(args) if args[0] in FUNCTIONS else _train(args, started)


def _is_exported(name: str = "") -> bool:
    """Whether `test` is given an exported file, not a run folder, a checkpoint, a configuration or options."""
    path = Path(name).expanduser()
    return not name.startswith("-") and path.is_file() and path.suffix not in (".ckpt", ".yaml", ".yml")


def _call(args: list[str]) -> int:
    """Runs a command that is a function."""
    from seglit.config.functions import call

    module, name = FUNCTIONS[args[0]]
    function = getattr(importlib.import_module(module), name)
    return int((function(args[1:]) if args[0] in OPTIONS_OF_FIT else call(function, args[0], args[1:])) or 0)


def _train(args: list[str], started: float) -> int:
    """Runs `fit`, `validate` or `test`."""
    from seglit.config.quick_check import check_command_line
    from seglit.runs.named_run import resume_arguments, score_arguments

    args = score_arguments(["--help" if arg == "--help.all" else arg for arg in args])
    budgeted = any(arg.partition("=")[0] in ("--plan", "--minutes") for arg in args)
    check_command_line(args if budgeted else resume_arguments(args)[0])
    from seglit.hardware import find_device, keep_freed_memory

    if find_device() == "cpu":
        keep_freed_memory()
    if budgeted:
        from seglit.budget.command import fit

        fit(args, started)
    else:
        from seglit.cli import run

        run(args)
    return 0


def _help() -> str:
    width = max(map(len, COMMANDS))
    commands = "\n".join(f"  {name:<{width}}  {help_text}" for name, help_text in COMMANDS.items())
    return f"""usage: seglit COMMAND -c CONFIG.yaml [options]

From a folder of images and masks to a trained, scored segmentation network.

commands:
{commands}

`seglit COMMAND --help` lists its options; with --print_config, fit prints its
whole configuration. Errors are one line; --debug shows the traceback."""


if __name__ == "__main__":
    sys.exit(main())
