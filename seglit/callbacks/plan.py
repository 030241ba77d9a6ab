"""Prints the plan of a training before it starts, and the estimated time after its first steps."""

import math
from datetime import datetime, timedelta
from typing import Any

import pytorch_lightning as pl

from seglit.callbacks.benchmark import device_name
from seglit.callbacks.stopwatch import Stopwatch, time_limit, total_batches, validations
from seglit.data.base import SegmentationDataModule
from seglit.images.pairs import SPLITS

_MEASURED_BATCHES, _MEASURED_SECONDS = 10, 10  # the estimate is printed after the first of both


class Plan(pl.Callback):
    """Prints data, network, batches, length, device and run folder, and later the time until the end.

    Args:
        data: The data module.
        stopwatch: Measures the training.
    """

    def __init__(self, data: SegmentationDataModule, stopwatch: Stopwatch) -> None:
        self.data = data
        self.stopwatch = stopwatch
        self._is_told = False

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Prints the plan."""
        trainer.fit_loop.setup_data()  # on all ranks; a training limited by steps has not counted its batches yet
        if trainer.is_global_zero:
            facts = describe(trainer, pl_module, self.data)
            width = max(map(len, facts))
            print("\n".join(f"{name:<{width}}  {fact}" for name, fact in facts.items()), flush=True)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Prints the estimate once."""
        watch = self.stopwatch
        enough = watch.counts["batch"] >= _MEASURED_BATCHES or watch.seconds["batch"] >= _MEASURED_SECONDS
        if enough and not self._is_told and (seconds := watch.remaining(trainer)) is not None:
            self._is_told = True
            if trainer.is_global_zero:
                bar = trainer.progress_bar_callback
                (bar.print if bar else print)(say_end(seconds, datetime.now()))


def describe(trainer: pl.Trainer, module: Any, data: SegmentationDataModule) -> dict[str, str]:
    """Returns the plan of a training, by title."""
    splits = [f"{len(data.dataset(split)):,} {split}" for split in SPLITS if data.has_split(split)]
    network = sum(parameter.numel() for parameter in module.network.parameters())
    ranks, accumulated = trainer.world_size, trainer.accumulate_grad_batches
    size = "x".join(map(str, data.crop_size)) if data.crop_size else "whole images"
    resized = ""
    if data.resize is not None:
        by = "x".join(map(str, data.resize)) if isinstance(data.resize, tuple) else f"{data.resize:g} of their size"
        resized = f", images resized to {by}"
    return {
        "data": f"{', '.join(splits)} pairs; {data.num_classes} classes",
        "network": f"{type(module.network).__name__}, {network:,} parameters",
        "batch": f"{data.batch_size} x {size}{resized}"
        + f" on each of {ranks} devices" * (ranks > 1)
        + f", {accumulated} batches per step" * (accumulated > 1),
        "length": _length(trainer),
        "device": f"{ranks} x {device_name(module.device)}, {trainer.precision}, {data.loading}",
        "run folder": trainer.default_root_dir,
    }


def _length(trainer: pl.Trainer) -> str:
    batches, limit = total_batches(trainer), time_limit(trainer)
    at_most = "" if math.isinf(limit) else f"at most {say_duration(limit)}"
    if math.isinf(batches):
        return at_most or "until it is stopped"
    per_epoch = trainer.num_training_batches
    epochs = batches / per_epoch
    steps, count = int(trainer.estimated_stepping_batches), validations(trainer, 0, batches)
    return (
        f"{epochs:.3g} epoch{'s' * (epochs != 1)} of {per_epoch:,} batch{'es' * (per_epoch != 1)}, "
        f"{steps:,} step{'s' * (steps != 1)}, {count:,} validation{'s' * (count != 1)}" + (at_most and f", {at_most}")
    )


def say_end(seconds: float, now: datetime) -> str:
    """Says how long something takes and when it is done: `about 34 minutes, done at 15:20`."""
    end = now + timedelta(seconds=seconds)
    day = "" if end.date() == now.date() else f"{end:%A} " if seconds < 6 * 86_400 else f"{end:%Y-%m-%d} "
    return f"about {say_duration(seconds)}, done at {day}{end:%H:%M}"


def say_duration(seconds: float) -> str:
    """Formats a duration by one unit."""
    if seconds < 90:
        count = max(1, round(seconds))
        return f"{count} second{'s' * (count != 1)}"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.1f} hours"
