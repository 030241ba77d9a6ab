"""The page of a tested run: the numbers of the score file, charts and pictures."""

from pathlib import Path
from typing import NamedTuple

import yaml

from seglit.drawing.charts import Curve, draw_bars, draw_curves, draw_reliability
from seglit.drawing.confusion import confusion_cells
from seglit.drawing.page import render
from seglit.errors import InputError
from seglit.labels import Labels
from seglit.report.pictures import Drawn, draw, key
from seglit.runs.scores import ErrorRegion, ImageScores, Level, SavedScores, Score
from seglit.runs.tested import TestedRun, read_curves

_CARDS = {
    "pixel_accuracy": ("Pixel accuracy", "share of correct pixels"),
    "dice": ("Dice", "mean over classes"),
    "mean_accuracy": ("Mean accuracy", "mean recall over classes"),
    "fwiou": ("Frequency-weighted IoU", "classes weighted by their pixels"),
    "boundary_iou": ("Boundary IoU", "within 2 % of the diagonal"),
    "boundary_f1": ("Boundary F1", "tolerance 0.75 % of the diagonal"),
    "ece": ("Calibration error", "ECE; 0 is best"),
}
_IMAGES = 4  # per group: worst, median, best


class Card(NamedTuple):
    """A score of the whole split with its title and a short description."""

    title: str
    value: Score
    meaning: str


def write_page(run: TestedRun, path: Path) -> list[str]:
    """Writes the page of a run.

    Args:
        run: The run.
        path: HTML file; missing parent folders are created.

    Returns:
        Messages about what is missing on the page, and why.
    """
    saved = run.saved
    bins = saved.calibration
    chosen = _choose(saved.images)
    regions = [region for pair in saved.confusions for region in pair.regions] + saved.label_errors
    names = [image.name for images in chosen.values() for image in images]
    sizes = [_size(level) for level in saved.sizes]
    distances = [_distance(level) for level in saved.distances]
    drawn = _draw(run, names, regions)
    page = render(
        "report/page.html",
        run=run,
        saved=saved,
        scores=saved.scores,
        cards=_cards(saved),
        own_of_classes={name: value for name, value in saved.metrics.items() if isinstance(value, dict)},
        colors=dict(zip(run.class_names, drawn.labels.palette, strict=True)),
        chosen=chosen,
        drawn=drawn,
        key=key,
        curves=_curves(run),
        reliability=draw_reliability(bins.pixels, bins.accuracy, bins.confidence),
        sizes=_size_chart(saved.sizes, sizes),
        size_names=sizes,
        distances=_distance_chart(saved.distances, distances),
        distance_names=distances,
        matrix=zip(run.class_names, confusion_cells(run.confusion, run.class_names), strict=True),
        cost=saved.cost,
        config=yaml.safe_dump(run.config, sort_keys=False, allow_unicode=True),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return drawn.missing


def _cards(saved: SavedScores) -> list[Card]:
    """Scores of the whole split, then the own metrics that are not per class."""
    own = [Card(name, value, "own metric") for name, value in saved.metrics.items() if not isinstance(value, dict)]
    return [*(Card(title, saved.scores[name], meaning) for name, (title, meaning) in _CARDS.items()), *own]


def _choose(images: list[ImageScores]) -> dict[str, list[ImageScores]]:
    """The images with the lowest, the median and the highest mIoU, without duplicates."""
    ranked = sorted(images, key=lambda image: (image.miou, image.name))
    count = min(_IMAGES, -(-len(ranked) // 3))
    worst, best = ranked[:count], ranked[count:][-count:][::-1]
    rest = ranked[count : len(ranked) - count]
    start = max(0, (len(rest) - count) // 2)
    return {"Worst": worst, "Median": rest[start : start + count], "Best": best}


def _draw(run: TestedRun, names: list[str], regions: list[ErrorRegion]) -> Drawn:
    """Draws the pictures, or returns none of them and the reason."""
    try:
        return draw(run, names, regions)
    except InputError as error:
        return Drawn(
            Labels.create(run.class_names), missing=[f"no picture, as the images cannot be predicted: {error}"]
        )


def _curves(run: TestedRun) -> list[str]:
    """Learning curves of the run that trained the checkpoint."""
    curves: dict[str, Curve] = {**read_curves(run.folder)}
    if "train/loss" not in curves and run.checkpoint is not None:
        curves = {**read_curves(run.checkpoint.parents[1])}
    charts = []
    losses = {f"{split} loss": curves[f"{split}/loss"] for split in ("train", "val") if f"{split}/loss" in curves}
    if "train loss" in losses:
        charts.append(draw_curves("Loss", losses))
    columns = {"mIoU": "val/miou", "pixel accuracy": "val/pixel_accuracy", "mean accuracy": "val/mean_accuracy"}
    scores = {name: curves[column] for name, column in columns.items() if column in curves}
    if "mIoU" in scores and charts:
        best = max(scores["mIoU"], key=lambda point: point[1])
        charts.append(draw_curves("Validation", scores, best))
    return charts


def _size_chart(levels: list[Level], names: list[str]) -> str:
    counts = [sum(of_class.objects for of_class in level.classes.values()) for level in levels]
    bars = {name: level.miou for name, level in zip(names, levels, strict=True)}
    notes = [f"{count:,} objects" for count in counts]
    return draw_bars("mIoU by object size", bars, notes, "object's share of the image")


def _distance_chart(levels: list[Level], names: list[str]) -> str:
    total = sum(level.pixels for level in levels) or 1
    bars = {name: level.miou for name, level in zip(names, levels, strict=True)}
    notes = [f"{level.pixels / total:.0%}" for level in levels]
    label = "pixels from the target's outline; below, the share of pixels"
    return draw_bars("mIoU by distance to the boundary", bars, notes, label)


def _size(level: Level) -> str:
    low, high = 100 * level.first, level.last and 100 * level.last
    return f"> {low:g} %" if high is None else f"{low:g}–{high:g} %" if low else f"< {high:g} %"


def _distance(level: Level) -> str:
    return f"> {level.first - 1:g}" if level.last is None else f"{level.first:g}–{level.last:g}"
