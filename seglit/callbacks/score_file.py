"""The scores of a test in a file, image by image, for whatever reads them next."""

import json
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from seglit.callbacks.benchmark import Cost
from seglit.callbacks.saving import BestCheckpoint
from seglit.evaluation.evaluation import FullScores
from seglit.runs.scores import SCORE_FILE, scores_as_json


class ScoreFile(pl.Callback):
    """Writes `scores_test.json` into the run folder.

    It holds the `checkpoint` that was scored, `cost` (time and memory), `scores` (what metrics.csv has), `classes`
    (every score of each), `confusion` (rows the target, columns the prediction), `calibration` (its bins), `sizes` and
    `distances` (scores level by level, see `seglit.evaluation.breakdown`), `confusions` and `label_errors` (regions
    worth a look, see `seglit.evaluation.mistakes`) and `images`: each with its name, its mIoU over the classes in
    target or prediction, its pixel accuracy, and how many pixels of each of these classes are right, in the target and
    predicted. What is n/a is null; an image without a labelled pixel is not listed. `seglit.runs.tested` reads it.
    """

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Starts the clock."""
        self.cost = Cost(pl_module)

    def on_test_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Writes the file."""
        scores: FullScores = pl_module.scores["test"]
        cost = self.cost.stop()
        if trainer.is_global_zero:
            folder = Path(trainer.default_root_dir)
            folder.mkdir(parents=True, exist_ok=True)
            content = {
                "checkpoint": _scored_checkpoint(trainer, folder),
                "cost": cost,
                **scores_as_json(scores, pl_module.labels.class_names),
            }
            (folder / SCORE_FILE).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _scored_checkpoint(trainer: pl.Trainer, folder: Path) -> str | None:
    """The checkpoint's path, relative where it is in the run folder, which can then be moved; None if there is none."""
    kept = (each.best_model_path for each in trainer.checkpoint_callbacks if isinstance(each, BestCheckpoint))
    path = trainer.ckpt_path or next(kept, "")
    if not path:
        return None
    file = Path(path).absolute()
    return file.relative_to(folder).as_posix() if file.is_relative_to(folder) else str(file)
