"""A progress bar with few host syncs."""

from datetime import datetime, timedelta
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import TQDMProgressBar

from seglit.callbacks.stopwatch import Stopwatch


class ProgressBar(TQDMProgressBar):
    """Shows the latest logged loss and mIoU, and when training and test are done.

    Lightning's `prog_bar=True` syncs with the device at every step; this bar does so only every 10 steps.

    Args:
        stopwatch: Measures the training.
    """

    def __init__(self, stopwatch: Stopwatch) -> None:
        super().__init__(refresh_rate=10)
        self.stopwatch = stopwatch

    def get_metrics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Any]:
        """Returns the latest logged values, formatted."""
        logged = {name: trainer.logged_metrics.get(name) for name in ("train/loss", "val/miou")}
        shown = {name: f"{float(value):.3f}" for name, value in logged.items() if value is not None}
        left = self.stopwatch.remaining(trainer)
        return shown if left is None else {**shown, "done": f"{datetime.now() + timedelta(seconds=left):%H:%M}"}
