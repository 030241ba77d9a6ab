"""Boundary IoU matches eroding each class, as Cheng et al. do; boundary F1 matches brute-force distances."""

import math
import sys

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from seglit.evaluation import boundary
from seglit.evaluation.boundary import BoundaryCounts, BoundaryScores
from seglit.evaluation.image_pair import image_pairs
from seglit.labels import IGNORE_INDEX

NUM_CLASSES = 4  # the last does not occur
Classes = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def patches(seed: int, height: int, width: int) -> Classes:
    """A target of three classes in patches."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 3, (height // 6 + 1, width // 6 + 1)).astype(np.uint8)
    return np.kron(coarse, np.ones((6, 6), dtype=np.uint8))[:height, :width]


def pair(seed: int, height: int = 30, width: int = 41, *, void: bool = True) -> tuple[Classes, Classes]:
    """Preds that are the shifted target with an error, and a target with void."""
    target = patches(seed, height, width)
    preds = np.roll(target, (1, 2), axis=(0, 1))
    preds[10:14, 5:20] = 1
    if void:
        target[:4, 15:] = target[20:23] = IGNORE_INDEX
    return preds, target


def scores(pairs: list[tuple[Classes, Classes]]) -> BoundaryScores:
    counts = BoundaryCounts(NUM_CLASSES)
    for preds, target in pairs:
        for image in image_pairs(torch.from_numpy(preds)[None].long(), torch.from_numpy(target)[None]):
            counts.update(image)
    return counts.compute()


def distance(mask: Mask, other: Mask) -> NDArray[np.float64]:
    """The chessboard distance of each pixel in a mask to the nearest pixel in another one."""
    pixels, others = np.argwhere(mask), np.argwhere(other)
    steps = np.abs(pixels[:, np.newaxis] - others).max(axis=2) if len(others) else np.full((len(pixels), 1), np.inf)
    return np.asarray(steps.min(axis=1), dtype=np.float64)


def in_pixels(share: float, classes: Classes) -> int:
    return max(1, round(share * math.hypot(*classes.shape)))


def band(mask: Mask, width: int) -> Mask:
    """The pixels removed from a mask, zero-padded beyond the image, by eroding it `width` times with 3 x 3."""
    eroded = np.pad(mask, 1)
    for _ in range(width):
        padded = np.pad(eroded, 1, constant_values=True)
        rows, columns = eroded.shape
        eroded = np.all([padded[y : y + rows, x : x + columns] for y in range(3) for x in range(3)], axis=0)
    return mask & ~eroded[1:-1, 1:-1]


def reference_iou(pairs: list[tuple[Classes, Classes]], share: float) -> list[float]:
    """Boundary IoU of each class, with void cut out of preds and target."""
    ious = []
    for c in range(NUM_CLASSES):
        both = either = 0
        for preds, target in pairs:
            width, labelled = in_pixels(share, target), target != IGNORE_INDEX
            preds_band, target_band = band((preds == c) & labelled, width), band(target == c, width)
            both, either = both + int((preds_band & target_band).sum()), either + int((preds_band | target_band).sum())
        ious.append(both / either if either else np.nan)
    return ious


def outline(classes: Classes, c: int) -> Mask:
    """The pixels of a class that have a neighbour of another class or void within the image."""
    mask = np.zeros(classes.shape, dtype=bool)
    for y, x in np.argwhere(classes == c):
        mask[y, x] = (classes[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2] != c).any()
    return mask


def reference_f1(pairs: list[tuple[Classes, Classes]], share: float) -> list[float]:
    f1 = []
    for c in range(NUM_CLASSES):
        matched, total = np.zeros(2), np.zeros(2)
        for preds, target in pairs:
            preds_outline = outline(np.where(target == IGNORE_INDEX, target, preds), c)
            target_outline = outline(target, c)
            for i, (one, other) in enumerate(((preds_outline, target_outline), (target_outline, preds_outline))):
                matched[i] += (distance(one, other) <= in_pixels(share, target)).sum()
                total[i] += one.sum()
        if not total.any():
            f1.append(np.nan)
        elif not matched.any():
            f1.append(0.0)
        else:
            precision, recall = matched / total
            f1.append(2 * precision * recall / (precision + recall))
    return f1


@pytest.mark.parametrize("share", [0.001, 0.04, 0.1])
def test_boundary_iou_equals_erosion_per_class(share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boundary, "IOU_WIDTH", share)
    pairs = [pair(0), pair(1, 23, 55), pair(2, void=False)]
    iou = scores(pairs).iou
    np.testing.assert_allclose(iou, reference_iou(pairs, share), rtol=1e-12)
    assert np.isnan(iou[3])
    assert (iou[:3] < 1).all()


@pytest.mark.parametrize("share", [0.001, 0.02, 0.05])
def test_boundary_f1_equals_brute_force_distances(share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boundary, "F1_WIDTH", share)
    pairs = [pair(0), pair(1, 23, 55), pair(2, void=False)]
    result = scores(pairs)
    np.testing.assert_allclose(result.f1, reference_f1(pairs, share), rtol=1e-12)
    assert result.mean_f1 == pytest.approx(np.nanmean(reference_f1(pairs, share)))


def test_many_classes_equal_brute_force(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "NUM_CLASSES", 40)
    target = np.kron(np.arange(40, dtype=np.uint8).reshape(5, 8), np.ones((6, 6), dtype=np.uint8))
    pairs = [(np.roll(target, (1, 2), axis=(0, 1)), target)]
    np.testing.assert_allclose(scores(pairs).f1, reference_f1(pairs, 0.0075), rtol=1e-12)
    np.testing.assert_allclose(scores(pairs).iou, reference_iou(pairs, 0.02), rtol=1e-12)


def test_default_widths_are_those_of_the_papers() -> None:
    pairs = [pair(3, 100, 110)]
    np.testing.assert_array_equal(scores(pairs).iou, reference_iou(pairs, 0.02))
    np.testing.assert_allclose(scores(pairs).f1, reference_f1(pairs, 0.0075), rtol=1e-12)


def test_correct_preds_score_one_and_void_is_nan() -> None:
    target = pair(0)[1]
    preds = np.where(target == IGNORE_INDEX, np.uint8(2), target)
    correct = scores([(preds, target)])
    assert correct.iou[:3].tolist() == correct.f1[:3].tolist() == [1, 1, 1]
    void = scores([(preds, np.full_like(target, IGNORE_INDEX))])
    assert np.isnan([*void.iou, *void.f1, void.mean_iou, void.mean_f1]).all()


def test_class_only_in_preds_scores_zero() -> None:
    target = np.zeros((20, 20), dtype=np.uint8)
    preds = target.copy()
    preds[5:10, 5:10] = 1
    result = scores([(preds, target)])
    assert result.iou[1] == result.f1[1] == 0
    assert result.f1[0] == 0  # its outline is around the box, only in the preds


def test_boundary_scores_are_stricter_than_iou() -> None:
    target = np.zeros((200, 200), dtype=np.uint8)
    target[20:180, 20:180] = 1
    preds = np.zeros_like(target)
    preds[23:177, 23:177] = 1
    iou = 154**2 / 160**2
    result = scores([(preds, target)])
    assert iou > 0.92
    assert result.iou[1] < 0.4  # 3 of the band's 6 pixels
    assert result.f1[1] == 0  # the tolerance is 2 pixels, the outline is 3 off
