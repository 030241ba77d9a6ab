"""Class weights by formula: the classes of the training masks are counted before the first step."""

from dataclasses import asdict
from typing import Any

import pytorch_lightning as pl

from seglit.class_weights import ClassCounts
from seglit.data.base import SegmentationDataModule
from seglit.errors import InputError
from seglit.losses import PixelCriterion

CLASS_COUNTS_KEY = "class_counts"
"""Where in a checkpoint the counts lie, if they were wanted: so that scoring has the loss without training data."""


class ClassWeighting(pl.Callback):
    """Gives the criteria whose `class_weights` name a formula the counts that it needs.

    Args:
        data: Whose training masks are counted.
    """

    def __init__(self, data: SegmentationDataModule) -> None:
        self.data = data
        self.counts: ClassCounts | None = None

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Counts the classes before training.

        Raises:
            InputError: A mask cannot be read.
        """
        if stage == "fit" and _by_formula(pl_module):
            self._weigh(pl_module, self.data.count_classes())

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Adds the counts."""
        if self.counts is not None:
            checkpoint[CLASS_COUNTS_KEY] = asdict(self.counts)

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Takes the counts that the weights were trained with, where nothing is counted.

        Raises:
            InputError: The checkpoint has none.
        """
        if self.counts is not None or not _by_formula(pl_module):
            return
        if CLASS_COUNTS_KEY not in checkpoint:
            raise InputError(
                "class_weights are to be made by a formula, but the checkpoint was trained without and holds no counts "
                "of the classes; the run's own config.yaml fits it"
            )
        self._weigh(pl_module, ClassCounts(**checkpoint[CLASS_COUNTS_KEY]))

    def _weigh(self, pl_module: pl.LightningModule, counts: ClassCounts) -> None:
        self.counts = counts
        for part in _by_formula(pl_module):
            part.weigh(counts)


def _by_formula(pl_module: pl.LightningModule) -> list[PixelCriterion]:
    parts = pl_module.get_submodule("criterion").modules()
    return [part for part in parts if isinstance(part, PixelCriterion) and part.formula]
