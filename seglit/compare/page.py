"""The comparison as an HTML page: the numbers, and pictures of the largest changes."""

from pathlib import Path

import numpy as np

from seglit.compare import words
from seglit.compare.pictures import GAINED, LOST, Drawn, draw
from seglit.compare.runs import Comparison
from seglit.drawing import numbers
from seglit.drawing.page import write_page
from seglit.errors import InputError

_MAX_IMAGES = 8


def write_comparison(path: Path, comparison: Comparison) -> str | None:
    """Writes the page.

    Returns:
        Why the page has no pictures; None if it has.
    """
    groups = comparison.changed_images(_MAX_IMAGES)
    drawn: Drawn | None = None
    missing: str | None = None
    try:
        drawn = draw(comparison, [index for indices in groups.values() for index in indices])
    except InputError as error:  # the numbers require neither data nor checkpoints
        missing = f"no pictures: {error}"
    intervals = [change.interval for run in comparison.differences for change in (run.miou, *run.iou)]
    write_page(
        path,
        "compare/page.html",
        comparison=comparison,
        words=words,
        numbers=numbers,
        groups=groups,
        drawn=drawn,
        missing=missing,
        gained=GAINED,
        lost=LOST,
        widest=float(np.nanmax(np.abs(intervals))) or 1.0,  # scales the plots of the intervals
    )
    return missing
