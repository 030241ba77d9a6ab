"""The scores of a test in a file, image by image, for whatever reads them next."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from seglit.callbacks.benchmark import Cost
from seglit.callbacks.saving import BestCheckpoint
from seglit.evaluation.breakdown import DISTANCES, SIZES, Breakdown
from seglit.evaluation.evaluation import FullScores
from seglit.evaluation.mistakes import Region
from seglit.metrics import divide, mean_defined
from seglit.report.tested import SCORE_FILE


class ScoreFile(pl.Callback):
    """Writes `scores_test.json` into the run folder.

    It holds the `checkpoint` that was scored, `cost` (time and memory), `scores` (what metrics.csv has), `classes`
    (every score of each), `confusion` (rows the target, columns the prediction), `calibration` (its bins), `sizes` and
    `distances` (scores level by level, see `seglit.evaluation.breakdown`), `confusions` and `label_errors` (regions
    worth a look, see `seglit.evaluation.mistakes`) and `images`: each with its name, its mIoU over the classes in
    target or prediction, its pixel accuracy, and how many pixels of each of these classes are right, in the target and
    predicted. What is n/a is null; an image without a labelled pixel is not listed. `seglit.report.tested` reads it.
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


def scores_as_json(scores: FullScores, class_names: tuple[str, ...]) -> dict[str, Any]:
    """The scores as plain data, nan as None."""
    low, high = scores.intervals.iou
    per_class = {
        "iou": scores.iou,
        "iou_low": low,
        "iou_high": high,
        "dice": scores.dice,
        "precision": scores.precision,
        "recall": scores.recall,
        "boundary_iou": scores.boundary.iou,
        "boundary_f1": scores.boundary.f1,
        "pixel_share": scores.pixel_share,
    }
    return {
        "scores": {name: _plain(value) for name, value in scores.as_dict(class_names).items() if "/" not in name},
        "classes": {
            name: {key: _plain(values[place]) for key, values in per_class.items()}
            for place, name in enumerate(class_names)
        },
        "confusion": scores.confusion.tolist(),
        "calibration": {
            "pixels": scores.calibration.pixels.tolist(),
            "accuracy": [_plain(value) for value in scores.calibration.accuracy],
            "confidence": [_plain(value) for value in scores.calibration.confidence],
        },
        "sizes": _levels(scores.sizes, (0.0, *SIZES), (*SIZES, None), class_names),
        "distances": _levels(scores.distances, (1, *(last + 1 for last in DISTANCES)), (*DISTANCES, None), class_names),
        "confusions": [
            {
                **each._asdict(),
                "target": class_names[each.target],
                "prediction": class_names[each.prediction],
                "regions": [_region(region, class_names) for region in each.regions],
            }
            for each in scores.confusions
        ],
        "label_errors": [_region(region, class_names) for region in scores.label_errors],
        "images": _images(scores, class_names),
    }


def _levels(
    breakdown: Breakdown, first: Sequence[float], last: Sequence[float | None], class_names: tuple[str, ...]
) -> list[dict[str, Any]]:
    return [
        {
            "from": first[place],
            "to": last[place],
            "miou": _plain(breakdown.miou[place]),
            "pixel_accuracy": _plain(breakdown.pixel_accuracy[place]),
            "pixels": int(breakdown.counts[place, 1].sum()),
            "classes": {
                name: {
                    "iou": _plain(breakdown.iou[place, index]),
                    "recall": _plain(breakdown.recall[place, index]),
                    "objects": int(breakdown.objects[place, index]),
                }
                for index, name in enumerate(class_names)
                if breakdown.counts[place, 1, index]
            },
        }
        for place in range(len(first))
    ]


def _region(region: Region, class_names: tuple[str, ...]) -> dict[str, Any]:
    names = {"target": class_names[region.target], "prediction": class_names[region.prediction]}
    return {**region._asdict(), **names}


def _images(scores: FullScores, class_names: tuple[str, ...]) -> list[dict[str, Any]]:
    correct, target, predicted = scores.images.swapaxes(0, 1)
    iou = divide(correct, target + predicted - correct)  # (N, C)
    accuracy = divide(correct.sum(axis=1), target.sum(axis=1))
    return [
        {
            "name": name,
            "miou": mean_defined(iou[place]),
            "pixel_accuracy": float(accuracy[place]),
            "pixels": {
                each: scores.images[place, :, index].tolist()
                for index, each in enumerate(class_names)
                if scores.images[place, :, index].any()
            },
        }
        for place, name in enumerate(scores.names)
    ]


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
