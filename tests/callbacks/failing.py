"""Networks and callbacks whose values stop being finite, or that run out of memory."""

import multiprocessing
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.precision import MixedPrecision
from torch import Tensor, nn


class Failing(nn.Module):
    """One layer, which answers NaN or runs out of memory from a call in training on, or for dark images.

    Args:
        num_classes: Number of classes.
        fails: "nan", "gradient" (a NaN only there), "memory", or "dark": NaN for images whose last pixel is black.
        call: The first call that fails.
    """

    def __init__(self, num_classes: int, in_channels: int = 3, fails: str = "dark", call: int = 1) -> None:
        super().__init__()
        self.layer = nn.Conv2d(in_channels, num_classes, 1)
        self.fails = fails
        self.call = call

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.layer(image)
        if self.fails == "dark":
            return logits.where(image[:, :1, -1:, -1:] > -1.9, torch.nan)
        self.call -= self.training
        if self.call > 0 or not self.training:
            return logits
        if self.fails == "memory":
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return logits * torch.nan if self.fails == "nan" else logits + (logits - logits.detach()).abs().sqrt()


class Poison(pl.Callback):
    """Makes a weight NaN after a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if trainer.global_step == self.step:
            pl_module.network.layer.bias.data[1] = torch.nan


class Scaled(pl.Callback):
    """Scales gradients, as 16-mixed does on a GPU."""

    def __init__(self, scale: float) -> None:
        self.scale = scale

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        plugin = trainer.precision_plugin
        assert isinstance(plugin, MixedPrecision)
        plugin.scaler = torch.amp.GradScaler("cpu", init_scale=self.scale)


class KillWorker(pl.Callback):
    """Kills a worker process after the first batch, as the kernel does if the memory is full."""

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if batch_idx == 0:
            # only one, since torch would raise for others in a later test; of this run, so the newest
            max(multiprocessing.active_children(), key=lambda worker: worker.pid or 0).kill()
