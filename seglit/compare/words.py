"""Notes, labels and values of a comparison as text, for the terminal and the page."""

from json import dumps
from typing import Any

import numpy as np

from seglit.compare.runs import MIN_UNITS, Comparison
from seglit.errors import printable
from seglit.evaluation.bootstrap import LEVEL, LEVEL_TEXT, RESAMPLES
from seglit.evaluation.groups import FEW_UNITS, MEANING, Units

MARKS = {1: " ▲", -1: " ▼", 0: "  "}
MARKS_MEAN = "▲ ▼: higher, lower than in A"
OWN_METRICS = "over each run's whole test split, including images that other runs lack"
VERDICTS = {1: "higher", -1: "lower", 0: "no difference shown"}


def notes(comparison: Comparison) -> list[str]:
    """Explains what the numbers cover and what they do not."""
    count, units = len(comparison.names), Units.of(comparison.groups)
    coverage = (
        f"{count:,} test images, the same for all runs. {LEVEL_TEXT}: where the value would probably lie with other "
        f"test images of the same kind (paired bootstrap over {units.kind}, {RESAMPLES:,} resamples). A difference is "
        f"marked higher or lower if its interval excludes 0 and at least {MIN_UNITS} {units.kind} contain the class."
    )
    limits = (
        "Intervals do not cover what another random seed of the training would change. Those of classes are not "
        f"corrected for multiple comparisons: of 20 classes without a difference, about {20 * (1 - LEVEL):.0f} is "
        "marked."
    )
    lines = [coverage, limits]
    if units.kind == "groups":
        lines.append(f"The images are {units}, which vary as a whole: {MEANING}.")
    if units.number < MIN_UNITS:
        lines.append(f"Too few to show any difference: {units}.")
    elif units.number < FEW_UNITS:
        lines.append(f"{units} are few: intervals are too narrow, and mark up to twice as many chance differences.")
    lines += [
        f"left out: {_counted(run.left_out)} of {run.letter}, missing in another run or with a name that is not unique"
        for run in comparison.runs
        if run.left_out
    ]
    if comparison.masks_differ:
        lines.append(f"left out: {_counted(comparison.masks_differ)} whose masks differ between the runs")
    return lines


def images_text(comparison: Comparison) -> str:
    """States how many images changed."""
    changes = comparison.image_changes
    equal = int(np.sum(changes == 0))
    if not comparison.is_pair:
        return f"{len(changes) - equal:,} of {len(changes):,} images differ between the runs"
    return f"{np.sum(changes > 0):,} images higher in B, {np.sum(changes < 0):,} lower, {equal:,} the same"


def setting(value: Any) -> str:
    """A setting's value as in YAML."""
    return "" if value is None else value if isinstance(value, str) else dumps(value, ensure_ascii=False)


def _counted(names: list[str]) -> str:
    listed = ", ".join(map(printable, names[:3])) + (", ..." if len(names) > 3 else "")
    return f"{len(names):,} image{'s' if len(names) > 1 else ''} ({listed})"
