"""What runs differ in, for the terminal and for machines."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from seglit.compare.runs import Comparison, Difference
from seglit.compare.words import (
    INTERVAL,
    MARKS,
    MARKS_MEAN,
    OWN_METRICS,
    images_text,
    notes,
    setting,
    verdict,
)
from seglit.drawing.numbers import change, change_interval, interval, score

_MOST_ROWS = 40
_MOST_IMAGES = 5
_STYLES = {1: "green", -1: "red", 0: ""}


def print_comparison(console: Console, comparison: Comparison) -> None:
    """Prints everything in the order one wants to know it."""
    for side in comparison.sides:
        console.print(f"[bold]{side.letter}[/]  {escape(side.run.name)}", highlight=False)
    _print(console, _runs_table(comparison))
    for note in notes(comparison):
        console.print(note, highlight=False, markup=False, soft_wrap=True)
    _print(console, _class_table(comparison))
    if (more := len(comparison.class_names) - _MOST_ROWS) > 0:
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
    """Everything as plain data, for --json."""
    return {
        "images_compared": len(comparison.names),
        "notes": notes(comparison),
        "runs": [
            {
                "letter": side.letter,
                "folder": str(side.run.folder),
                "environment": side.run.environment,
                "miou": side.miou,
                "miou_interval": list(map(float, side.intervals.miou)),
                "difference": _plain_difference(difference.miou, difference.intervals.miou, difference.sign)
                if difference
                else None,
            }
            for side, difference in zip(comparison.sides, [None, *comparison.differences], strict=True)
        ],
        "classes": {name: _plain_class(comparison, place) for place, name in enumerate(comparison.class_names)},
        "images": [
            {
                "name": comparison.names[place],
                "miou": [float(side.image_miou[place]) for side in comparison.sides],
                "change": float(comparison.image_changes[place]),
            }
            for place in np.argsort(-np.abs(comparison.image_changes), kind="stable")
        ],
        "metrics": comparison.own_metrics,
        "settings": comparison.settings,
        "left_out": {
            **{side.letter: side.left_out for side in comparison.sides},
            "masks_differ": comparison.masks_differ,
        },
    }


def _plain_class(comparison: Comparison, place: int) -> dict[str, Any]:
    return {
        "iou": [float(side.iou[place]) for side in comparison.sides],
        "differences": [
            _plain_difference(each.iou[place], each.intervals.iou[:, place], each.signs[place])
            for each in comparison.differences
        ],
    }


def _plain_difference(value: float, interval: Sequence[float] | Any, sign: int) -> dict[str, Any]:
    return {"value": float(value), "interval": list(map(float, interval)), "verdict": verdict(sign)}


def _print(console: Console, table: Table) -> None:
    console.print()
    console.print(table)


def _runs_table(comparison: Comparison) -> Table:
    table = Table("run", "mIoU", INTERVAL, "difference to A", INTERVAL, "")
    _to_the_right(table, 1, 5)
    for side, difference in zip(comparison.sides, [None, *comparison.differences], strict=True):
        row = [side.letter, score(side.miou), interval(*side.intervals.miou)]
        table.add_row(*row, *(_change_cells(difference, None) if difference else ()))
    return table


def _class_table(comparison: Comparison) -> Table:
    letters = [side.letter for side in comparison.sides]
    extra = ["B - A", INTERVAL, ""] if comparison.is_pair else []
    table = Table("class", *letters, *extra)
    _to_the_right(table, 1, len(letters) + 3)
    if not comparison.is_pair:
        table.caption, table.caption_justify = f"bold: the best; {MARKS_MEAN}", "left"
    for place in comparison.classes_by_change[:_MOST_ROWS]:
        name = escape(comparison.class_names[place])
        if comparison.is_pair:
            scores = [score(side.iou[place]) for side in comparison.sides]
            table.add_row(name, *scores, *_change_cells(comparison.differences[0], place))
        else:
            table.add_row(name, *_marked_scores(comparison, place))
    return table


def _change_cells(difference: Difference, place: int | None) -> list[str]:
    """Difference, interval and verdict, of mIoU or of a class, in colour where it is one."""
    if place is None:
        value, ends, sign = difference.miou, difference.intervals.miou, difference.sign
    else:
        low, high = difference.intervals.iou[:, place]
        value, ends, sign = difference.iou[place], (low, high), difference.signs[place]
    says = verdict(sign) if sign or place is None else ""
    cells = [change(value), change_interval(*ends), says]
    return [f"[{_STYLES[sign]}]{cell}[/]" if sign else cell for cell in cells]


def _marked_scores(comparison: Comparison, place: int) -> list[str]:
    """A class's IoU in each run, the best in bold, with a mark where it differs from the first run's."""
    values = [side.iou[place] for side in comparison.sides]
    signs = [0, *(each.signs[place] for each in comparison.differences)]
    best = np.nanmax([*values, -1.0])
    return [
        f"{'[bold]' if value == best else '[default]'}{score(value)}[/]{MARKS[sign]}"
        for value, sign in zip(values, signs, strict=True)
    ]


def _image_table(comparison: Comparison) -> Table:
    letters = [side.letter for side in comparison.sides]
    table = Table("image", *letters, "B - A" if comparison.is_pair else "range")
    _to_the_right(table, 1, len(letters) + 2)
    shown = change if comparison.is_pair else score
    for places in comparison.changed_images(_MOST_IMAGES).values():
        for place in places:
            scores = [score(side.image_miou[place]) for side in comparison.sides]
            table.add_row(escape(comparison.names[place]), *scores, shown(comparison.image_changes[place]))
        table.add_section()
    return table


def _own_table(comparison: Comparison) -> Table:
    letters = [side.letter for side in comparison.sides]
    table = Table("own metric", *letters, caption=OWN_METRICS, caption_justify="left")
    _to_the_right(table, 1, len(letters) + 1)
    for name, values in comparison.own_metrics.items():
        table.add_row(escape(name), *(score(math.nan if value is None else value) for value in values))
    return table


def _settings_table(comparison: Comparison) -> Table:
    table = Table("setting", *(side.letter for side in comparison.sides))
    for column in table.columns:
        column.overflow = "fold"
    for name, values in comparison.settings.items():
        table.add_row(name, *(escape(setting(value)) for value in values))
    return table


def _to_the_right(table: Table, start: int, stop: int) -> None:
    for column in table.columns[start:stop]:
        column.justify = "right"
