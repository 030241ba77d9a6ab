"""Scores by object size match flood filling; scores by distance to an outline match brute-force distances."""

from collections import defaultdict

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from seglit.evaluation.breakdown import DISTANCES, SIZES, Breakdown, DistanceCounts, SizeCounts
from seglit.evaluation.image_pair import image_pairs
from seglit.labels import IGNORE_INDEX

NUM_CLASSES = 4  # the last does not occur
Classes = NDArray[np.uint8]
Pixel = tuple[int, int]


def pair(seed: int, height: int = 40, width: int = 55) -> tuple[Classes, Classes]:
    """Preds and target of patches with specks; void in the target."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 3, (height // 8 + 1, width // 8 + 1)).astype(np.uint8)
    target = np.kron(coarse, np.ones((8, 8), np.uint8))[:height, :width]
    preds = np.roll(target, (2, -3), axis=(0, 1))
    for classes in (target, preds):
        specks = generator.random(classes.shape) < 0.03
        classes[specks] = generator.integers(0, 3, specks.sum())
    target[12:15] = target[:9, 30:42] = IGNORE_INDEX
    return preds, target


def components(classes: Classes, index: int) -> list[set[Pixel]]:
    """The connected components of a class, by flood filling."""
    remaining = set(map(tuple, np.argwhere(classes == index).tolist()))
    result = []
    while remaining:
        component, border = set(), {remaining.pop()}
        while border:
            y, x = border.pop()
            component.add((y, x))
            neighbours = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & remaining
            remaining -= neighbours
            border |= neighbours
        result.append(component)
    return result


def level_of(value: float, ends: tuple[float, ...]) -> int:
    return sum(value >= end for end in ends)


def reference_sizes(pairs: list[tuple[Classes, Classes]]) -> NDArray[np.int64]:
    """Objects, and pixels: correct, in the target, predicted, (K, 4, C)."""
    counts = np.zeros((len(SIZES) + 1, 4, NUM_CLASSES), np.int64)
    for preds, target in pairs:
        preds = np.where(target == IGNORE_INDEX, target, preds)  # noqa: PLW2901
        for c in range(NUM_CLASSES):
            objects = components(target, c)
            levels = [level_of(len(pixels) / target.size, SIZES) for pixels in objects]
            for level, pixels in zip(levels, objects, strict=True):
                correct = sum(preds[pixel] == c for pixel in pixels)
                counts[level, :, c] += (1, correct, len(pixels), correct)
            for region in components(preds, c):
                covered = [len(region & pixels) for pixels in objects]
                most_covered = max(zip(covered, map(len, objects), levels, strict=True), default=(0, 0, 0))[-1]
                own = level_of(len(region) / target.size, SIZES)
                level = most_covered if any(covered) else own
                counts[level, 3, c] += len(region) - sum(covered)
    return counts


def reference_distances(pairs: list[tuple[Classes, Classes]]) -> NDArray[np.int64]:
    """Pixels: correct, in the target, predicted, (K, 3, C)."""
    counts = np.zeros((len(DISTANCES) + 1, 3, NUM_CLASSES), np.int64)
    for preds, target in pairs:
        pixels = np.argwhere(target >= 0)
        values = target.ravel()
        for (y, x), index in zip(pixels, values, strict=True):
            others = pixels[values != index]
            distance = abs(others - (y, x)).max(axis=1).min() if len(others) else max(target.shape) + 1
            if index != IGNORE_INDEX:
                level = sum(distance > end for end in DISTANCES)
                counts[level, 0, index] += preds[y, x] == index
                counts[level, 1, index] += 1
                counts[level, 2, preds[y, x]] += 1
    return counts


def count(metric: SizeCounts | DistanceCounts, pairs: list[tuple[Classes, Classes]]) -> Breakdown:
    for preds, target in pairs:
        for image in image_pairs(torch.from_numpy(preds)[None].long(), torch.from_numpy(target)[None]):
            metric.update(image)
    return metric.compute()


PAIRS = [pair(0), pair(1), pair(2, 60, 90), (np.zeros((8, 8), np.uint8), np.zeros((8, 8), np.uint8))]


def test_sizes_equal_flood_filling() -> None:
    breakdown, expected = count(SizeCounts(NUM_CLASSES), PAIRS), reference_sizes(PAIRS)
    np.testing.assert_array_equal(breakdown.objects, expected[:, 0])
    np.testing.assert_array_equal(breakdown.counts, expected[:, 1:])
    assert (breakdown.objects.sum(axis=1) > 0).all()


def test_distances_equal_brute_force() -> None:
    breakdown = count(DistanceCounts(NUM_CLASSES), PAIRS)
    np.testing.assert_array_equal(breakdown.counts, reference_distances(PAIRS))
    assert breakdown.counts[-1, 0].tolist() == [0, 0, 0, 0]  # the 8 x 8 image without outline has distance 9


@pytest.mark.parametrize("kind", [SizeCounts, DistanceCounts])
def test_levels_add_up_to_the_split_without_void(kind: type[SizeCounts] | type[DistanceCounts]) -> None:
    breakdown = count(kind(NUM_CLASSES), PAIRS)
    whole: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
    for preds, target in PAIRS:
        labelled = target != IGNORE_INDEX
        for c in range(NUM_CLASSES):
            whole[c][0] += int(((preds == c) & (target == c)).sum())
            whole[c][1] += int((target == c).sum())
            whole[c][2] += int((labelled & (preds == c)).sum())
    assert breakdown.counts.sum(axis=0).T.tolist() == [whole[c] for c in range(NUM_CLASSES)]


@pytest.mark.parametrize("kind", [SizeCounts, DistanceCounts])
def test_two_ranks_equal_one(kind: type[SizeCounts] | type[DistanceCounts]) -> None:
    one = count(kind(NUM_CLASSES), PAIRS).counts
    two = sum(count(kind(NUM_CLASSES), PAIRS[rank::2]).counts for rank in range(2))
    np.testing.assert_array_equal(two, one)


def test_scores_of_classes_in_the_target_at_each_level() -> None:
    breakdown = count(SizeCounts(NUM_CLASSES), PAIRS)
    correct, target, predicted = breakdown.counts.swapaxes(0, 1).astype(float)
    with np.errstate(invalid="ignore"):
        iou = np.where(target > 0, correct / (target + predicted - correct), np.nan)
        np.testing.assert_allclose(breakdown.iou, iou)
        np.testing.assert_allclose(breakdown.recall, correct / target)
    np.testing.assert_allclose(breakdown.miou, [np.nanmean(level) for level in iou])
    np.testing.assert_allclose(breakdown.pixel_accuracy, correct.sum(axis=1) / target.sum(axis=1))
    assert np.isnan(breakdown.iou[:, 3]).all()
