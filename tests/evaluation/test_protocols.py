"""mIoU by three definitions matches torchmetrics and reimplementations of the other two."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torchmetrics.classification import MulticlassJaccardIndex

from seglit.evaluation.confusion_matrix import ConfusionMatrix
from seglit.evaluation.protocols import miou_protocols
from seglit.labels import IGNORE_INDEX
from seglit.metrics import Counts

NUM_CLASSES = 6
Pixels = NDArray[np.int64]


def pixels(seed: int) -> tuple[Pixels, Pixels]:
    """Predictions and targets, (500,), with void; class 5 does not occur, class 4 only in the predictions."""
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
    labelled = target != IGNORE_INDEX
    metric = MulticlassJaccardIndex(NUM_CLASSES, average="macro", ignore_index=ignored)
    return float(metric(torch.from_numpy(preds[labelled]), torch.from_numpy(target[labelled])))


def mmsegmentation(preds: Pixels, target: Pixels, ignored: int | None) -> float:
    """`intersect_and_union` and the nanmean of `total_area_to_metrics`, computed from the pixels."""
    counted = (target != IGNORE_INDEX) & (target != (IGNORE_INDEX if ignored is None else ignored))
    preds, target = preds[counted], target[counted]
    ious = []
    for c in range(NUM_CLASSES):
        both = np.sum((preds == target) & (target == c))
        either = np.sum(preds == c) + np.sum(target == c) - both
        ious.append(both / either if either else math.nan)
    return float(np.nanmean(ious))


def cityscapes(preds: Pixels, target: Pixels, ignored: int | None) -> float:
    """`getIouScoreForLabel` and `getScoreAverage`, computed from a confusion matrix."""
    matrix = np.zeros((NUM_CLASSES, NUM_CLASSES), dtype=np.int64)
    for pred, target_class in zip(preds, target, strict=True):
        if target_class != IGNORE_INDEX:
            matrix[target_class, pred] += 1
    scores = []
    for label in range(NUM_CLASSES):
        tp = matrix[label, label]
        fn = matrix[label].sum() - tp
        fp = sum(matrix[other, label] for other in range(NUM_CLASSES) if other not in (label, ignored))
        if label != ignored and tp + fp + fn > 0:
            scores.append(tp / (tp + fp + fn))
    return float(sum(scores) / len(scores))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("ignored", [None, 0, 3])
def test_miou_equals_each_library(seed: int, ignored: int | None) -> None:
    preds, target = pixels(seed)
    protocols = miou_protocols(confusion(preds, target), [] if ignored is None else [ignored])
    mious = {protocol.name: protocol.miou for protocol in protocols}
    assert mious["torchmetrics"] == pytest.approx(torchmetrics(preds, target, ignored), abs=1e-6)
    assert mious["mmsegmentation"] == pytest.approx(mmsegmentation(preds, target, ignored), abs=1e-12)
    assert mious["Cityscapes"] == pytest.approx(cityscapes(preds, target, ignored), abs=1e-12)
    assert (mious["mmsegmentation"] == mious["torchmetrics"]) == (ignored is None)


def test_ignored_background_is_void() -> None:
    matrix = np.array([[6, 2, 0], [1, 3, 0], [0, 0, 0]])
    mious = [protocol.miou for protocol in miou_protocols(matrix, [0])]
    assert mious == pytest.approx([3 / 4, 3 / 8, 3 / 4])  # the 2 false positives are on void
    assert all(math.isnan(protocol.miou) for protocol in miou_protocols(np.zeros((2, 2), dtype=np.int64)))
