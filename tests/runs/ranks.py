"""Parts of runs on several ranks: a network with known weights, a metric, and a callback that kills a rank."""

import os
import signal
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torchmetrics import Metric


class PartlyUsed(nn.Module):
    """A network with batch normalisation, the same initial weights in every process, and weights without gradients."""

    def __init__(self, num_classes: int, in_channels: int = 3) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(in_channels, 8, 3, padding=1), nn.BatchNorm2d(8, momentum=0.9), nn.ReLU())
        self.head = nn.Conv2d(8, num_classes, 1)
        self.unused = nn.Conv2d(8, num_classes, 1)
        generator = torch.Generator().manual_seed(0)
        for weight in self.parameters():
            nn.init.normal_(weight, std=0.1, generator=generator)

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.head(self.layers(image))
        return logits


class Images(Metric):
    """Number of images; would be too high if it received the padding samples that equalise the ranks."""

    count: Tensor

    def __init__(self, shape: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.shape = shape
        self.add_state("count", torch.tensor(0.0), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor) -> None:
        self.count += len(preds)

    def compute(self) -> Tensor:
        return self.count.expand(self.shape) if self.shape else self.count


class AssertSharded(pl.Callback):
    """Asserts that a rank stores a part of each weight."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for weight in pl_module.parameters():
            assert isinstance(weight, DTensor)
            assert len(weight.to_local()) in (len(weight) // 2, (len(weight) + 1) // 2)


class KillRank(pl.Callback):
    """Kills a rank after a step, as the kernel does if the memory is full."""

    def __init__(self, rank: int, step: int = 2) -> None:
        self.rank = rank
        self.step = step

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if trainer.global_step == self.step and trainer.global_rank == self.rank:
            Path("killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
