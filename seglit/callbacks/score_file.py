"""The scores of a test in a file, image by image, for whatever reads them next."""

import json
import math
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from seglit.evaluation import FullScores
from seglit.metrics import divide, mean_defined


class ScoreFile(pl.Callback):
    """Writes `scores_test.json` into the run folder.

    It holds `scores` (what metrics.csv has), `classes` (every score of each), `confusion` (rows the target, columns the
    prediction) and `images`, by name: mIoU over the classes in target or prediction, pixel accuracy, and these IoUs.
    What is n/a is null; an image without a labelled pixel is not listed.
    """

    def on_test_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Writes the file."""
        if trainer.is_global_zero:
            content = scores_as_json(pl_module.scores["test"], pl_module.labels.class_names)
            folder = Path(trainer.default_root_dir)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "scores_test.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


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
        "images": _images(scores, class_names),
    }


def _images(scores: FullScores, class_names: tuple[str, ...]) -> list[dict[str, Any]]:
    correct, target, predicted = scores.images.swapaxes(0, 1)
    iou = divide(correct, target + predicted - correct)  # (N, C)
    accuracy = divide(correct.sum(axis=1), target.sum(axis=1))
    return [
        {
            "name": name,
            "miou": mean_defined(iou[place]),
            "pixel_accuracy": float(accuracy[place]),
            "iou": {each: float(v) for each, v in zip(class_names, iou[place], strict=True) if not math.isnan(v)},
        }
        for place, name in enumerate(scores.names)
    ]


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
