"""Training: seglit's own `fit` beside loops written by hand, on the same network and images.

The loops take turns in one process, so that whatever else the machine does falls on all of them alike. Memory is
measured apart, each loop in a process of its own, as a process's peak never comes down.
"""

import logging
import multiprocessing
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from rich.box import MARKDOWN
from rich.table import Table
from torch import Tensor
from torch.optim import AdamW

from benchmarks.machine import autocast, fastest_layout, now, peak_memory
from seglit.data import Cache, FolderDataModule
from seglit.data.samples import Samples
from seglit.drawing.shapes import LABELS, write_folder
from seglit.hardware import avoid_broken_amx, fastest_memory_format, fastest_precision, find_device, keep_freed_memory
from seglit.labels import IGNORE_INDEX
from seglit.losses import CrossEntropy, Dice, WeightedSum
from seglit.module import DEFAULT_NORMALIZATION, SegmentationModule
from seglit.networks import UNet
from seglit.networks.fast_gradients import fast_gradients
from seglit.optim import WarmupPolynomial

WARM_UP = 3
"""Steps before the clock starts: allocations, the choice of kernels, the first batches of the workers."""

Loop = Callable[[int], float]
"""Trains so many steps after a warm-up and returns images per second."""


class Workload(NamedTuple):
    """What all loops train alike: a U-Net of these channels on batches of a folder of shapes."""

    root: Path
    channels: tuple[int, ...]
    batch_size: int

    def network(self) -> UNet:
        """A new network."""
        return UNet(LABELS.num_classes, channels=self.channels)

    def data(self, num_workers: int | None = None, cache: Cache | None = None) -> FolderDataModule:
        """The folder as seglit reads it; by default with the default number of workers."""
        names = list(LABELS.class_names)
        return FolderDataModule(str(self.root), names, batch_size=self.batch_size, num_workers=num_workers, cache=cache)

    def filled_cache(self) -> Cache:
        """A cache that holds every decoded pair, as after the first epoch."""
        cache = Cache(f"{self.root}/cache")
        samples = Samples(self.data().dataset("train"), cache=cache)
        for index in range(len(samples)):
            samples.read(index)
        return cache


class BareLoop:
    """What one would write by hand: no logging, no schedule, and batches ready in the device's memory.

    Args:
        workload: What to train.
        precision: As Lightning names it.
        memory_format: How images and weights lie in memory.
        fused: Whether the optimizer is fused; None leaves it to PyTorch.
    """

    def __init__(
        self, workload: Workload, precision: str, memory_format: torch.memory_format, fused: bool | None
    ) -> None:
        device = find_device()
        self.network = workload.network().to(device).to(memory_format=memory_format)
        self.optimizer = AdamW(self.network.parameters(), lr=1e-3, weight_decay=0.01, fused=fused)
        self.autocast = autocast(precision)
        self.gradients = fast_gradients(self.network, torch.device(device)) if fused else nullcontext()
        self.scaler = torch.amp.GradScaler(device, enabled=precision == "16-mixed")
        self.batches = [
            (normalize(batch["image"]).to(device, memory_format=memory_format), batch["mask"].long().to(device))
            for batch in islice(workload.data(num_workers=0).train_dataloader(), 4)
        ]

    def __call__(self, steps: int) -> float:
        """Trains; see `Loop`."""
        self._train(WARM_UP)
        start = now()
        self._train(steps)
        return steps * len(self.batches[0][0]) / (now() - start)

    def _train(self, steps: int) -> None:
        for step in range(steps):
            image, mask = self.batches[step % len(self.batches)]
            self.optimizer.zero_grad()
            with self.autocast, self.gradients:
                logits = self.network(image)
            self.scaler.scale(cross_entropy_and_dice(logits.float(), mask)).backward()  # type: ignore[no-untyped-call]
            self.scaler.step(self.optimizer)
            self.scaler.update()


class LightningFit:
    """seglit's own training: module, data module and Lightning's Trainer as `seglit fit` sets them up.

    It reads files in worker processes, clips gradients and follows the schedule. There is no logger, checkpoint,
    progress bar or validation: these belong to a run and not to its steps.

    Args:
        workload: What to train.
        cache: Cache of decoded pairs; None reads the files.
    """

    def __init__(self, workload: Workload, cache: Cache | None = None) -> None:
        logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
        self.module = SegmentationModule(
            workload.network(),
            WeightedSum([CrossEntropy(), Dice()], [1.0, 1.0]),
            partial(AdamW, lr=1e-3, weight_decay=0.01, fused=True),
            LABELS,
            scheduler=partial(WarmupPolynomial, warmup_steps=50),
            memory_format=fastest_memory_format(find_device()),
        )
        self.data = workload.data(cache=cache)

    def __call__(self, steps: int) -> float:
        """Trains; see `Loop`."""
        stopwatch = Stopwatch(WARM_UP, WARM_UP + steps)
        device = find_device()
        trainer = pl.Trainer(
            accelerator=device,
            devices=1,
            precision=fastest_precision(device),
            max_steps=WARM_UP + steps,
            gradient_clip_val=5.0,
            limit_val_batches=0,
            logger=False,
            callbacks=[stopwatch],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="pytorch_lightning|torch")
            trainer.fit(self.module, self.data)
        return steps * self.data.batch_size / stopwatch.seconds


class Stopwatch(pl.Callback):
    """Takes the time from the end of one step to the end of a later one: whole steps, fetching of data included.

    Args:
        first: The step (from 1) whose end starts the clock.
        last: The step whose end stops it.
    """

    def __init__(self, first: int, last: int) -> None:
        self.first = first
        self.last = last
        self.seconds = 0.0

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Starts or stops the clock; in between, the device is not waited for."""
        if trainer.global_step == self.first:
            self.seconds = -now()
        elif trainer.global_step == self.last:
            self.seconds += now()


def plain_loop(workload: Workload) -> Loop:
    """float32 and PyTorch's own layout: what one writes first."""
    return BareLoop(workload, "32-true", torch.contiguous_format, fused=None)


def fastest_loop(workload: Workload) -> Loop:
    """The precision, layout and gradients that seglit chooses for this hardware, and a fused optimizer."""
    return BareLoop(workload, fastest_precision(find_device()), fastest_layout(), fused=True)


def cached_fit(workload: Workload) -> Loop:
    """seglit's own training with `data.cache`, from the second epoch on."""
    return LightningFit(workload, workload.filled_cache())


LOOPS: dict[str, Callable[[Workload], Loop]] = {
    "plain float32": plain_loop,
    "fastest bare": fastest_loop,
    "seglit fit": LightningFit,
    "seglit fit, cache": cached_fit,
}


def measure_training(
    channels: tuple[int, ...] = (16, 32, 64, 128),
    size: tuple[int, int] = (256, 256),
    batch_size: int = 8,
    steps: int = 10,
    rounds: int = 5,
) -> Table:
    """Images per second and peak memory of `seglit fit` beside two loops written by hand.

    Args:
        channels: Width of the U-Net's levels.
        size: Height and width of the images.
        batch_size: Images a step.
        steps: Steps a round that are timed.
        rounds: How often the loops take turns.
    """
    avoid_broken_amx()
    keep_freed_memory()
    with TemporaryDirectory() as folder:
        workload = Workload(Path(folder), channels, batch_size)
        # What the workers read ahead comes on top: they are as busy at the last step as at the first.
        batches = WARM_UP + steps + workload.data().loading.ahead
        write_folder(workload.root, batches * batch_size, 0, 0, size)
        memory = {name: _measure_memory(name, workload) for name in LOOPS}
        loops = {name: make(workload) for name, make in LOOPS.items()}
        speeds = [{name: loop(steps) for name, loop in loops.items()} for _ in range(rounds)]
    title = f"training: U-Net {list(channels)}, {batch_size} x {size[0]} x {size[1]}, {rounds} rounds of {steps} steps"
    return _table(title, speeds, memory)


def cross_entropy_and_dice(logits: Tensor, mask: Tensor) -> Tensor:
    """Cross-entropy plus soft Dice of logits (B, C, H, W) and mask (B, H, W) without void, in few operations."""
    probabilities = logits.softmax(1)
    target = mask.unsqueeze(1) == torch.arange(logits.shape[1], device=mask.device).view(1, -1, 1, 1)
    overlap = (probabilities * target).sum((0, 2, 3))
    dice = 2 * overlap / (probabilities.sum((0, 2, 3)) + target.sum((0, 2, 3)))
    return F.cross_entropy(logits, mask, ignore_index=IGNORE_INDEX) + 1 - dice.mean()


def normalize(image: Tensor) -> Tensor:
    """What the module does to images (B, C, H, W) uint8 at every step."""
    (mean,), (std,) = DEFAULT_NORMALIZATION.mean, DEFAULT_NORMALIZATION.std
    return (image.float() / 255 - mean) / std


def _memory_of(name: str, workload: Workload) -> int:
    avoid_broken_amx()
    keep_freed_memory()
    before = peak_memory()
    LOOPS[name](workload)(WARM_UP)
    return peak_memory() - before


def _measure_memory(name: str, workload: Workload) -> int:
    """Bytes that a loop adds to the peak of a process of its own (which may start workers: they are not counted)."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_memory_of, name, workload).result()


def _table(title: str, speeds: list[dict[str, float]], memory: dict[str, int]) -> Table:
    """One row a loop; ratios are medians over the rounds, each round against itself."""
    table = Table("loop", title=title, box=MARKDOWN, title_justify="left")
    plain, fastest, *_ = LOOPS
    for heading in ("images/s", "range", "× plain", "× fastest", "peak memory"):
        table.add_column(heading, justify="right")
    for name in LOOPS:
        own = [speed[name] for speed in speeds]
        against = [median(speed[name] / speed[other] for speed in speeds) for other in (plain, fastest)]
        ratios = [f"{ratio:.2f}" for ratio in against]
        spread = f"{min(own):.1f} – {max(own):.1f}"
        table.add_row(name, f"{median(own):.1f}", spread, *ratios, f"{memory[name] / 2**20:,.0f} MiB")
    return table
