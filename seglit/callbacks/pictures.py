"""Draws predictions as PNG files in the run folder and in every logger that supports images."""

from itertools import islice
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from PIL import Image

from seglit.callbacks.dashboards import log_picture, log_predictions
from seglit.data.batch import Batch
from seglit.drawing.confusion import draw_confusion
from seglit.drawing.predictions import Prediction, as_rgb, draw_grid
from seglit.drawing.training_batch import Panel, draw_batch
from seglit.errors import InputError
from seglit.images.replacing import replacing


class Pictures(pl.Callback):
    """Draws predictions of images spread evenly over a split, and the confusion matrix of the whole split.

    Writes `train.png` (the first training batch, as the network gets it), `val.png` and `confusion_val.png` (latest
    validation), `test.png` and `confusion_test.png` to `pictures/`.

    Args:
        count: Number of images; 0 draws nothing.

    Raises:
        InputError: `count` is negative.
    """

    def __init__(self, count: int = 8) -> None:
        if count < 0:
            raise InputError(f"pictures.count is {count}; it must be 0 or more")
        self.count = count
        self.predictions: list[Prediction] = []

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: Any, batch: Batch, batch_idx: int) -> None:
        """Draws the first batch of a new training."""
        if trainer.fit_loop.epoch_loop.total_batch_idx or not (self.count and trainer.is_global_zero):
            return
        images, masks = batch["image"][: self.count].permute(0, 2, 3, 1).cpu().numpy(), batch["mask"].cpu().numpy()
        panels = [Panel(*sample) for sample in zip(images, masks, batch["name"], strict=False)]
        picture = draw_batch(panels, pl_module.labels)
        _save(picture, trainer, "train.png")
        for logger in trainer.loggers:
            log_picture(logger, "train/batch", picture, trainer.global_step)

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: list[Batch],
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keeps the predictions of an equal share of every batch, because neighbouring images look alike."""
        if not trainer.is_global_zero or trainer.sanity_checking:
            return
        num_batches = trainer.num_test_batches if trainer.testing else trainer.num_val_batches
        start, end = (index * self.count // int(num_batches[dataloader_idx]) for index in (batch_idx, batch_idx + 1))
        predictions = (
            Prediction(as_rgb(image.permute(1, 2, 0).cpu().numpy()), target.cpu().numpy(), preds.cpu().numpy(), name)
            for sized, predicted in zip(batch, outputs["preds"], strict=True)
            for image, target, preds, name in zip(sized["image"], sized["mask"], predicted, sized["name"], strict=True)
        )
        self.predictions += islice(predictions, end - start)

    on_test_batch_end = on_validation_batch_end

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Draws the kept predictions."""
        if not self.predictions:
            return
        split, labels = "test" if trainer.testing else "val", pl_module.labels
        grid = draw_grid(self.predictions, labels)
        matrix = draw_confusion(pl_module.scores[split].confusion, labels.class_names)
        _save(grid, trainer, f"{split}.png")
        _save(matrix, trainer, f"confusion_{split}.png")
        for logger in trainer.loggers:
            log_predictions(logger, split, self.predictions, grid, labels, trainer.global_step)
            log_picture(logger, f"{split}/confusion", matrix, trainer.global_step)
        self.predictions = []

    on_test_end = on_validation_end


def _save(picture: Image.Image, trainer: pl.Trainer, name: str) -> None:
    with replacing(Path(trainer.default_root_dir, "pictures", name)) as part:
        picture.save(part, "PNG")
