"""Parts of a run that is interrupted: a network with dropout, and a callback that keeps what a kill would leave."""

import multiprocessing
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from torch import Tensor, nn


class Dropped(nn.Module):
    """A network with batch normalisation and dropout."""

    def __init__(self, num_classes: int, in_channels: int = 3) -> None:
        super().__init__()
        layers = [nn.Conv2d(in_channels, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.5)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(8, num_classes, 1))

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.layers(image)
        return logits


class Snapshots(pl.Callback):
    """Copies the run folder at several moments: what is left of the run if it is killed then."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def copy(self, trainer: pl.Trainer, moment: str) -> None:
        target = self.folder / moment
        if not trainer.sanity_checking and not target.exists():
            shutil.copytree(trainer.default_root_dir, target)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.copy(trainer, f"epoch-{trainer.current_epoch}-batch-{batch_idx}")

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.copy(trainer, f"epoch-{trainer.current_epoch}-validated")

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.copy(trainer, "tested")


class Signal(pl.Callback):
    """Sends a signal to the process and its workers, as a terminal or SLURM does, after a batch of the first epoch.

    Args:
        signum: The signal.
        batch: Index of the batch of training; None for the first one of a validation or test.
    """

    def __init__(self, signum: int, batch: int | None = None) -> None:
        self.signum = signum
        self.batch = batch

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if trainer.current_epoch == 0 and batch_idx == self.batch:
            self.send()

    def on_validation_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        if self.batch is None and not trainer.sanity_checking:
            assert batch_idx == 0 or self.signum == signal.SIGUSR1  # others end the run before the next one
            self.send()

    def on_test_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self.send()

    def send(self) -> None:
        for worker in multiprocessing.active_children():
            os.kill(worker.pid or 0, self.signum)
        os.kill(os.getpid(), self.signum)


class Wait(pl.Callback):
    """At a batch of the first epoch, prints a line and waits for the end of the standard input."""

    def __init__(self, batch: int) -> None:
        self.batch = batch

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if trainer.current_epoch == 0 and batch_idx == self.batch:
            print("waiting", flush=True)
            sys.stdin.read()
