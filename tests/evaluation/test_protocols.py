"""mIoU by three conventions: against torchmetrics itself, and against the other two as their code defines them."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torchmetrics.classification import MulticlassJaccardIndex

from seglit.evaluation.protocols import miou_protocols
from seglit.labels import IGNORE_INDEX
from seglit.metrics import ConfusionMatrix, Counts

NUM_CLASSES = 6
Pixels = NDArray[np.int64]


def pixels(seed: int) -> tuple[Pixels, Pixels]:
    """Predictions and targets, (500,), with void; class 5 occurs nowhere, class 4 in the predictions only."""
    generator = np.random.default_rng(seed)
    target = generator.integers(0, 4, 500)
    preds = np.where(generator.random(500) < 0.6, target, generator.integers(0, 5, 500))
    target[generator.random(500) < 0.2] = IGNORE_INDEX
    return preds, target


def confusion(preds: Pixels, target: Pixels) -> Counts:
    metric = ConfusionMatrix(NUM_CLASSES)
    metric.update(torch.from_numpy(preds).view(1, 1, -1), torch.from_numpy(target).view(1, 1, -1))
    return metric.compute().confusion


def torchmetrics(preds: Pixels, target: Pixels, ignored: int | None) -> float:
    known = target != IGNORE_INDEX
    metric = MulticlassJaccardIndex(NUM_CLASSES, average="macro", ignore_index=ignored)
    return float(metric(torch.from_numpy(preds[known]), torch.from_numpy(target[known])))


def mmsegmentation(preds: Pixels, target: Pixels, ignored: int | None) -> float:
    """`intersect_and_union` and the nanmean of `total_area_to_metrics`, counted from the pixels."""
    known = (target != IGNORE_INDEX) & (target != (IGNORE_INDEX if ignored is None else ignored))
    preds, target = preds[known], target[known]
    ious = []
    for c in range(NUM_CLASSES):
        both = np.sum((preds == target) & (target == c))
        either = np.sum(preds == c) + np.sum(target == c) - both
        ious.append(both / either if either else math.nan)
    return float(np.nanmean(ious))


def cityscapes(preds: Pixels, target: Pixels, ignored: int | None) -> float:
    """`getIouScoreForLabel` and `getScoreAverage`, from a matrix filled pixel by pixel."""
    matrix = np.zeros((NUM_CLASSES, NUM_CLASSES), dtype=np.int64)
    for predicted, true in zip(preds, target, strict=True):
        if true != IGNORE_INDEX:
            matrix[true, predicted] += 1
    scores = []
    for label in range(NUM_CLASSES):
        hits = matrix[label, label]
        missed = matrix[label].sum() - hits
        wrong = sum(matrix[other, label] for other in range(NUM_CLASSES) if other not in (label, ignored))
        if label != ignored and hits + missed + wrong > 0:
            scores.append(hits / (hits + missed + wrong))
    return float(sum(scores) / len(scores))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("ignored", [None, 0, 3])
def test_each_convention_is_the_one_it_is_named_after(seed: int, ignored: int | None) -> None:
    preds, target = pixels(seed)
    found = {
        each.name: each.miou for each in miou_protocols(confusion(preds, target), [] if ignored is None else [ignored])
    }
    assert found["torchmetrics"] == pytest.approx(torchmetrics(preds, target, ignored), abs=1e-6)
    assert found["mmsegmentation"] == pytest.approx(mmsegmentation(preds, target, ignored), abs=1e-12)
    assert found["Cityscapes"] == pytest.approx(cityscapes(preds, target, ignored), abs=1e-12)
    assert (found["mmsegmentation"] == found["torchmetrics"]) == (ignored is None)


def test_a_background_that_is_set_aside_is_void() -> None:
    matrix = np.array([[6, 2, 0], [1, 3, 0], [0, 0, 0]])
    mious = [each.miou for each in miou_protocols(matrix, [0])]
    assert mious == pytest.approx([3 / 4, 3 / 8, 3 / 4])  # the 2 false alarms lie on void
    assert all(math.isnan(each.miou) for each in miou_protocols(np.zeros((2, 2), dtype=np.int64)))
