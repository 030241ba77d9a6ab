"""The comparison as tables for the terminal, and as plain data for JSON."""

from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Column, Table

from seglit.compare.runs import Change, Comparison
from seglit.compare.words import MARKS, MARKS_MEAN, OWN_METRICS, VERDICTS, images_text, notes, setting
from seglit.drawing import numbers
from seglit.drawing.terminal import escaped
from seglit.evaluation.bootstrap import LEVEL_TEXT

_MAX_CLASSES = 40
_MAX_IMAGES = 5
_STYLES = {1: "green", -1: "red"}


def print_comparison(console: Console, comparison: Comparison) -> None:
    """Prints all tables and notes, most important first."""
    for run in comparison.runs:
        console.print(f"[bold]{run.letter}[/]  {escaped(run.tested.name)}", highlight=False)
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
                "miou_interval": run.intervals.miou,
                "difference": _plain_change(difference.miou) if difference else None,
            }
            for run, difference in zip(comparison.runs, [None, *comparison.differences], strict=True)
        ],
        "classes": {
            name: {
                "iou": [float(run.iou[index]) for run in comparison.runs],
                "differences": [_plain_change(difference.iou[index]) for difference in comparison.differences],
            }
            for index, name in enumerate(comparison.class_names)
        },
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


def _plain_change(change: Change) -> dict[str, Any]:
    return {"value": change.value, "interval": change.interval, "verdict": VERDICTS[change.sign]}


def _print(console: Console, table: Table) -> None:
    console.print()
    console.print(table)


def _table(first: str, *headers: str) -> Table:
    """A table without rows: a column of names, then right-aligned columns of numbers."""
    return Table(first, *(Column(header, justify="right") for header in headers), caption_justify="left")


def _runs_table(comparison: Comparison) -> Table:
    table = _table("run", "mIoU", LEVEL_TEXT, "difference to A", LEVEL_TEXT)
    table.add_column()
    for run, difference in zip(comparison.runs, [None, *comparison.differences], strict=True):
        row = [run.letter, numbers.score(run.miou), numbers.interval(*run.intervals.miou)]
        if difference:
            row += _change_cells(difference.miou, VERDICTS[0])
        table.add_row(*row)
    return table


def _class_table(comparison: Comparison) -> Table:
    changes = ("B - A", LEVEL_TEXT) if comparison.is_pair else ()
    table = _table("class", *(run.letter for run in comparison.runs), *changes)
    if comparison.is_pair:
        table.add_column()
    else:
        table.caption = f"bold: the best; {MARKS_MEAN}"
    for index in comparison.classes_by_change[:_MAX_CLASSES]:
        if comparison.is_pair:
            scores = [numbers.score(run.iou[index]) for run in comparison.runs]
            cells = scores + _change_cells(comparison.differences[0].iou[index])
        else:
            cells = _marked_scores(comparison, index)
        table.add_row(escaped(comparison.class_names[index]), *cells)
    return table


def _change_cells(change: Change, unmarked: str = "") -> list[str]:
    """Difference, interval and verdict, coloured by the sign; `unmarked` is the verdict if the sign is 0."""
    value, interval = numbers.change(change.value), numbers.change_interval(*change.interval)
    if change.sign == 0:
        return [value, interval, unmarked]
    return [f"[{_STYLES[change.sign]}]{cell}[/]" for cell in (value, interval, VERDICTS[change.sign])]


def _marked_scores(comparison: Comparison, index: int) -> list[str]:
    """A class's IoU in each run, the best in bold, with a mark if it differs from the first run's."""
    values = [run.iou[index] for run in comparison.runs]
    signs = [0, *(difference.iou[index].sign for difference in comparison.differences)]
    best = np.nanmax([*values, -1.0])
    return [
        f"{'[bold]' if value == best else '[default]'}{numbers.score(value)}[/]{MARKS[sign]}"
        for value, sign in zip(values, signs, strict=True)
    ]


def _image_table(comparison: Comparison) -> Table:
    table = _table("image", *(run.letter for run in comparison.runs), "B - A" if comparison.is_pair else "range")
    formatted = numbers.change if comparison.is_pair else numbers.score
    for indices in comparison.changed_images(_MAX_IMAGES).values():
        for index in indices:
            scores = [numbers.score(run.image_miou[index]) for run in comparison.runs]
            table.add_row(escaped(comparison.names[index]), *scores, formatted(comparison.image_changes[index]))
        table.add_section()
    return table


def _own_table(comparison: Comparison) -> Table:
    table = _table("own metric", *(run.letter for run in comparison.runs))
    table.caption = OWN_METRICS
    for name, values in comparison.own_metrics.items():
        table.add_row(escaped(name), *map(numbers.score, values))
    return table


def _settings_table(comparison: Comparison) -> Table:
    headers = ("setting", *(run.letter for run in comparison.runs))
    table = Table(*(Column(header, overflow="fold") for header in headers))
    for name, values in comparison.settings.items():
        table.add_row(escaped(name), *(escaped(setting(value)) for value in values))
    return table
