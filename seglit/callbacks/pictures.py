"""Pictures of predictions, as a PNG file in the run folder and in every logger that shows pictures."""

from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl

from seglit.callbacks.dashboards import log_predictions
from seglit.data.base import Batch
from seglit.pictures import Prediction, draw_grid


class Pictures(pl.Callback):
    """Draws the first images of a split with their predictions.

    `pictures/val.png` is the latest validation's, `pictures/test.png` the test's.

    Args:
        count: How many images; 0 draws none.
        every_n_epochs: Draws every so many validations.
    """

    def __init__(self, count: int = 8, every_n_epochs: int = 1) -> None:
        self.count = count
        self.every_n_epochs = every_n_epochs
        self.predictions: list[Prediction] = []

    def on_validation_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Batch, *_: Any
    ) -> None:
        """Keeps the first predictions."""
        if not trainer.sanity_checking and trainer.current_epoch % self.every_n_epochs == 0:
            self._keep(trainer, outputs, batch)

    def on_test_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Batch, *_: Any
    ) -> None:
        """Keeps the first predictions."""
        self._keep(trainer, outputs, batch)

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draws them."""
        self._draw(trainer, pl_module, "val")

    def on_test_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draws them."""
        self._draw(trainer, pl_module, "test")

    def _keep(self, trainer: pl.Trainer, outputs: Any, batch: Batch) -> None:
        wanted = self.count - len(self.predictions) if trainer.is_global_zero else 0
        arrays = (batch["image"], batch["mask"], outputs["preds"])
        images, targets, preds = (tensor[:wanted].cpu().numpy() for tensor in arrays)
        for image, target, pred, name in zip(images, targets, preds, batch["name"], strict=False):
            pixels = image if image.dtype == np.uint8 else (image * 255).clip(0, 255).astype(np.uint8)
            self.predictions.append(Prediction(pixels.transpose(1, 2, 0), target, pred, name))

    def _draw(self, trainer: pl.Trainer, pl_module: Any, split: str) -> None:
        if not self.predictions:
            return
        grid = draw_grid(self.predictions, pl_module.labels)
        file = Path(trainer.default_root_dir) / "pictures" / f"{split}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        grid.save(file)
        for logger in trainer.loggers:
            log_predictions(logger, split, self.predictions, grid, pl_module.labels, trainer.global_step)
        self.predictions = []
