"""Scores by object size and by distance to the outline: against flood filling and measuring pixel by pixel."""

from collections import defaultdict

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from seglit.evaluation.breakdown import DISTANCES, SIZES, Breakdown, DistanceCounts, SizeCounts
from seglit.labels import IGNORE_INDEX

NUM_CLASSES = 4  # the last occurs nowhere
Mask = NDArray[np.uint8]
Place = tuple[int, int]


def pair(seed: int, height: int = 40, width: int = 55) -> tuple[Mask, Mask]:
    """A prediction and a target of patches, specks and void."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 3, (height // 8 + 1, width // 8 + 1)).astype(np.uint8)
    target = np.kron(coarse, np.ones((8, 8), np.uint8))[:height, :width]
    preds = np.roll(target, (2, -3), axis=(0, 1))
    for mask in (target, preds):
        specks = generator.random(mask.shape) < 0.03
        mask[specks] = generator.integers(0, 3, specks.sum())
    target[12:15] = target[:9, 30:42] = IGNORE_INDEX
    return preds, target


def regions(mask: Mask, of: int) -> list[set[Place]]:
    """The connected regions of a class, flooded pixel by pixel."""
    left = set(map(tuple, np.argwhere(mask == of).tolist()))
    found = []
    while left:
        region, border = set(), {left.pop()}
        while border:
            y, x = border.pop()
            region.add((y, x))
            near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= near
            border |= near
        found.append(region)
    return found


def level_of(value: float, ends: tuple[float, ...]) -> int:
    return sum(value >= end for end in ends)


def reference_sizes(pairs: list[tuple[Mask, Mask]]) -> NDArray[np.int64]:
    """Objects, and pixels right, in the target and predicted, (K, 4, C)."""
    counts = np.zeros((len(SIZES) + 1, 4, NUM_CLASSES), np.int64)
    for preds, target in pairs:
        preds = np.where(target == IGNORE_INDEX, target, preds)  # noqa: PLW2901
        for c in range(NUM_CLASSES):
            objects = regions(target, c)
            sizes = [level_of(len(each) / target.size, SIZES) for each in objects]
            for size, each in zip(sizes, objects, strict=True):
                right = sum(preds[place] == c for place in each)
                counts[size, :, c] += (1, right, len(each), right)
            for region in regions(preds, c):
                shared = [len(region & each) for each in objects]
                most = max(zip(shared, map(len, objects), sizes, strict=True), default=(0, 0, 0))[-1]
                own = level_of(len(region) / target.size, SIZES)
                size = most if any(shared) else own
                counts[size, 3, c] += len(region) - sum(shared)
    return counts


def reference_distances(pairs: list[tuple[Mask, Mask]]) -> NDArray[np.int64]:
    """Pixels right, in the target and predicted, (K, 3, C)."""
    counts = np.zeros((len(DISTANCES) + 1, 3, NUM_CLASSES), np.int64)
    for preds, target in pairs:
        places = np.argwhere(target >= 0)
        values = target.ravel()
        for (y, x), true in zip(places, values, strict=True):
            others = places[values != true]
            distance = abs(others - (y, x)).max(axis=1).min() if len(others) else max(target.shape) + 1
            if true != IGNORE_INDEX:
                level = sum(distance > end for end in DISTANCES)
                counts[level, 0, true] += preds[y, x] == true
                counts[level, 1, true] += 1
                counts[level, 2, preds[y, x]] += 1
    return counts


def count(metric: SizeCounts | DistanceCounts, pairs: list[tuple[Mask, Mask]]) -> Breakdown:
    for preds, target in pairs:
        metric.update(torch.from_numpy(preds)[None].long(), torch.from_numpy(target)[None])
    return metric.compute()


PAIRS = [pair(0), pair(1), pair(2, 60, 90), (np.zeros((8, 8), np.uint8), np.zeros((8, 8), np.uint8))]


def test_sizes_are_those_of_flooding() -> None:
    found, expected = count(SizeCounts(NUM_CLASSES), PAIRS), reference_sizes(PAIRS)
    np.testing.assert_array_equal(found.objects, expected[:, 0])
    np.testing.assert_array_equal(found.counts, expected[:, 1:])
    assert (found.objects.sum(axis=1) > 0).all()


def test_distances_are_those_measured() -> None:
    found = count(DistanceCounts(NUM_CLASSES), PAIRS)
    np.testing.assert_array_equal(found.counts, reference_distances(PAIRS))
    assert found.counts[-1, 0].tolist() == [0, 0, 0, 0]  # 8 x 8 pixels are not so far from what they do not hold


@pytest.mark.parametrize("kind", [SizeCounts, DistanceCounts])
def test_levels_add_up_to_the_split_and_void_is_in_none(kind: type[SizeCounts] | type[DistanceCounts]) -> None:
    found = count(kind(NUM_CLASSES), PAIRS)
    whole: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
    for preds, target in PAIRS:
        known = target != IGNORE_INDEX
        for c in range(NUM_CLASSES):
            whole[c][0] += int(((preds == c) & (target == c)).sum())
            whole[c][1] += int((target == c).sum())
            whole[c][2] += int((known & (preds == c)).sum())
    assert found.counts.sum(axis=0).T.tolist() == [whole[c] for c in range(NUM_CLASSES)]


@pytest.mark.parametrize("kind", [SizeCounts, DistanceCounts])
def test_ranks_add_up_to_the_same(kind: type[SizeCounts] | type[DistanceCounts]) -> None:
    together = count(kind(NUM_CLASSES), PAIRS).counts
    apart = sum(count(kind(NUM_CLASSES), PAIRS[rank::2]).counts for rank in range(2))
    np.testing.assert_array_equal(apart, together)


def test_scores_are_of_the_classes_that_the_target_has_at_a_level() -> None:
    found = count(SizeCounts(NUM_CLASSES), PAIRS)
    right, target, predicted = found.counts.swapaxes(0, 1).astype(float)
    with np.errstate(invalid="ignore"):
        iou = np.where(target > 0, right / (target + predicted - right), np.nan)
        np.testing.assert_allclose(found.iou, iou)
        np.testing.assert_allclose(found.recall, right / target)
    np.testing.assert_allclose(found.miou, [np.nanmean(level) for level in iou])
    np.testing.assert_allclose(found.pixel_accuracy, right.sum(axis=1) / target.sum(axis=1))
    assert np.isnan(found.iou[:, 3]).all()
