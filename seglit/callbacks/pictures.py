"""Draws predictions as PNG files in the run folder and in every logger that supports images."""

from itertools import islice
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from seglit.callbacks.dashboards import log_picture, log_predictions
from seglit.data.batch import Batch
from seglit.drawing.confusion import draw_confusion
from seglit.drawing.predictions import Prediction, as_rgb, draw_grid


class Pictures(pl.Callback):
    """Draws predictions of images spread evenly over a split, and the confusion matrix of the whole split.

    Writes `val.png` and `confusion_val.png` (latest validation), `test.png` and `confusion_test.png` to `pictures/`.

    Args:
        count: Number of images; 0 draws nothing.
    """

    def __init__(self, count: int = 8) -> None:
        self.count = count
        self.predictions: list[Prediction] = []

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: list[Batch],
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keeps some of the predictions."""
        if trainer.is_global_zero and not trainer.sanity_checking:
            self._keep(outputs, batch, batch_idx, int(trainer.num_val_batches[dataloader_idx]))

    def on_test_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: list[Batch],
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keeps some of the predictions."""
        if trainer.is_global_zero:
            self._keep(outputs, batch, batch_idx, int(trainer.num_test_batches[dataloader_idx]))

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draws the kept predictions."""
        self._draw(trainer, pl_module, "val")

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draws the kept predictions."""
        self._draw(trainer, pl_module, "test")

    def _keep(self, outputs: Any, batches: list[Batch], batch_index: int, num_batches: int) -> None:
        """Keeps an equal share of every batch, because neighbouring images look alike."""
        count = (batch_index + 1) * self.count // num_batches - batch_index * self.count // num_batches
        predictions = (
            Prediction(as_rgb(image.permute(1, 2, 0).cpu().numpy()), target.cpu().numpy(), preds.cpu().numpy(), name)
            for batch, predicted in zip(batches, outputs["preds"], strict=True)
            for image, target, preds, name in zip(batch["image"], batch["mask"], predicted, batch["name"], strict=True)
        )
        self.predictions += islice(predictions, count)

    def _draw(self, trainer: pl.Trainer, pl_module: Any, split: str) -> None:
        if not self.predictions:
            return
        labels = pl_module.labels
        grid = draw_grid(self.predictions, labels)
        matrix = draw_confusion(pl_module.scores[split].confusion, labels.class_names)
        folder = Path(trainer.default_root_dir) / "pictures"
        folder.mkdir(parents=True, exist_ok=True)
        grid.save(folder / f"{split}.png")
        matrix.save(folder / f"confusion_{split}.png")
        for logger in trainer.loggers:
            log_predictions(logger, split, self.predictions, grid, labels, trainer.global_step)
            log_picture(logger, f"{split}/confusion", matrix, trainer.global_step)
        self.predictions = []
