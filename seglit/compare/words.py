"""What the numbers of a comparison are of, and how they are written."""

from json import dumps
from typing import Any

import numpy as np

from seglit.compare.runs import FEW, LEAST, Comparison
from seglit.evaluation.bootstrap import LEVEL, RESAMPLES

INTERVAL = f"{100 * LEVEL:g} %"
MARKS = {1: " ▲", -1: " ▼", 0: "  "}
MARKS_MEAN = "▲ ▼: higher, lower than in A"
OWN_METRICS = "over each run's whole test split, whatever images the other runs have"
_VERDICTS = {1: "higher", -1: "lower", 0: "no difference shown"}


def notes(comparison: Comparison) -> list[str]:
    """What the numbers are of, and what they do not say."""
    count = len(comparison.names)
    means = (
        f"{count:,} test images, the same in every run. {INTERVAL}: percentiles of {RESAMPLES:,} resamples of them, "
        f"each drawn once for all runs (paired bootstrap). A difference is called higher or lower where its interval "
        f"leaves out 0 and {LEAST} images or more have the class."
    )
    limits = (
        "An interval says what other images would change, not what another seed of the training would. Those of "
        "classes are not corrected for their number: of 20 without a difference, about "
        f"{20 * (1 - LEVEL):.0f} is marked."
    )
    lines = [means, limits]
    if count < LEAST:
        lines.append(f"{count} images are too few to show any difference.")
    elif count < FEW:
        lines.append(f"{count} images are few: the intervals are too narrow, and mark up to twice as many differences.")
    lines += [
        f"left out: {_counted(side.left_out)} of {side.letter}, in no other run under a name of its own"
        for side in comparison.sides
        if side.left_out
    ]
    if comparison.masks_differ:
        lines.append(f"left out: {_counted(comparison.masks_differ)} whose masks differ between the runs")
    return lines


def images_text(comparison: Comparison) -> str:
    """How many images changed, in words."""
    changes = comparison.image_changes
    equal = int(np.sum(changes == 0))
    if not comparison.is_pair:
        return f"{len(changes) - equal:,} of {len(changes):,} images differ between the runs"
    return f"{np.sum(changes > 0):,} images higher in B, {np.sum(changes < 0):,} lower, {equal:,} the same"


def verdict(sign: int) -> str:
    """What a difference comes to."""
    return _VERDICTS[sign]


def setting(value: Any) -> str:
    """A setting's value, as YAML would take it."""
    return "" if value is None else value if isinstance(value, str) else dumps(value, ensure_ascii=False)


def _counted(names: list[str]) -> str:
    listed = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return f"{len(names):,} image{'s' if len(names) > 1 else ''} ({listed})"
