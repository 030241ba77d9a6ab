"""The comparison as tables for the terminal, and as plain data for JSON."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from seglit.compare.runs import Comparison
from seglit.compare.words import INTERVAL, MARKS, MARKS_MEAN, OWN_METRICS, VERDICTS, images_text, notes, setting
from seglit.drawing.numbers import change, change_interval, interval, score

_MAX_CLASSES = 40
_MAX_IMAGES = 5
_STYLES = {1: "green", -1: "red", 0: ""}


def print_comparison(console: Console, comparison: Comparison) -> None:
    """Prints all tables and notes, most important first."""
    for run in comparison.runs:
        console.print(f"[bold]{run.letter}[/]  {escape(run.tested.name)}", highlight=False)
    _print(console, _runs_table(comparison))
    for note in notes(comparison):
        console.print(note, highlight=False, markup=False, soft_wrap=True)
    _print(console, _class_table(comparison))
    if (more := len(comparison.class_names) - _MAX_CLASSES) > 0:
        console.print(f"... and {more} classes that changed less (--json lists all)", highlight=False)
    if comparison.own_metrics:
        _print(console, _own_table(comparison))
    _print(console, _image_table(comparison))
    console.print(images_text(comparison), highlight=False)
    if comparison.settings:
        _print(console, _settings_table(comparison))
    else:
        console.print("settings and environment are the same", highlight=False)


def as_plain(comparison: Comparison) -> dict[str, Any]:
    """Returns everything as plain data, for --json."""
    return {
        "images_compared": len(comparison.names),
        "notes": notes(comparison),
        "runs": [
            {
                "letter": run.letter,
                "folder": str(run.tested.folder),
                "environment": run.tested.environment,
                "miou": run.miou,
                "miou_interval": list(map(float, run.intervals.miou)),
                "difference": _plain_difference(difference.miou, difference.intervals.miou, difference.sign)
                if difference
                else None,
            }
            for run, difference in zip(comparison.runs, [None, *comparison.differences], strict=True)
        ],
        "classes": {name: _plain_class(comparison, index) for index, name in enumerate(comparison.class_names)},
        "images": [
            {
                "name": comparison.names[index],
                "miou": [float(run.image_miou[index]) for run in comparison.runs],
                "change": float(comparison.image_changes[index]),
            }
            for index in np.argsort(-np.abs(comparison.image_changes), kind="stable")
        ],
        "metrics": comparison.own_metrics,
        "settings": comparison.settings,
        "left_out": {
            **{run.letter: run.left_out for run in comparison.runs},
            "masks_differ": comparison.masks_differ,
        },
    }


def _plain_class(comparison: Comparison, index: int) -> dict[str, Any]:
    return {
        "iou": [float(run.iou[index]) for run in comparison.runs],
        "differences": [
            _plain_difference(difference.iou[index], difference.intervals.iou[:, index], difference.signs[index])
            for difference in comparison.differences
        ],
    }


def _plain_difference(value: float, ends: Sequence[float] | Any, sign: int) -> dict[str, Any]:
    return {"value": float(value), "interval": list(map(float, ends)), "verdict": VERDICTS[sign]}


def _print(console: Console, table: Table) -> None:
    console.print()
    console.print(table)


def _runs_table(comparison: Comparison) -> Table:
    table = Table("run", "mIoU", INTERVAL, "difference to A", INTERVAL, "")
    _align_right(table, 1, 5)
    for run, difference in zip(comparison.runs, [None, *comparison.differences], strict=True):
        row = [run.letter, score(run.miou), interval(*run.intervals.miou)]
        if difference:
            row += _change_cells(difference.miou, difference.intervals.miou, difference.sign, VERDICTS[0])
        table.add_row(*row)
    return table


def _class_table(comparison: Comparison) -> Table:
    letters = [run.letter for run in comparison.runs]
    extra = ["B - A", INTERVAL, ""] if comparison.is_pair else []
    table = Table("class", *letters, *extra)
    _align_right(table, 1, len(letters) + 3)
    if not comparison.is_pair:
        table.caption, table.caption_justify = f"bold: the best; {MARKS_MEAN}", "left"
    for index in comparison.classes_by_change[:_MAX_CLASSES]:
        name = escape(comparison.class_names[index])
        if comparison.is_pair:
            scores = [score(run.iou[index]) for run in comparison.runs]
            (diff,) = comparison.differences
            changes = _change_cells(diff.iou[index], diff.intervals.iou[:, index], diff.signs[index])
            table.add_row(name, *scores, *changes)
        else:
            table.add_row(name, *_marked_scores(comparison, index))
    return table


def _change_cells(value: float, ends: Sequence[float] | Any, sign: int, unmarked: str = "") -> list[str]:
    """Difference, interval and verdict, coloured by the sign; `unmarked` is the verdict if the sign is 0."""
    cells = [change(value), change_interval(*ends), VERDICTS[sign] if sign else unmarked]
    return [f"[{_STYLES[sign]}]{cell}[/]" if sign else cell for cell in cells]


def _marked_scores(comparison: Comparison, index: int) -> list[str]:
    """A class's IoU in each run, the best in bold, with a mark if it differs from the first run's."""
    values = [run.iou[index] for run in comparison.runs]
    signs = [0, *(difference.signs[index] for difference in comparison.differences)]
    best = np.nanmax([*values, -1.0])
    return [
        f"{'[bold]' if value == best else '[default]'}{score(value)}[/]{MARKS[sign]}"
        for value, sign in zip(values, signs, strict=True)
    ]


def _image_table(comparison: Comparison) -> Table:
    letters = [run.letter for run in comparison.runs]
    table = Table("image", *letters, "B - A" if comparison.is_pair else "range")
    _align_right(table, 1, len(letters) + 2)
    formatted = change if comparison.is_pair else score
    for indices in comparison.changed_images(_MAX_IMAGES).values():
        for index in indices:
            scores = [score(run.image_miou[index]) for run in comparison.runs]
            table.add_row(escape(comparison.names[index]), *scores, formatted(comparison.image_changes[index]))
        table.add_section()
    return table


def _own_table(comparison: Comparison) -> Table:
    letters = [run.letter for run in comparison.runs]
    table = Table("own metric", *letters, caption=OWN_METRICS, caption_justify="left")
    _align_right(table, 1, len(letters) + 1)
    for name, values in comparison.own_metrics.items():
        table.add_row(escape(name), *(score(math.nan if value is None else value) for value in values))
    return table


def _settings_table(comparison: Comparison) -> Table:
    table = Table("setting", *(run.letter for run in comparison.runs))
    for column in table.columns:
        column.overflow = "fold"
    for name, values in comparison.settings.items():
        table.add_row(name, *(escape(setting(value)) for value in values))
    return table


def _align_right(table: Table, start: int, stop: int) -> None:
    for column in table.columns[start:stop]:
        column.justify = "right"
