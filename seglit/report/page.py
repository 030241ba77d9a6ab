"""The page of a tested run: the numbers of the score file, charts and pictures."""

from collections.abc import Mapping
from pathlib import Path

import yaml

from seglit.drawing.charts import draw_bars, draw_curves, draw_reliability
from seglit.drawing.confusion import confusion_cells
from seglit.drawing.page import write_page
from seglit.drawing.predictions import background
from seglit.errors import InputError
from seglit.evaluation.bootstrap import LEVEL_TEXT
from seglit.evaluation.boundary import F1_WIDTH, IOU_WIDTH
from seglit.evaluation.groups import explain_intervals, groups_of
from seglit.evaluation.mistakes import CONFIDENT
from seglit.labels import Labels
from seglit.report.exported_files import find_exported
from seglit.report.head import describe
from seglit.report.pictures import Drawn, draw
from seglit.runs.scores import ImageScores, Level
from seglit.runs.tested import TestedRun
from seglit.runs.trusted import NotTrustedError

_IMAGES = 4  # per group: worst, median, best
_MIN_COST = 0.0005  # confusions that cost less IoU would be shown as 0.000


def write_report(path: Path, run: TestedRun) -> list[str]:
    """Writes the page of a run.

    Returns:
        Messages about what is missing on the page, and why.
    """
    saved = run.saved
    bins = saved.calibration
    chosen = _choose(saved.images)
    confusions = [pair for pair in saved.confusions if pair.cost >= _MIN_COST]
    regions = [region for pair in confusions for region in pair.regions] + saved.label_errors
    names = [image.name for images in chosen.values() for image in images]
    sizes = {_size(level): level for level in saved.sizes}
    distances = {_distance(level): level for level in saved.distances}
    try:
        drawn = draw(run, names, regions)
    except NotTrustedError:
        raise
    except InputError as error:
        missing = [f"no picture, as the images cannot be predicted: {error}"]
        drawn = Drawn(Labels.create(run.class_names), missing=missing)
    write_page(
        path,
        "report/page.html",
        run=run,
        facts=describe(run),
        level=LEVEL_TEXT,
        intervals=explain_intervals(groups_of(saved)),
        iou_width=IOU_WIDTH,
        f1_width=F1_WIDTH,
        confident=CONFIDENT,
        colors=dict(zip(run.class_names, drawn.labels.palette, strict=True)),
        background=background(drawn.labels),
        chosen=chosen,
        confusions=confusions,
        drawn=drawn,
        curves=_curves(run),
        reliability=draw_reliability(bins.pixels, bins.accuracy, bins.confidence),
        sizes=sizes,
        size_chart=_size_chart(sizes),
        distances=distances,
        distance_chart=_distance_chart(distances),
        matrix=zip(run.class_names, confusion_cells(run.confusion, run.class_names), strict=True),
        exported=find_exported(run),
        config=yaml.safe_dump(run.config, sort_keys=False, allow_unicode=True),
    )
    return drawn.missing


def _choose(images: list[ImageScores]) -> dict[str, list[ImageScores]]:
    """The images with the lowest, the median and the highest mIoU, without duplicates."""
    ranked = sorted(images, key=lambda image: (image.miou, image.name))
    count = min(_IMAGES, -(-len(ranked) // 3))
    worst, best = ranked[:count], ranked[count:][-count:][::-1]
    rest = ranked[count : len(ranked) - count]
    start = max(0, (len(rest) - count) // 2)
    return {"Worst": worst, "Median": rest[start : start + count], "Best": best}


def _curves(run: TestedRun) -> list[str]:
    """Learning curves of the run that trained the checkpoint."""
    curves, charts = run.curves, []
    losses = {f"{split} loss": curves[f"{split}/loss"] for split in ("train", "val") if f"{split}/loss" in curves}
    if losses:
        charts.append(draw_curves("Loss", losses))
    columns = {"mIoU": "val/miou", "pixel accuracy": "val/pixel_accuracy", "mean accuracy": "val/mean_accuracy"}
    scores = {name: curves[column] for name, column in columns.items() if column in curves}
    if "mIoU" in scores:
        best = max(scores["mIoU"], key=lambda point: point[1])
        charts.append(draw_curves("Validation", scores, best))
    return charts


def _size_chart(levels: Mapping[str, Level]) -> str:
    counts = {name: sum(scores.objects for scores in level.classes.values()) for name, level in levels.items()}
    bars = {f"{name}\n{counts[name]:,} object{'s' * (counts[name] != 1)}": level.miou for name, level in levels.items()}
    return draw_bars("mIoU by object size", bars, "object's share of the image")


def _distance_chart(levels: Mapping[str, Level]) -> str:
    total = sum(level.pixels for level in levels.values()) or 1
    bars = {f"{name}\n{level.pixels / total:.0%}": level.miou for name, level in levels.items()}
    label = "pixels from the target's outline; below, the share of pixels"
    return draw_bars("mIoU by distance to the boundary", bars, label)


def _size(level: Level) -> str:
    low, high = 100 * level.first, level.last and 100 * level.last
    return f"> {low:g} %" if high is None else f"{low:g}–{high:g} %" if low else f"< {high:g} %"


def _distance(level: Level) -> str:
    return f"> {level.first - 1:g}" if level.last is None else f"{level.first:g}–{level.last:g}"
