"""Bootstrap intervals match a reference that resamples in a loop, and have the nominal coverage."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from seglit.evaluation.bootstrap import bootstrap_difference, bootstrap_iou
from seglit.evaluation.groups import explain_intervals, sum_groups
from seglit.metrics import Counts


def images(count: int, num_classes: int, seed: int = 0) -> Counts:
    """Counts per image, (N, 3, C); half of the images lack class 0, all of them the last class."""
    generator = np.random.default_rng(seed)
    target, predicted = generator.integers(1, 100, (2, count, num_classes))
    correct = (np.minimum(target, predicted) * generator.random((count, num_classes))).astype(np.int64)
    counts = np.stack([correct, target, predicted], axis=1)
    counts[::2, :, 0] = 0
    counts[:, :, -1] = 0
    return counts


def reference(counts: Counts, resamples: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Computes intervals of mIoU (2,) and of each class (2, C) in a loop over resamples."""
    generator = np.random.default_rng(123)
    mious, ious = [], []
    for _ in range(resamples):
        correct, target, predicted = sum(counts[i] for i in generator.choice(len(counts), len(counts)))
        union = target + predicted - correct
        iou = [c / u if u else math.nan for c, u in zip(correct, union, strict=True)]
        mious.append(np.nanmean(iou))
        ious.append(iou)
    columns = [[v for v in column if not math.isnan(v)] for column in zip(*ious, strict=True)]
    for index, column in enumerate(columns):
        if sum(image[:, index].any() for image in counts) < 2:
            column[:] = [math.nan]
    ends = [2.5, 97.5]
    return np.percentile(mious, ends), np.array([np.percentile(column, ends) for column in columns]).T


@pytest.mark.parametrize("count", [3, 40])
def test_intervals_equal_reference(count: int) -> None:
    counts = images(count, 4)
    miou, iou = reference(counts, 4000)
    intervals = bootstrap_iou(counts, resamples=4000)
    np.testing.assert_allclose(intervals.miou, miou, atol=0.01)  # between two draws of 4000, ends vary by about 0.002
    np.testing.assert_allclose(intervals.iou, iou, atol=0.01)
    assert np.isnan(intervals.iou[:, -1]).all()


def test_seed_determines_the_intervals() -> None:
    counts = images(20, 4)
    first, again, other = (bootstrap_iou(counts, resamples=200, seed=seed) for seed in (1, 1, 2))
    assert first.miou == again.miou != other.miou
    np.testing.assert_array_equal(first.iou, again.iou)


def test_interval_coverage() -> None:
    generator = np.random.default_rng(0)
    covered = 0
    for seed in range(200):
        target = np.full((50, 1), 1000)
        correct = np.rint(1000 * np.clip(generator.normal(0.7, 0.1, (50, 1)), 0, 1)).astype(np.int64)
        low, high = bootstrap_iou(np.stack([correct, target, correct], axis=1), resamples=400, seed=seed).miou
        covered += low <= 0.7 <= high
    assert 0.89 < covered / 200 < 0.99


def test_interval_is_empty_for_equal_images_and_nan_without_images() -> None:
    one = np.array([[[2, 0], [3, 0], [4, 0]]])
    assert bootstrap_iou(one.repeat(9, axis=0), resamples=50).miou == (0.4, 0.4)
    empty = bootstrap_iou(one[:0])
    assert np.isnan([*empty.miou, *empty.iou.ravel()]).all()


def test_one_image_has_no_interval() -> None:
    counts = images(20, 3)
    counts[1:, :, 0] = 0
    counts[0, :, 0] = 91, 100, 91
    intervals = bootstrap_iou(counts, resamples=200)
    assert np.isnan(intervals.iou).tolist() == [[True, False, True]] * 2, "IoU 0.91 in every resample with the class"
    assert intervals.miou[0] < intervals.miou[1]
    assert np.isnan(bootstrap_iou(counts[:1]).miou).all()
    assert np.isnan(bootstrap_difference(counts[:1], counts[:1]).miou).all()
    second = counts.copy()
    second[3, 2, 0] = 7  # predicted in another image, so only the first network has the class in one image
    for pair in ((counts, second), (second, counts), (counts, counts)):
        assert np.isnan(bootstrap_difference(*pair, resamples=200).iou).tolist() == [[True, False, True]] * 2


def test_slices_of_stacks_are_resampled_together() -> None:
    counts = images(12, 4)
    groups = [f"stack{index}" for index in range(12) for _ in range(50)]
    slices = counts.repeat(50, axis=0)
    once, summed, apart = (bootstrap_iou(each) for each in (counts, sum_groups(slices, groups), slices))
    assert summed.miou == once.miou
    np.testing.assert_array_equal(summed.iou, once.iou)
    assert apart.miou[1] - apart.miou[0] < 0.2 * (once.miou[1] - once.miou[0])


def test_groups_of_several_sizes_match_a_reference_that_draws_them_whole() -> None:
    counts = images(40, 4)
    groups = [str(index * index // 100) for index in range(40)]  # 0: 10 images, 1: 5, ..., 15: 1
    members = {group: [i for i in range(40) if groups[i] == group] for group in groups}
    generator = np.random.default_rng(9)
    mious = []
    for _ in range(4000):
        drawn = [i for group in generator.choice([*members], len(members)) for i in members[group]]
        correct, target, predicted = counts[drawn].sum(axis=0)[:, :3]  # the last class does not occur
        mious.append(np.mean(correct / (target + predicted - correct)))
    shuffled = generator.permutation(40)  # groups may lie apart
    summed = sum_groups(counts[shuffled], [groups[i] for i in shuffled])
    np.testing.assert_allclose(bootstrap_iou(summed, resamples=4000).miou, np.percentile(mious, [2.5, 97.5]), atol=0.01)


RESAMPLED = "95 %: percentiles of 10,000 bootstrap resamples of the "
KIND = "(slices of a stack, or images of one `group`)"


@pytest.mark.parametrize(
    ("groups", "line"),
    [
        ([*map(str, range(1000))], f"{RESAMPLED}1,000 images"),
        ([*map(str, range(30))] * 2, f"{RESAMPLED}30 groups of 60 images {KIND}"),
        (["a", "b"] * 100, f"{RESAMPLED}2 groups of 200 images {KIND}; so few give too narrow intervals"),
        ([*map(str, range(29))], f"{RESAMPLED}29 images; so few give too narrow intervals"),
        (["a"] * 9, f"95 %: n/a, as 1 group of 9 images {KIND} cannot show how much scores vary"),
        (["a"], "95 %: n/a, as 1 image cannot show how much scores vary"),
        ([], "95 %: n/a, as 0 images cannot show how much scores vary"),
    ],
)
def test_line_says_what_is_resampled(groups: list[str], line: str) -> None:
    assert explain_intervals(groups) == line


def two_networks(count: int) -> tuple[Counts, Counts]:
    """Counts of two networks on the same images, hence with the same targets."""
    first, other = images(count, 4), images(count, 4, seed=1)
    second = first.copy()
    second[:, 2] = np.where(first[:, 1] > 0, other[:, 2], 0)
    second[:, 0] = np.minimum(first[:, 0] + 5, np.minimum(second[:, 1], second[:, 2]))
    second[:3, 2, 0] += 7  # a class that the first network does not predict there
    return first, second


def reference_difference(first: Counts, second: Counts, resamples: int) -> tuple[list[float], list[list[float]]]:
    """Computes the differences of mIoU and of each class in a loop over resamples."""
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
        for index, (one, other) in enumerate(zip(*both, strict=True)):
            if not math.isnan(other - one):
                ious[index].append(other - one)
    return mious, ious


@pytest.mark.parametrize("count", [4, 40])
def test_differences_equal_reference(count: int) -> None:
    first, second = two_networks(count)
    miou, iou = reference_difference(first, second, 4000)
    intervals = bootstrap_difference(first, second, resamples=4000)
    np.testing.assert_allclose(intervals.miou, np.percentile(miou, [2.5, 97.5]), atol=0.01)
    for index, differences in enumerate(iou[:-1]):
        np.testing.assert_allclose(intervals.iou[:, index], np.percentile(differences, [2.5, 97.5]), atol=0.01)
    assert np.isnan(intervals.iou[:, -1]).all()


def test_difference_of_a_network_to_itself_is_zero() -> None:
    counts = images(20, 4)
    intervals = bootstrap_difference(counts, counts, resamples=500)
    assert intervals.miou == (0, 0)
    assert not intervals.iou[:, :-1].any()


def test_paired_difference_is_significant_where_the_separate_intervals_overlap() -> None:
    first, _ = two_networks(40)
    second = first.copy()
    second[:, 0] += (first[:, 1] - first[:, 0]) // 8  # slightly better in every image
    separate = bootstrap_iou(first), bootstrap_iou(second)
    assert separate[0].miou[1] > separate[1].miou[0]
    assert bootstrap_difference(first, second).miou[0] > 0
    assert bootstrap_difference(second, first).miou[1] < 0
