"""Boundary scores: against each class eroded by itself, as Cheng et al. do it, and distances measured pair by pair."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from seglit.evaluation import boundary
from seglit.evaluation.boundary import BoundaryCounts, BoundaryScores
from seglit.labels import IGNORE_INDEX

NUM_CLASSES = 4  # the last occurs nowhere
Mask = NDArray[np.uint8]
Places = NDArray[np.bool_]


def blobs(seed: int, height: int, width: int) -> Mask:
    """A mask of three classes in patches."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 3, (height // 6 + 1, width // 6 + 1)).astype(np.uint8)
    return np.kron(coarse, np.ones((6, 6), dtype=np.uint8))[:height, :width]


def pair(seed: int, height: int = 30, width: int = 41, *, void: bool = True) -> tuple[Mask, Mask]:
    """A prediction that is the target moved a little and disturbed; some of the target is void."""
    target = blobs(seed, height, width)
    preds = np.roll(target, (1, 2), axis=(0, 1))
    preds[10:14, 5:20] = 1
    if void:
        target[:4, 15:] = target[20:23] = IGNORE_INDEX
    return preds, target


def scores(pairs: list[tuple[Mask, Mask]]) -> BoundaryScores:
    counts = BoundaryCounts(NUM_CLASSES)
    for preds, target in pairs:
        counts.update(torch.from_numpy(preds)[None].long(), torch.from_numpy(target)[None])
    return counts.compute()


def distance(places: Places, others: Places) -> NDArray[np.float64]:
    """How far each of some places is from the nearest of the others, in steps to eight neighbours."""
    here, there = np.argwhere(places), np.argwhere(others)
    steps = np.abs(here[:, np.newaxis] - there).max(axis=2) if len(there) else np.full((len(here), 1), np.inf)
    return np.asarray(steps.min(axis=1), dtype=np.float64)


def pixels(share: float, mask: Mask) -> int:
    return max(1, round(share * math.hypot(*mask.shape)))


def band(binary: Places, width: int) -> Places:
    """Where a binary mask, zero beyond the image, is lost by eroding it `width` times with 3 x 3."""
    left = np.pad(binary, 1)
    for _ in range(width):
        framed = np.pad(left, 1, constant_values=True)
        rows, columns = left.shape
        left = np.all([framed[y : y + rows, x : x + columns] for y in range(3) for x in range(3)], axis=0)
    return binary & ~left[1:-1, 1:-1]


def reference_iou(pairs: list[tuple[Mask, Mask]], share: float) -> list[float]:
    """Boundary IoU of each class, its mask cut out of both."""
    ious = []
    for c in range(NUM_CLASSES):
        both = either = 0
        for preds, target in pairs:
            width, known = pixels(share, target), target != IGNORE_INDEX
            found, true = band((preds == c) & known, width), band(target == c, width)
            both, either = both + int((found & true).sum()), either + int((found | true).sum())
        ious.append(both / either if either else np.nan)
    return ious


def outline(mask: Mask, c: int) -> Places:
    """The pixels of a class that have a neighbour of another one, void included, within the image."""
    places = np.zeros(mask.shape, dtype=bool)
    for y, x in np.argwhere(mask == c):
        places[y, x] = (mask[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2] != c).any()
    return places


def reference_f1(pairs: list[tuple[Mask, Mask]], share: float) -> list[float]:
    f1 = []
    for c in range(NUM_CLASSES):
        met, total = np.zeros(2), np.zeros(2)
        for preds, target in pairs:
            found = outline(np.where(target == IGNORE_INDEX, target, preds), c)
            true = outline(target, c)
            for i, (one, other) in enumerate(((found, true), (true, found))):
                met[i] += (distance(one, other) <= pixels(share, target)).sum()
                total[i] += one.sum()
        if not total.any():
            f1.append(np.nan)
        elif not met.any():
            f1.append(0.0)
        else:
            precision, recall = met / total
            f1.append(2 * precision * recall / (precision + recall))
    return f1


@pytest.mark.parametrize("share", [0.001, 0.04, 0.1])
def test_boundary_iou_is_that_of_eroding_each_class(share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boundary, "IOU_WIDTH", share)
    pairs = [pair(0), pair(1, 23, 55), pair(2, void=False)]
    found = scores(pairs).iou
    np.testing.assert_allclose(found, reference_iou(pairs, share), rtol=1e-12)
    assert np.isnan(found[3])
    assert (found[:3] < 1).all()


@pytest.mark.parametrize("share", [0.001, 0.02, 0.05])
def test_boundary_f1_is_that_of_measuring_every_distance(share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boundary, "F1_WIDTH", share)
    pairs = [pair(0), pair(1, 23, 55), pair(2, void=False)]
    found = scores(pairs)
    np.testing.assert_allclose(found.f1, reference_f1(pairs, share), rtol=1e-12)
    assert found.mean_f1 == pytest.approx(np.nanmean(reference_f1(pairs, share)))


def test_by_default_the_widths_are_the_papers() -> None:
    pairs = [pair(3, 100, 110)]
    np.testing.assert_array_equal(scores(pairs).iou, reference_iou(pairs, 0.02))
    np.testing.assert_allclose(scores(pairs).f1, reference_f1(pairs, 0.0075), rtol=1e-12)


def test_the_right_answer_is_one_and_void_says_nothing() -> None:
    target = pair(0)[1]
    preds = np.where(target == IGNORE_INDEX, np.uint8(2), target)
    right = scores([(preds, target)])
    assert right.iou[:3].tolist() == right.f1[:3].tolist() == [1, 1, 1]
    nothing = scores([(preds, np.full_like(target, IGNORE_INDEX))])
    assert np.isnan([*nothing.iou, *nothing.f1, nothing.mean_iou, nothing.mean_f1]).all()


def test_a_class_that_only_one_of_the_two_has_scores_zero() -> None:
    target = np.zeros((20, 20), dtype=np.uint8)
    preds = target.copy()
    preds[5:10, 5:10] = 1
    found = scores([(preds, target)])
    assert found.iou[1] == found.f1[1] == 0
    assert found.f1[0] == 0  # its outline is around the box, and in the prediction only


def test_it_sees_an_outline_that_iou_does_not() -> None:
    target = np.zeros((200, 200), dtype=np.uint8)
    target[20:180, 20:180] = 1
    preds = np.zeros_like(target)
    preds[23:177, 23:177] = 1
    plain = 154**2 / 160**2
    found = scores([(preds, target)])
    assert plain > 0.92
    assert found.iou[1] < 0.4  # 3 of the band's 6 pixels
    assert found.f1[1] == 0  # 2 pixels may be missed, here it is 3
