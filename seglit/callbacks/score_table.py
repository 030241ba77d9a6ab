"""Prints the table of scores after a test or validation."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytorch_lightning as pl
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from seglit.drawing import numbers
from seglit.drawing.terminal import escaped
from seglit.errors import InputError, did_you_mean
from seglit.evaluation.bootstrap import LEVEL_TEXT
from seglit.evaluation.boundary import F1_WIDTH, IOU_WIDTH
from seglit.evaluation.calibration import BINS
from seglit.evaluation.evaluation import TestScores
from seglit.evaluation.groups import explain_intervals
from seglit.evaluation.own_metrics import MetricValue
from seglit.evaluation.protocols import miou_protocols
from seglit.labels import Labels
from seglit.metrics import Scores, mean_defined


class ScoreTable(pl.Callback):
    """Prints the scores and pixel share of each class, and their means, after `test` and `validate`.

    After `test` it also prints 95 % intervals and, below the table, scores of the whole split.

    Args:
        protocol: Whether to print mIoU also by the definitions of other libraries, see `seglit.evaluation.protocols`;
            a list of class names prints them with these classes ignored.
    """

    def __init__(self, protocol: bool | list[str] = False) -> None:
        self.protocol = protocol

    def setup(self, trainer: pl.Trainer, pl_module: Any, stage: str) -> None:
        """Looks up the classes that `protocol` names.

        Raises:
            InputError: `protocol` names an unknown class.
        """
        class_names: tuple[str, ...] = pl_module.labels.class_names
        names = self.protocol if isinstance(self.protocol, list) else []
        for name in names:
            if name not in class_names:
                raise InputError(f"protocol: no class {name!r}{did_you_mean(name, class_names)}")
        self.ignored = [class_names.index(name) for name in names]

    def on_test_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Prints the table of the test split."""
        self._show(trainer, pl_module, "test")

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Prints the table of `seglit validate`, but none for the validations of `fit`."""
        if trainer.state.fn == "validate":
            self._show(trainer, pl_module, "val")

    def _show(self, trainer: pl.Trainer, pl_module: Any, split: str) -> None:
        if not trainer.is_global_zero:
            return
        scores: Scores = pl_module.scores[split]
        labels: Labels = pl_module.labels
        count = int(scores.confusion.sum())
        summary = f"\n{split}: {count:,} labelled pixels, pixel accuracy {numbers.score(scores.pixel_accuracy)}"
        own_metrics: dict[str, MetricValue] = pl_module.own_metrics[split]
        console = Console()
        if not console.is_terminal:  # a log file has no width
            console.width = 500
        table = score_table(scores, labels, own_metrics)
        # a narrow terminal wraps lines; a narrower table would lose numbers
        widest = console.options.update(max_width=10_000)
        console.width = max(console.width, Measurement.get(console, widest, table).minimum)
        console.print(summary, table, sep="\n", highlight=False)
        lines = further_scores(scores) if isinstance(scores, TestScores) else []
        own_values = {name: value for name, value in own_metrics.items() if isinstance(value, float)}
        lines += [f"{name:<22}  {numbers.score(value)}" for name, value in own_values.items()]
        if self.protocol:
            lines += protocol_lines(scores, labels, self.ignored)
        for line in lines:
            console.print(line, highlight=False, markup=False, soft_wrap=True)


def score_table(scores: Scores, labels: Labels, own_metrics: Mapping[str, MetricValue]) -> Table:
    """Returns a table of per-class scores, with `n/a` for 0/0, such as the IoU of a class that does not occur.

    Args:
        scores: The built-in scores.
        labels: Class names.
        own_metrics: The user's own metrics; those with one value per class become columns.
    """
    columns = {name: np.array([*value.values()]) for name, value in own_metrics.items() if isinstance(value, dict)}
    table = Table(show_footer=True)
    numeric: Any = {"justify": "right", "no_wrap": True}
    table.add_column("class", "mean", no_wrap=True)
    table.add_column("IoU", numbers.score(scores.miou), **numeric)
    if isinstance(scores, TestScores):
        table.add_column(LEVEL_TEXT, numbers.interval(*scores.intervals.miou), **numeric)
    table.add_column("Dice", numbers.score(scores.mdice), **numeric)
    table.add_column("precision", numbers.score(scores.mean_precision), **numeric)
    table.add_column("recall", numbers.score(scores.mean_accuracy), **numeric)
    for name, values in columns.items():
        table.add_column(name, numbers.score(mean_defined(values)), **numeric)
    table.add_column("pixels", **numeric)
    for index, name in enumerate(labels.class_names):
        per_class = (scores.iou, scores.dice, scores.precision, scores.recall, *columns.values())
        cells = [numbers.score(values[index]) for values in per_class]
        if isinstance(scores, TestScores):
            cells.insert(1, numbers.interval(*scores.intervals.iou[:, index]))
        share = scores.pixel_share[index]
        table.add_row(escaped(name), *cells, "n/a" if np.isnan(share) else f"{share:.1%}")
    return table


def further_scores(scores: TestScores) -> list[str]:
    """Returns one line per score of the whole split."""
    boundary = scores.boundary
    rows = [
        ("frequency-weighted IoU", scores.frequency_weighted_iou, "classes weighted by their share of pixels"),
        ("boundary IoU", boundary.mean_iou, f"pixels within {100 * IOU_WIDTH:g} % of the image diagonal of an outline"),
        ("boundary F1", boundary.mean_f1, f"outline pixels matched within {100 * F1_WIDTH:g} % of the diagonal"),
        ("calibration error", scores.calibration.error, f"ECE, {BINS} bins"),
    ]
    meanings = (f"{name:<22}  {numbers.score(value)}  {meaning}" for name, value, meaning in rows)
    return [explain_intervals(scores.groups), *meanings]


def protocol_lines(scores: Scores, labels: Labels, ignored: Sequence[int]) -> list[str]:
    """Returns one line per protocol: its name, mIoU and definition."""
    names = ", ".join(labels.class_names[index] for index in ignored)
    head = f"mIoU by other definitions{f', ignoring {names}' if names else ''}; all exclude void"
    protocols = miou_protocols(scores.confusion, ignored)
    return [head, *(f"{entry.name:<14}  {numbers.score(entry.miou)}  {entry.meaning}" for entry in protocols)]
