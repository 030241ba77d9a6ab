"""Writes all scores of a test, including those of each image, to a file."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from seglit.callbacks.benchmark import Benchmark
from seglit.callbacks.saving import best_checkpoint
from seglit.evaluation.saved_scores import as_saved


class ScoreFile(pl.Callback):
    """Writes `scores_test.json` into the run folder; see `seglit.runs.scores`."""

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Starts the benchmark."""
        self.benchmark = Benchmark(pl_module, pl_module.device)

    def on_test_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Writes the file."""
        cost = self.benchmark.stop()
        if trainer.is_global_zero:
            folder = Path(trainer.default_root_dir)
            checkpoint = _scored_checkpoint(trainer, folder)
            scores, own_metrics = pl_module.scores["test"], pl_module.own_metrics["test"]
            as_saved(scores, own_metrics, pl_module.labels.class_names, checkpoint, cost).write(folder)


def _scored_checkpoint(trainer: pl.Trainer, folder: Path) -> str | None:
    """Returns the checkpoint's path, or None; relative if within the run folder, so that the folder can be moved."""
    path = trainer.ckpt_path or best_checkpoint(trainer)
    if not path:
        return None
    file = Path(path).absolute()
    return file.relative_to(folder).as_posix() if file.is_relative_to(folder) else str(file)
