"""Scores match NumPy bit for bit and torchmetrics; state accumulates over batches and ranks."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassF1Score,
    MulticlassJaccardIndex,
    MulticlassPrecision,
)

from seglit.errors import InputError
from seglit.evaluation.confusion_matrix import ConfusionMatrix
from seglit.labels import IGNORE_INDEX
from seglit.metrics import Scores

NUM_CLASSES = 6
NAN = float("nan")


def batch(seed: int) -> tuple[Tensor, Tensor]:
    """Predictions and a mask with void, (2, 13, 11); class 5 does not occur, class 4 only in the predictions."""
    generator = torch.Generator().manual_seed(seed)
    mask = torch.randint(0, 4, (2, 13, 11), generator=generator)
    noise = torch.randint(0, 5, mask.shape, generator=generator)
    preds = torch.where(torch.rand(mask.shape, generator=generator) < 0.6, mask, noise)
    mask[torch.rand(mask.shape, generator=generator) < 0.2] = IGNORE_INDEX
    return preds, mask


def scores_of(*batches: tuple[Tensor, Tensor]) -> Scores:
    metric = ConfusionMatrix(NUM_CLASSES)
    for preds, mask in batches:
        metric.update(preds, mask)
    return metric.compute()


def reference(preds: NDArray[np.int64], mask: NDArray[np.int64]) -> dict[str, list[float]]:
    """Computes the per-class scores from the pixels."""
    preds, mask = preds[mask != IGNORE_INDEX], mask[mask != IGNORE_INDEX]
    scores: dict[str, list[float]] = {"iou": [], "dice": [], "precision": [], "recall": [], "pixel_share": []}
    for c in range(NUM_CLASSES):
        both, either = int(((preds == c) & (mask == c)).sum()), int(((preds == c) | (mask == c)).sum())
        target, predicted = int((mask == c).sum()), int((preds == c).sum())
        scores["iou"].append(both / either if either else NAN)
        scores["dice"].append(2 * both / (both + either) if either else NAN)
        scores["precision"].append(both / predicted if predicted else NAN)
        scores["recall"].append(both / target if target else NAN)
        scores["pixel_share"].append(target / len(mask))
    return scores


@pytest.mark.parametrize("seed", range(5))
def test_scores_equal_numpy_bit_for_bit(seed: int) -> None:
    preds, mask = batch(seed)
    scores, expected = scores_of((preds, mask)), reference(preds.numpy(), mask.numpy())
    for name, values in expected.items():
        np.testing.assert_array_equal(getattr(scores, name), np.array(values), strict=True)
    assert scores.miou == np.nanmean(expected["iou"])
    assert scores.mdice == np.nanmean(expected["dice"])
    assert scores.mean_precision == np.nanmean(expected["precision"])
    assert scores.mean_accuracy == np.nanmean(expected["recall"])
    labelled = mask[mask != IGNORE_INDEX]
    weighted = np.mean([expected["iou"][c] for c in labelled])  # every pixel weighs its class's IoU
    assert scores.frequency_weighted_iou == pytest.approx(weighted, abs=1e-12)
    assert scores.pixel_accuracy == float((preds == mask).sum()) / float((mask != IGNORE_INDEX).sum())


@pytest.mark.parametrize("seed", range(5))
def test_scores_equal_torchmetrics(seed: int) -> None:
    preds, mask = batch(seed)
    scores = scores_of((preds, mask))

    def torchmetrics(kind: type, average: str) -> NDArray[np.float64]:
        value: Tensor = kind(NUM_CLASSES, average=average, ignore_index=IGNORE_INDEX)(preds, mask)
        return value.double().numpy()

    occurs, in_target = ~np.isnan(scores.iou), ~np.isnan(scores.recall)
    assert occurs.tolist() == [True] * 5 + [False]
    assert in_target.tolist() == [True] * 4 + [False] * 2
    assert scores.miou == pytest.approx(torchmetrics(MulticlassJaccardIndex, "macro"), abs=1e-6)
    np.testing.assert_allclose(scores.iou[occurs], torchmetrics(MulticlassJaccardIndex, "none")[occurs], atol=1e-6)
    np.testing.assert_allclose(scores.dice[occurs], torchmetrics(MulticlassF1Score, "none")[occurs], atol=1e-6)
    recall = torchmetrics(MulticlassAccuracy, "none")
    np.testing.assert_allclose(scores.recall[in_target], recall[in_target], atol=1e-6)
    precision = torchmetrics(MulticlassPrecision, "none")
    np.testing.assert_allclose(scores.precision[occurs], precision[occurs], atol=1e-6)
    assert scores.pixel_accuracy == pytest.approx(torchmetrics(MulticlassAccuracy, "micro"), abs=1e-6)


def test_batches_add_up_and_reset_clears() -> None:
    batches = [batch(seed) for seed in range(3)]
    together = torch.cat([preds for preds, _ in batches]), torch.cat([mask for _, mask in batches])
    metric = ConfusionMatrix(NUM_CLASSES)
    metric.update(*batch(9))
    metric.reset()
    for preds, mask in batches:
        metric.update(preds, mask.to(torch.uint8))
    np.testing.assert_array_equal(metric.compute().confusion, scores_of(together).confusion)


def test_uint8_masks_do_not_overflow() -> None:
    metric = ConfusionMatrix(20)  # 20 * 19 overflows uint8
    labels = torch.arange(20, dtype=torch.uint8).reshape(1, 4, 5)
    metric.update(labels, labels)
    np.testing.assert_array_equal(metric.compute().confusion, np.eye(20, dtype=np.int64))


def test_scores_of_void_are_nan() -> None:
    preds, mask = batch(0)
    scores = scores_of((preds, torch.full_like(mask, IGNORE_INDEX)))
    assert np.isnan(list(scores.as_dict("abcdef").values())).all()
    assert np.isnan(scores.pixel_share).all()
    assert np.isnan(scores.frequency_weighted_iou)


def test_counts_beyond_float32_are_exact() -> None:
    confusion = np.array([[2**24 + 1, 0], [0, 2**25 + 1]])
    confusion[0, 1] = 1
    assert Scores(confusion).iou.tolist() == [(2**24 + 1) / (2**24 + 2), (2**25 + 1) / (2**25 + 2)]


def test_logged_names() -> None:
    scores = scores_of(batch(0))
    names = ["road", "car", "tree", "sky", "sign", "void-free"]
    logged = scores.as_dict(names)
    assert list(logged) == ["miou", "dice", "pixel_accuracy", "mean_accuracy", *(f"iou/{name}" for name in names)]
    assert logged["iou/car"] == scores.iou[1]
    assert logged["dice"] == scores.mdice
    assert np.isnan(logged["iou/void-free"])
    with pytest.raises(InputError, match="6 classes do not match 2"):
        scores.as_dict(["a", "b"])


@contextmanager
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


def test_deterministic_mode() -> None:
    with deterministic():
        strict = scores_of(batch(0)).confusion
    np.testing.assert_array_equal(strict, scores_of(batch(0)).confusion)


@pytest.mark.parametrize("value", [NUM_CLASSES, NUM_CLASSES + 1, 254])
def test_rejects_invalid_class_index(value: int) -> None:
    mask = torch.zeros(1, 4, 4, dtype=torch.uint8)
    mask[0, 2, 1] = value
    with pytest.raises(InputError, match="class index above 5"):
        ConfusionMatrix(NUM_CLASSES).update(torch.zeros(1, 4, 4, dtype=torch.long), mask)


def test_rejects_different_shapes() -> None:
    with pytest.raises(InputError, match="differ in shape"):
        ConfusionMatrix(2).update(torch.zeros(1, 4, 4).long(), torch.zeros(1, 4, 1).long())


def test_two_ranks_equal_one() -> None:
    batches = [batch(seed) for seed in range(3)]
    ranks = [ConfusionMatrix(NUM_CLASSES), ConfusionMatrix(NUM_CLASSES)]
    for i, (preds, mask) in enumerate(batches):
        ranks[i % 2].update(preds, mask)
    gathered = [rank.confmat.clone() for rank in ranks]
    for rank in ranks:  # torchmetrics' own synchronisation with mocked communication
        rank.distributed_available_fn = lambda: True
        rank.dist_sync_fn = lambda *_, **__: gathered
        np.testing.assert_array_equal(rank.compute().confusion, scores_of(*batches).confusion)
