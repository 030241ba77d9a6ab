"""Whether the memory of a training stays flat from epoch to epoch."""

import multiprocessing
import os
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytorch_lightning as pl
from rich.box import MARKDOWN
from rich.table import Table

from seglit.__main__ import main

ROOT = Path(__file__).parents[1]
LARGEST_GROWTH = 0.03  # from the first third of the epochs to the last; the allocator alone varies by 1 %


class ResidentMemory(pl.Callback):
    """Appends the resident memory of the process and of its workers to a file, after each epoch.

    Args:
        file: A line per epoch: bytes of the process, and of its workers together.
    """

    def __init__(self, file: str) -> None:
        self.file = Path(file)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Appends a line."""
        workers = sum(_resident(worker.pid or 0) for worker in multiprocessing.active_children())
        with self.file.open("a", encoding="utf-8") as file:
            file.write(f"{_resident(os.getpid())} {workers}\n")


def _resident(pid: int) -> int:
    """Resident bytes of a process, with what it shares with others; needs Linux."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) * 1024


def measure_memory(epochs: int = 30, num_train: int = 64, num_workers: int = 2) -> Table:
    """Resident memory of a training of the U-Net on synthetic shapes, after each epoch.

    Args:
        epochs: Number of epochs.
        num_train: Number of training images.
        num_workers: Number of worker processes.

    Raises:
        SystemExit: It grew.
    """
    with TemporaryDirectory() as folder:
        lines = Path(folder, "memory.txt")
        callback = f"{{class_path: benchmarks.memory.ResidentMemory, init_args: {{file: {lines}}}}}"
        Path(folder, "memory.yaml").write_text(f"trainer: {{callbacks+: {callback}}}\n", encoding="utf-8")
        data = f"--data.num_train={num_train} --data.num_val=8 --data.num_test=2 --data.num_workers={num_workers}"
        options = (
            f"--trainer.max_epochs={epochs} --trainer.default_root_dir={folder} --trainer.enable_progress_bar=false"
        )
        shapes = str(ROOT / "configs" / "experiment" / "shapes.yaml")
        if code := main(["fit", "-c", shapes, "-c", f"{folder}/memory.yaml", *data.split(), *options.split()]):
            sys.exit(code)
        rows = [
            [int(number) / 1e6 for number in line.split()] for line in lines.read_text(encoding="utf-8").splitlines()
        ]
    table = Table("epoch", "process, MB", "workers, MB", title="memory", box=MARKDOWN)
    for epoch in sorted({1, 2, epochs // 3, 2 * epochs // 3, epochs} - {0}):
        table.add_row(str(epoch), *(f"{value:.0f}" for value in rows[epoch - 1]))
    third = max(1, epochs // 3)
    for name, values in zip(("process", "workers"), zip(*rows, strict=True), strict=True):
        before, after = max(values[:third]), max(values[-third:])
        if after > before * (1 + LARGEST_GROWTH):
            sys.exit(f"the memory of the {name} grew from {before:.0f} to {after:.0f} MB")
    return table
