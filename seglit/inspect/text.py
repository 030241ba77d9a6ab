"""Formats an inspection as text for the terminal, and as plain data for JSON."""

import textwrap
from dataclasses import asdict
from functools import partial
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from seglit.class_weights import AUTO
from seglit.drawing.terminal import escaped
from seglit.inspect.advice import Advice
from seglit.inspect.coding import Coding
from seglit.inspect.inspection import Inspection
from seglit.inspect.survey import Survey
from seglit.inspect.wording import counted

_MAX_ROWS = 40
_INDENT = " " * 9
_right = partial(Column, justify="right")


def print_summary(console: Console, inspection: Inspection) -> None:
    """Prints pairs, classes and questions, then details and suggestions, then findings."""
    layout, survey, coding, advice = inspection.layout, inspection.survey, inspection.coding, inspection.advice
    line = console.print
    _fact(console, "pairs", pairs_text(survey))
    _fact(console, "classes", f"{len(coding.classes)}; masks: {escaped(coding.description)}")
    line(_values_table(coding))
    if len(coding.values) > _MAX_ROWS:
        line(f"... and {len(coding.values) - _MAX_ROWS} more values (--json lists all)")
    for question in coding.questions:
        _fact(console, "question", escaped(question), "bold cyan")
    line()
    kinds = ", ".join(
        f"{count} x {kind.mode}, {counted(kind.channels, 'channel')}, {kind.dtype}"
        for kind, count in survey.image_kinds.most_common(4)
    )
    _fact(console, "layout", escaped(layout.description))
    _fact(console, "sizes", sizes_text(survey))
    _fact(console, "images", f"{kinds}; mean {_numbers(survey.mean)}, std {_numbers(survey.std)} in stored units")
    crop = " x ".join(map(str, advice.crop_size))
    _fact(console, "crop", f"{crop}, batch size {advice.batch_size}: {advice.crop_reason}")
    _fact(console, "model", f"`{advice.model.options}`: {advice.model.reason}")
    if advice.is_unequal:
        rare = "`class_weights: auto` of seglit.losses.CrossEntropy, or another formula, gives rare ones more weight"
        _fact(console, "weights", f"classes differ much in size: {rare}")
        line(_weights_table(coding, advice))
    line()
    for finding in inspection.findings:
        style = "bold red" if finding.severity == "error" else "bold yellow"
        _fact(console, finding.severity, f" {escaped(finding.message)}: {escaped(finding.advice)}", style, 0)
        for path, detail in finding.files[:3]:
            line(f"{_INDENT}{escaped(inspection.below(path))}{f'  ({escaped(detail)})' if detail else ''}")
        if finding.count > 3 and len(finding.files) > 3:
            line(f"{_INDENT}... {finding.count} in all")
    if inspection.is_clean:
        line("[bold green]no errors found[/]")


def _fact(console: Console, label: str, text: str, style: str = "bold", width: int = len("question")) -> None:
    """Prints a text after a label of some width, on a terminal wrapped with an indent."""
    first = f"{label:<{width}} "
    if console.is_terminal:
        wrapper = textwrap.TextWrapper(console.width, break_long_words=False, break_on_hyphens=False)
        wrapper.initial_indent, wrapper.subsequent_indent = " " * len(first), _INDENT
        text = wrapper.fill(text)[len(first) :]
    console.print(f"[{style}]{first}[/]{text}")


def as_plain(inspection: Inspection) -> dict[str, Any]:
    """Returns everything as plain data, for --json."""
    layout, survey, coding, advice = inspection.layout, inspection.survey, inspection.coding, inspection.advice
    return {
        "root": inspection.root.as_posix(),
        "layout": layout.description,
        "class_path": layout.class_path,
        "settings": {**coding.settings, **layout.settings},
        "splits": dict(survey.split_counts),
        "sizes": [[*size, count] for size, count in survey.sizes.most_common()],
        "images": [{**kind._asdict(), "count": count} for kind, count in survey.image_kinds.most_common()],
        "mean": survey.mean,
        "std": survey.std,
        "masks": coding.description,
        "values": [
            {
                "stored": value.stored,
                "class": value.class_name,
                "share": value.share,
                "pixels": value.count.pixels,
                "images": value.count.images,
                "hint": value.hint,
            }
            for value in coding.values
        ],
        "weights": dict(advice.weights),
        "crop_size": list(advice.crop_size),
        "batch_size": advice.batch_size,
        "model": {**asdict(advice.model), "options": advice.model.options},
        "findings": [
            {**asdict(finding), "files": [[inspection.below(path), detail] for path, detail in finding.files]}
            for finding in inspection.findings
        ],
        "questions": coding.questions,
    }


def pairs_text(survey: Survey) -> str:
    """Describes the number of pairs, and of usable ones by split: both files readable, and of one size."""
    usable = sum(survey.split_counts.values())
    counts = ", ".join(f"{split} {count}" for split, count in survey.split_counts.items() if split != "all")
    text = str(len(survey.pairs)) + (f", {usable} usable" if usable != len(survey.pairs) else "")
    if stacks := {pair.image for pair in survey.pairs if pair.page is not None}:
        slices = sum(pair.page is not None for pair in survey.pairs)
        of_stacks = f"slices of {counted(len(stacks), 'stack')}"
        text += f" {of_stacks}" if slices == len(survey.pairs) else f", {slices} of them {of_stacks}"
    return f"{text} ({counts})" if counts else text


def sizes_text(survey: Survey) -> str:
    """Describes the image sizes: the range and the most frequent one."""
    (size, count), *others = survey.sizes.most_common()
    if not others:
        return f"all {size[0]} x {size[1]} (height x width)"
    heights, widths = zip(*survey.sizes, strict=True)
    return (
        f"{len(survey.sizes)} different, {min(heights)} x {min(widths)} to {max(heights)} x {max(widths)} "
        f"(height x width), most often {size[0]} x {size[1]} ({count})"
    )


def _values_table(coding: Coding) -> Table:
    table = Table(_right("stored"), "class", _right("pixels"), _right("images"), "remark")
    for value in coding.values[:_MAX_ROWS]:
        stored = " ".join(map(str, value.stored)) if isinstance(value.stored, tuple) else str(value.stored)
        name = escaped(value.class_name) if value.class_name is not None else "[bold]void[/]"
        remark = f"void? {value.hint}" if value.hint and value.class_name is not None else value.hint
        table.add_row(stored, name, f"{value.share:.2%}", str(value.count.images), escaped(remark))
    return table


def _weights_table(coding: Coding, advice: Advice) -> Table:
    headers = (formula.replace("_", "_\n") + " (auto)" * (formula == AUTO) for formula in advice.weights)
    table = Table("class weights", *map(_right, headers))
    for index, value in enumerate(coding.classes[:_MAX_ROWS]):
        table.add_row(escaped(str(value.class_name)), *(f"{weights[index]:.2f}" for weights in advice.weights.values()))
    return table


def _numbers(values: list[float]) -> str:
    return " ".join(f"{value:.4g}" for value in values)
