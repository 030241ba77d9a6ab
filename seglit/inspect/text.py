"""What was found, for the terminal and for machines."""

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from seglit.class_weights import AUTO
from seglit.errors import printable
from seglit.inspect.advice import Advice
from seglit.inspect.coding import Coding
from seglit.inspect.inspection import Inspection
from seglit.inspect.survey import Survey

_MOST_ROWS = 40


def print_summary(console: Console, inspection: Inspection) -> None:
    """Prints everything in the order one wants to know it."""
    layout, survey, coding, advice = inspection.layout, inspection.survey, inspection.coding, inspection.advice
    counts = ", ".join(f"{split} {count}" for split, count in survey.counts.items())
    line = console.print
    line(f"[bold]layout[/]   {_shown(layout.description)}", highlight=False)
    line(f"[bold]pairs[/]    {len(survey.pairs)} ({counts})", highlight=False)
    line(f"[bold]sizes[/]    {sizes_text(survey)}", highlight=False)
    kinds = ", ".join(
        f"{count} x {mode}, {channels} channels, {dtype}"
        for (mode, channels, dtype), count in survey.image_kinds.most_common(4)
    )
    line(
        f"[bold]images[/]   {kinds}; mean {_numbers(survey.mean)}, std {_numbers(survey.std)} in stored units",
        highlight=False,
    )
    line(f"[bold]masks[/]    {coding.description}", highlight=False)
    line(_values_table(coding))
    if len(coding.values) > _MOST_ROWS:
        line(f"... and {len(coding.values) - _MOST_ROWS} more values (--json lists all)")
    line(_weights_table(coding, advice))
    crop = " x ".join(map(str, advice.crop_size))
    line(f"[bold]crop[/]     {crop}, {advice.batch_size} a batch: {advice.crop_reason}", highlight=False)
    line()
    for finding in inspection.findings:
        style = "bold red" if finding.severity == "error" else "bold yellow"
        line(f"[{style}]{finding.severity}[/]  {_shown(finding.message)}: {_shown(finding.advice)}", highlight=False)
        for path, detail in finding.files[:3]:
            line(
                f"         {_shown(inspection.below(path))}{f'  ({_shown(detail)})' if detail else ''}", highlight=False
            )
        if finding.count > 3 and len(finding.files) > 3:
            line(f"         ... {finding.count} in all", highlight=False)
    for question in coding.questions:
        line(f"[bold cyan]question[/] {question}", highlight=False)
    if inspection.is_clean:
        line("[bold green]nothing found that would spoil a training[/]")


def as_plain(inspection: Inspection) -> dict[str, Any]:
    """Everything as plain data, for --json."""
    layout, survey, coding, advice = inspection.layout, inspection.survey, inspection.coding, inspection.advice
    return {
        "root": inspection.root.as_posix(),
        "layout": layout.description,
        "class_path": layout.class_path,
        "settings": {**coding.settings, **layout.settings},
        "splits": dict(survey.counts),
        "sizes": [[*size, count] for size, count in survey.sizes.most_common()],
        "images": [
            {"mode": mode, "channels": channels, "dtype": dtype, "count": count}
            for (mode, channels, dtype), count in survey.image_kinds.most_common()
        ],
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
        "findings": [
            {
                "code": finding.code,
                "severity": finding.severity,
                "message": finding.message,
                "advice": finding.advice,
                "count": finding.count,
                "files": [[inspection.below(path), detail] for path, detail in finding.files],
            }
            for finding in inspection.findings
        ],
        "questions": coding.questions,
    }


def sizes_text(survey: Survey) -> str:
    """The sizes in words: the commonest, and between which they lie."""
    (size, count), *others = survey.sizes.most_common()
    if not others:
        return f"all {size[0]} x {size[1]} (height x width)"
    heights, widths = zip(*survey.sizes, strict=True)
    return (
        f"{len(survey.sizes)} different, {min(heights)} x {min(widths)} to {max(heights)} x {max(widths)} "
        f"(height x width), most often {size[0]} x {size[1]} ({count})"
    )


def _values_table(coding: Coding) -> Table:
    table = Table("stored", "class", "pixels", "images", "remark")
    for column in table.columns[:1] + table.columns[2:4]:
        column.justify = "right"
    for value in coding.values[:_MOST_ROWS]:
        stored = " ".join(map(str, value.stored)) if isinstance(value.stored, tuple) else str(value.stored)
        name = _shown(value.class_name) if value.class_name is not None else "[bold]void[/]"
        remark = f"void? {value.hint}" if value.hint and value.class_name is not None else value.hint
        table.add_row(stored, name, f"{value.share:.2%}", str(value.count.images), remark)
    return table


def _weights_table(coding: Coding, advice: Advice) -> Table:
    table = Table(
        "class weights", *(formula.replace("_", "_\n") + " (auto)" * (formula == AUTO) for formula in advice.weights)
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for index, value in enumerate(coding.classes[:_MOST_ROWS]):
        table.add_row(_shown(str(value.class_name)), *(f"{weights[index]:.2f}" for weights in advice.weights.values()))
    return table


def _numbers(values: list[float]) -> str:
    return " ".join(f"{value:.4g}" for value in values)


def _shown(text: str) -> str:
    """A text with names in it as one line, in which brackets are brackets."""
    return escape(printable(text))
