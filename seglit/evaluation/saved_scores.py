"""Converts the scores of a test to the format of the score file."""

from collections.abc import Sequence

from seglit.evaluation.breakdown import DISTANCES, SIZES, Breakdown
from seglit.evaluation.evaluation import TestScores
from seglit.metrics import divide, mean_defined
from seglit.runs import scores as saved


def as_saved(
    scores: TestScores,
    own_metrics: dict[str, saved.Score | dict[str, saved.Score]],
    class_names: tuple[str, ...],
    checkpoint: str | None,
    cost: saved.Cost,
) -> saved.SavedScores:
    """Converts the scores to the saved format, with class names for class indices."""
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
    bins = scores.calibration
    return saved.SavedScores(
        checkpoint,
        cost,
        {name: value for name, value in scores.as_dict(class_names).items() if "/" not in name},
        own_metrics,
        {
            name: saved.ClassScores(**{key: float(values[index]) for key, values in per_class.items()})
            for index, name in enumerate(class_names)
        },
        scores.confusion.tolist(),
        saved.CalibrationBins(bins.pixels.tolist(), bins.accuracy.tolist(), bins.confidence.tolist()),
        _levels(scores.sizes, (0.0, *SIZES), (*SIZES, None), class_names),
        _levels(scores.distances, (1, *(last + 1 for last in DISTANCES)), (*DISTANCES, None), class_names),
        scores.confusions,
        scores.label_errors,
        _images(scores, class_names),
    )


def _levels(
    breakdown: Breakdown, first: Sequence[float], last: Sequence[float | None], class_names: tuple[str, ...]
) -> list[saved.Level]:
    return [
        saved.Level(
            first=first[level],
            last=last[level],
            miou=float(breakdown.miou[level]),
            pixel_accuracy=float(breakdown.pixel_accuracy[level]),
            pixels=int(breakdown.counts[level, 1].sum()),
            classes={
                name: saved.LevelOfClass(
                    float(breakdown.iou[level, index]),
                    float(breakdown.recall[level, index]),
                    int(breakdown.objects[level, index]),
                )
                for index, name in enumerate(class_names)
                if breakdown.counts[level, 1, index]
            },
        )
        for level in range(len(first))
    ]


def _images(scores: TestScores, class_names: tuple[str, ...]) -> list[saved.ImageScores]:
    correct, target, predicted = scores.images.swapaxes(0, 1)
    iou = divide(correct, target + predicted - correct)  # (N, C)
    accuracy = divide(correct.sum(axis=1), target.sum(axis=1))
    return [
        saved.ImageScores(
            name,
            mean_defined(iou[row]),
            float(accuracy[row]),
            {
                class_name: tuple(scores.images[row, :, index].tolist())
                for index, class_name in enumerate(class_names)
                if scores.images[row, :, index].any()
            },
            "" if group == saved.stack_of(name) else group,
        )
        for row, (name, group) in enumerate(zip(scores.names, scores.groups, strict=True))
    ]
