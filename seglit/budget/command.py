"""The options of `fit` that measure before it trains: `--plan` and `--minutes`."""

import os
import re
from collections.abc import Sequence

from seglit.budget.minutes import INHERITED, within_minutes
from seglit.budget.show_plan import show_plan
from seglit.cli import SegmentationCLI, run
from seglit.config.arguments import take_option
from seglit.errors import InputError


def fit(args: Sequence[str], started: float) -> SegmentationCLI | None:
    """Runs `fit`, which may have `--plan` or `--minutes`.

    Args:
        args: The command line, from `fit` on.
        started: `time.monotonic()` when the command started.

    Returns:
        The command line that has run; None of a plan.

    Raises:
        InputError: The command line or the data is invalid, or the time is too short.
        RunError: The run failed.
    """
    plan, args = take_option("--plan", args, is_switch=True)
    minutes, args = take_option("--minutes", args)
    if plan not in (None, "true", "false"):
        raise InputError(f"--plan is {plan!r}; expected true or false")
    if args[0] != "fit":
        raise InputError(f"{'--plan' if plan else '--minutes'} is an option of fit")
    if any(re.fullmatch(r"-h|--([\w.]+\.)?help|--print_config", arg.partition("=")[0]) for arg in args):
        run(args)  # prints and exits
    if minutes is not None:
        args = within_minutes(args, _number(minutes), started)
    try:
        if plan == "true":
            show_plan(args)
            return None
        return run(args)
    finally:
        os.environ.pop(INHERITED, None)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise InputError(f"--minutes is {text!r}, not a number of minutes, such as 30") from error
