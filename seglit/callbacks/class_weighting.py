"""Computes class weights from the class frequencies of the training masks."""

from dataclasses import asdict
from typing import Any

import pytorch_lightning as pl

from seglit.class_weights import ClassCounts
from seglit.data.base import SegmentationDataModule
from seglit.errors import InputError
from seglit.losses import PixelCriterion

CLASS_COUNTS_KEY = "class_counts"
"""Checkpoint key of the class counts, saved if a criterion uses them: scoring then needs no training data."""


class ClassWeighting(pl.Callback):
    """Counts the training classes if a criterion derives its `class_weights` from them by a formula.

    Args:
        data: The data module whose training masks are counted.
    """

    def __init__(self, data: SegmentationDataModule) -> None:
        self.data = data
        self.counts: ClassCounts | None = None

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Counts the classes and sets the weights before training.

        Raises:
            InputError: A mask cannot be read.
        """
        if stage == "fit" and _weighted_by_formula(pl_module):
            self._set_weights(pl_module, self.data.count_classes())

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Saves the counts."""
        if self.counts is not None:
            checkpoint[CLASS_COUNTS_KEY] = asdict(self.counts)

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Restores the counts from training, unless `setup` has just counted them.

        Raises:
            InputError: The checkpoint contains no counts.
        """
        if self.counts is not None or not _weighted_by_formula(pl_module):
            return
        if CLASS_COUNTS_KEY not in checkpoint:
            raise InputError(
                "class_weights are computed by a formula, but the checkpoint was trained without one and contains no "
                "class counts; use the run's own config.yaml"
            )
        self._set_weights(pl_module, ClassCounts(**checkpoint[CLASS_COUNTS_KEY]))

    def _set_weights(self, pl_module: pl.LightningModule, counts: ClassCounts) -> None:
        self.counts = counts
        for criterion in _weighted_by_formula(pl_module):
            criterion.weigh(counts)


def _weighted_by_formula(pl_module: pl.LightningModule) -> list[PixelCriterion]:
    modules = pl_module.get_submodule("criterion").modules()
    return [module for module in modules if isinstance(module, PixelCriterion) and module.formula]
