"""The comparison as an HTML page: the numbers, and pictures of the largest changes."""

from pathlib import Path

import numpy as np

from seglit.compare import words
from seglit.compare.pictures import GAINED, LOST, Changes, draw_changes
from seglit.compare.runs import Comparison
from seglit.drawing import numbers
from seglit.drawing.page import render
from seglit.errors import InputError

_MAX_IMAGES = 8


def write_page(path: Path, comparison: Comparison) -> str | None:
    """Writes the page: one self-contained HTML file that works offline.

    Returns:
        Why the page has no pictures; None if it has.
    """
    changes: Changes | None = None
    missing: str | None = None
    try:
        changes = draw_changes(comparison, _MAX_IMAGES)
    except InputError as error:  # the numbers require neither data nor checkpoints
        missing = f"no pictures: {error}"
    page = render(
        "compare/page.html",
        comparison=comparison,
        words=words,
        numbers=numbers,
        changes=changes,
        missing=missing,
        gained=GAINED,
        lost=LOST,
        widest=_widest(comparison),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return missing


def _widest(comparison: Comparison) -> float:
    """The largest absolute end of all intervals, which scales their plots."""
    intervals = [difference.intervals for difference in comparison.differences]
    ends = [[*interval.miou, *interval.iou.ravel()] for interval in intervals]
    return float(np.nanmax(np.abs(ends))) or 1.0
