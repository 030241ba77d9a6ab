"""The scores of a test as plain data, image by image: the file `scores_test.json` of a run folder."""

import math
from collections.abc import Sequence
from typing import Any

from seglit.evaluation.breakdown import DISTANCES, SIZES, Breakdown
from seglit.evaluation.evaluation import FullScores
from seglit.evaluation.mistakes import Region
from seglit.metrics import divide, mean_defined

SCORE_FILE = "scores_test.json"
"""What `seglit.callbacks.ScoreFile` writes into the folder of a run that was tested."""


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
