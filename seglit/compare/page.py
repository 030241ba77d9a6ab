"""The comparison as an HTML page: the numbers, and pictures of the largest changes."""

from pathlib import Path

import numpy as np

from seglit.compare import words
from seglit.compare.pictures import Drawn, draw
from seglit.compare.runs import Comparison
from seglit.drawing import numbers
from seglit.drawing.charts import draw_runs
from seglit.drawing.distinct_colors import distinct_colors
from seglit.drawing.page import write_page
from seglit.errors import InputError
from seglit.evaluation.bootstrap import LEVEL_TEXT
from seglit.labels import Color, Labels
from seglit.runs.trusted import NotTrustedError

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
    except NotTrustedError:
        raise
    except InputError as error:  # the numbers require neither data nor checkpoints
        missing = f"no pictures: {error}"
    taken = [*(drawn.colors.values() if drawn else Labels.create(comparison.class_names).palette)]
    letters = [run.letter for run in comparison.runs]
    colors = dict(zip(letters, distinct_colors(len(letters), taken), strict=True))
    intervals = [change.interval for run in comparison.differences for change in (run.miou, *run.iou)]
    write_page(
        path,
        "compare/page.html",
        comparison=comparison,
        words=words,
        level=LEVEL_TEXT,
        numbers=numbers,
        groups=groups,
        drawn=drawn,
        titles=[
            {run.letter: f" {numbers.score(run.image_miou[index])}" for run in comparison.runs}
            for index in range(len(comparison.names))
        ],
        missing=missing,
        run_colors=colors,
        curves=_curves(comparison, colors),
        widest=float(np.nan_to_num(np.abs(intervals)).max()) or 1.0,  # scales the plots of the intervals
    )
    return missing


def _curves(comparison: Comparison, colors: dict[str, Color]) -> list[str]:
    """One chart for each loss and score of the whole validation, with a curve for each run."""
    curves = {run.letter: run.tested.curves for run in comparison.runs}
    logged = dict.fromkeys(name for of_run in curves.values() for name in of_run)
    names = [name for name in logged if name == "train/loss" or (name.startswith("val/") and name.count("/") == 1)]
    return [
        draw_runs(name, {letter: of_run[name] for letter, of_run in curves.items() if name in of_run}, colors)
        for name in sorted(names, key=lambda name: (not name.endswith("loss"), name != "val/miou", name))
    ]
