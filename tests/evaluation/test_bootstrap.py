"""Bootstrap intervals: against a resampling written out image by image, and against the textbook."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from seglit.evaluation.bootstrap import bootstrap_difference, bootstrap_iou
from seglit.metrics import Counts


def images(count: int, num_classes: int, seed: int = 0) -> Counts:
    """Per-image counts, (N, 3, C); half of the images lack class 0, all of them the last class."""
    generator = np.random.default_rng(seed)
    target, predicted = generator.integers(1, 100, (2, count, num_classes))
    correct = (np.minimum(target, predicted) * generator.random((count, num_classes))).astype(np.int64)
    counts = np.stack([correct, target, predicted], axis=1)
    counts[::2, :, 0] = 0
    counts[:, :, -1] = 0
    return counts


def reference(counts: Counts, resamples: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Intervals of mIoU (2,) and of each class (2, C), one resample after another."""
    generator = np.random.default_rng(123)
    mious, ious = [], []
    for _ in range(resamples):
        correct, target, predicted = sum(counts[i] for i in generator.choice(len(counts), len(counts)))
        union = target + predicted - correct
        iou = [c / u if u else math.nan for c, u in zip(correct, union, strict=True)]
        mious.append(np.nanmean(iou))
        ious.append(iou)
    each = [[v for v in column if not math.isnan(v)] or [math.nan] for column in zip(*ious, strict=True)]
    ends = [2.5, 97.5]
    return np.percentile(mious, ends), np.array([np.percentile(column, ends) for column in each]).T


@pytest.mark.parametrize("count", [3, 40])
def test_intervals_are_those_of_resampling_one_by_one(count: int) -> None:
    counts = images(count, 4)
    miou, iou = reference(counts, 4000)
    found = bootstrap_iou(counts, resamples=4000)
    np.testing.assert_allclose(found.miou, miou, atol=0.01)  # two draws of 4000: each end varies by some 0.002
    np.testing.assert_allclose(found.iou, iou, atol=0.01)
    assert np.isnan(found.iou[:, -1]).all()


def test_a_seed_repeats_and_another_does_not() -> None:
    counts = images(20, 4)
    first, again, other = (bootstrap_iou(counts, resamples=200, seed=seed) for seed in (1, 1, 2))
    assert first.miou == again.miou != other.miou
    np.testing.assert_array_equal(first.iou, again.iou)


def test_it_covers_the_truth_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    covered = 0
    for seed in range(200):
        target = np.full((50, 1), 1000)
        correct = np.rint(1000 * np.clip(generator.normal(0.7, 0.1, (50, 1)), 0, 1)).astype(np.int64)
        low, high = bootstrap_iou(np.stack([correct, target, correct], axis=1), resamples=400, seed=seed).miou
        covered += low <= 0.7 <= high
    assert 0.89 < covered / 200 < 0.99


def test_equal_images_leave_no_doubt_and_none_leave_all() -> None:
    one = np.array([[[2, 0], [3, 0], [4, 0]]])
    assert bootstrap_iou(one.repeat(9, axis=0), resamples=50).miou == (0.4, 0.4)
    nothing = bootstrap_iou(one[:0])
    assert np.isnan([*nothing.miou, *nothing.iou.ravel()]).all()


def two_networks(count: int) -> tuple[Counts, Counts]:
    """Two networks' counts on the same images: the targets are the same, and each second image is hard for both."""
    first, other = images(count, 4), images(count, 4, seed=1)
    second = first.copy()
    second[:, 2] = np.where(first[:, 1] > 0, other[:, 2], 0)
    second[:, 0] = np.minimum(first[:, 0] + 5, np.minimum(second[:, 1], second[:, 2]))
    second[:3, 2, 0] += 7  # a class that the first network never predicts there
    return first, second


def reference_difference(first: Counts, second: Counts, resamples: int) -> tuple[list[float], list[list[float]]]:
    """Differences of mIoU and of each class, one resample after another."""
    generator = np.random.default_rng(7)
    mious: list[float] = []
    ious: list[list[float]] = [[] for _ in range(first.shape[2])]
    for _ in range(resamples):
        drawn = generator.choice(len(first), len(first))
        both = []
        for counts in (first, second):
            correct, target, predicted = sum(counts[i] for i in drawn)
            union = target + predicted - correct
            both.append([c / u if u else math.nan for c, u in zip(correct, union, strict=True)])
        mious.append(float(np.nanmean(both[1]) - np.nanmean(both[0])))
        for place, (one, other) in enumerate(zip(*both, strict=True)):
            if not math.isnan(other - one):
                ious[place].append(other - one)
    return mious, ious


@pytest.mark.parametrize("count", [4, 40])
def test_differences_are_those_of_resampling_both_networks_one_by_one(count: int) -> None:
    first, second = two_networks(count)
    miou, iou = reference_difference(first, second, 4000)
    found = bootstrap_difference(first, second, resamples=4000)
    np.testing.assert_allclose(found.miou, np.percentile(miou, [2.5, 97.5]), atol=0.01)
    for place, each in enumerate(iou[:-1]):
        np.testing.assert_allclose(found.iou[:, place], np.percentile(each, [2.5, 97.5]), atol=0.01)
    assert np.isnan(found.iou[:, -1]).all()


def test_a_network_does_not_differ_from_itself() -> None:
    counts = images(20, 4)
    found = bootstrap_difference(counts, counts, resamples=500)
    assert found.miou == (0, 0)
    assert not found.iou[:, :-1].any()


def test_what_all_images_share_is_found_though_they_differ_more_among_each_other() -> None:
    first, _ = two_networks(40)
    second = first.copy()
    second[:, 0] += (first[:, 1] - first[:, 0]) // 8  # a little better in every image
    apart = bootstrap_iou(first), bootstrap_iou(second)
    assert apart[0].miou[1] > apart[1].miou[0]  # each by itself, they could be the same
    assert bootstrap_difference(first, second).miou[0] > 0
    assert bootstrap_difference(second, first).miou[1] < 0
