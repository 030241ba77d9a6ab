"""The table of scores a run ends with."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytorch_lightning as pl
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from seglit.drawing import numbers
from seglit.errors import InputError, did_you_mean
from seglit.evaluation.bootstrap import LEVEL, RESAMPLES
from seglit.evaluation.boundary import F1_WIDTH, IOU_WIDTH
from seglit.evaluation.calibration import BINS
from seglit.evaluation.evaluation import TestScores
from seglit.evaluation.own_metrics import MetricValue
from seglit.evaluation.protocols import miou_protocols
from seglit.labels import Labels
from seglit.metrics import Scores, mean_defined


class ScoreTable(pl.Callback):
    """Prints each class's scores and its share of pixels after `test` and `validate`, the means at the foot.

    After `test` the table has the 95 % intervals, and the scores that no class has alone stand below.

    Args:
        protocol: Whether mIoU is also printed as others define it; class names are set aside there, see
            `seglit.evaluation.protocols`.
    """

    def __init__(self, protocol: bool | list[str] = False) -> None:
        self.protocol = protocol

    def setup(self, trainer: pl.Trainer, pl_module: Any, stage: str) -> None:
        """Checks the class names before anything is scored.

        Raises:
            InputError: `protocol` names a class that there is not.
        """
        self._set_aside(pl_module.labels)

    def on_test_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Prints the test's table."""
        self._show(trainer, pl_module, "test")

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Prints the table of `seglit validate`; within `fit` there would be one an epoch."""
        if trainer.state.fn == "validate":
            self._show(trainer, pl_module, "val")

    def _show(self, trainer: pl.Trainer, pl_module: Any, split: str) -> None:
        if not trainer.is_global_zero:
            return
        scores: Scores = pl_module.scores[split]
        labels: Labels = pl_module.labels
        count = int(scores.confusion.sum())
        summary = f"\n{split}: {count:,} labelled pixels, pixel accuracy {numbers.score(scores.pixel_accuracy)}"
        console = Console()
        own: dict[str, MetricValue] = pl_module.own_metrics[split]
        console.print(summary, score_table(scores, labels, own), sep="\n", highlight=False)
        lines = further_scores(scores) if isinstance(scores, TestScores) else []
        lines += [f"{name:<22}  {numbers.score(value)}" for name, value in own.items() if isinstance(value, float)]
        if self.protocol:
            lines += protocol_lines(scores, labels, self._set_aside(labels))
        for line in lines:
            console.print(line, highlight=False, markup=False, soft_wrap=True)

    def _set_aside(self, labels: Labels) -> list[int]:
        """The class indices that `protocol` names."""
        names = self.protocol if isinstance(self.protocol, list) else []
        for name in names:
            if name not in labels.class_names:
                raise InputError(f"protocol: no class {name!r}{did_you_mean(name, labels.class_names)}")
        return [labels.class_names.index(name) for name in names]


def score_table(scores: Scores, labels: Labels, own: Mapping[str, MetricValue]) -> Table:
    """A table of per-class scores; `n/a` where a score is 0/0, such as the IoU of a class that occurs nowhere.

    Args:
        scores: seglit's scores.
        labels: The names of the classes.
        own: The user's own metrics; those that have a value for each class are columns.
    """
    columns = {name: np.array(values) for name, values in own.items() if isinstance(values, list)}
    table = Table(show_footer=True)
    table.add_column("class", "mean")
    table.add_column("IoU", numbers.score(scores.miou), justify="right")
    if isinstance(scores, TestScores):
        table.add_column(f"{100 * LEVEL:g} %", numbers.interval(*scores.intervals.miou), justify="right")
    table.add_column("Dice", numbers.score(scores.mdice), justify="right")
    table.add_column("precision", numbers.score(scores.mean_precision), justify="right")
    table.add_column("recall", numbers.score(scores.mean_accuracy), justify="right")
    for name, values in columns.items():
        table.add_column(name, numbers.score(mean_defined(values)), justify="right", overflow="fold")
    table.add_column("pixels", justify="right")
    for place, name in enumerate(labels.class_names):
        shown = (scores.iou, scores.dice, scores.precision, scores.recall, *columns.values())
        cells = [numbers.score(each[place]) for each in shown]
        if isinstance(scores, TestScores):
            cells.insert(1, numbers.interval(*scores.intervals.iou[:, place]))
        share = scores.pixel_share[place]
        table.add_row(escape(name), *cells, "n/a" if np.isnan(share) else f"{share:.1%}")
    return table


def further_scores(scores: TestScores) -> list[str]:
    """A line for each score that is no class's."""
    boundary = scores.boundary
    rows = [
        ("frequency-weighted IoU", scores.frequency_weighted_iou, "classes weighted by their share of pixels"),
        (
            "boundary IoU",
            boundary.mean_iou,
            f"of the pixels within {100 * IOU_WIDTH:g} % of the image's diagonal of an outline",
        ),
        ("boundary F1", boundary.mean_f1, f"of the outlines, met to within {100 * F1_WIDTH:g} % of the diagonal"),
        ("calibration error", scores.calibration.error, f"ECE, {BINS} bins"),
    ]
    images = f"{100 * LEVEL:g} %: percentiles of {RESAMPLES:,} resamples of the {len(scores.names):,} images"
    return [images, *(f"{name:<22}  {numbers.score(value)}  {meaning}" for name, value, meaning in rows)]


def protocol_lines(scores: Scores, labels: Labels, set_aside: Sequence[int]) -> list[str]:
    """A line for the mIoU of each protocol, with what that protocol is."""
    names = ", ".join(labels.class_names[place] for place in set_aside)
    head = f"mIoU as others define it{f', {names} set aside' if names else ''}; void counts in none"
    protocols = miou_protocols(scores.confusion, set_aside)
    return [head, *(f"{each.name:<14}  {numbers.score(each.miou)}  {each.meaning}" for each in protocols)]
