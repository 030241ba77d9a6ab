"""A progress bar with few host syncs."""

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import TQDMProgressBar


class ProgressBar(TQDMProgressBar):
    """Shows the latest logged loss and mIoU.

    Lightning's `prog_bar=True` syncs with the device at every step; this bar does so only every `refresh_rate` steps.
    """

    def __init__(self, refresh_rate: int = 10) -> None:
        super().__init__(refresh_rate)

    def get_metrics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, Any]:
        """Returns the latest logged values, formatted."""
        logged = {name: trainer.logged_metrics.get(name) for name in ("train/loss", "val/miou")}
        return {name: f"{float(value):.3f}" for name, value in logged.items() if value is not None}
