"""The table of scores a run ends with."""

from typing import Any

import numpy as np
import pytorch_lightning as pl
from rich.console import Console
from rich.table import Table

from seglit.labels import Labels
from seglit.metrics import Scores


class ClassTable(pl.Callback):
    """Prints class, IoU, Dice and share of pixels after `test` and `validate`, the means at the foot."""

    def on_test_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Prints the test's table."""
        _show(trainer, pl_module, "test")

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Prints the table of `seglit validate`; within `fit` there would be one an epoch."""
        if trainer.state.fn == "validate":
            _show(trainer, pl_module, "val")


def class_table(scores: Scores, labels: Labels) -> Table:
    """A table of per-class scores; `n/a` where a class occurs in neither target nor prediction."""
    table = Table(show_footer=True)
    table.add_column("class", "mean")
    table.add_column("IoU", _number(scores.miou), justify="right")
    table.add_column("Dice", _number(scores.mdice), justify="right")
    table.add_column("pixels", justify="right")
    for name, iou, dice, share in zip(labels.class_names, scores.iou, scores.dice, scores.pixel_share, strict=True):
        table.add_row(name, _number(iou), _number(dice), "n/a" if np.isnan(share) else f"{share:.1%}")
    return table


def _show(trainer: pl.Trainer, pl_module: Any, split: str) -> None:
    if trainer.is_global_zero:
        scores: Scores = pl_module.scores[split]
        count = int(scores.confusion.sum())
        summary = f"\n{split}: {count:,} labelled pixels, pixel accuracy {_number(scores.pixel_accuracy)}"
        Console().print(summary, class_table(scores, pl_module.labels), sep="\n", highlight=False)


def _number(score: float) -> str:
    return "n/a" if np.isnan(score) else f"{score:.3f}"
