"""The comparison as a page: the numbers, and the largest changes in pictures."""

from pathlib import Path

import numpy as np

from seglit.compare import words
from seglit.compare.pictures import GAINED, LOST, Changes, draw_changes
from seglit.compare.runs import Comparison
from seglit.drawing import numbers
from seglit.drawing.page import render
from seglit.errors import InputError

_MOST_IMAGES = 8


def write_page(path: Path, comparison: Comparison) -> str | None:
    """Writes the page: one file that needs no other and no network.

    Returns:
        Why there are no pictures; None where there are.
    """
    changes, missing = _try_to_draw(comparison)
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


def _try_to_draw(comparison: Comparison) -> tuple[Changes | None, str | None]:
    """The pictures, or why there are none: the numbers do not need the data or the checkpoints."""
    try:
        return draw_changes(comparison, _MOST_IMAGES), None
    except InputError as error:
        return None, f"no pictures: {error}"


def _widest(comparison: Comparison) -> float:
    """The end of any interval that is farthest from 0, which the plots of intervals reach to."""
    ends = [[*each.intervals.miou, *each.intervals.iou.ravel()] for each in comparison.differences]
    return float(np.nanmax(np.abs(ends))) or 1.0
