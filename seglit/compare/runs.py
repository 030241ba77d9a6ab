"""Differences between tested runs: scores, classes, images, masks, settings."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from math import nan
from string import ascii_uppercase
from typing import Any, NamedTuple

import numpy as np

from seglit.compare.settings import differing_settings
from seglit.errors import InputError
from seglit.evaluation.bootstrap import Intervals, bootstrap_difference, bootstrap_iou
from seglit.evaluation.groups import groups_of, sum_groups
from seglit.metrics import Counts, PerClass, divide, mean_defined
from seglit.runs.scores import SavedScores
from seglit.runs.tested import TestedRun

MIN_UNITS = 6
"""With fewer units, no difference is shown: all of them change the same way by chance in 1 of 16 cases or more."""


@dataclass(frozen=True)
class ComparedRun:
    """A run in a comparison.

    Args:
        letter: Its label in tables: A, B, ...
        tested: The run.
        images: Pixel counts of the compared images, int64 (N, 3, C): correct, in the target, predicted.
        units: Their sums over each group of images, (G, 3, C), see `seglit.evaluation.groups`.
        left_out: Names of its images that are missing in another run or not unique.
        intervals: Confidence intervals of its scores.
    """

    letter: str
    tested: TestedRun
    images: Counts
    units: Counts
    left_out: list[str]
    intervals: Intervals

    @cached_property
    def iou(self) -> PerClass:
        """IoU per class over the compared images, (C,)."""
        return _iou(self.images.sum(axis=0))

    @property
    def miou(self) -> float:
        """Mean IoU over the classes that occur."""
        return mean_defined(self.iou)

    @cached_property
    def image_miou(self) -> PerClass:
        """The mIoU of each image over the classes in its target or prediction, (N,)."""
        return np.array([mean_defined(_iou(image)) for image in self.images])


class Change(NamedTuple):
    """A score of a run minus that of the first run.

    Args:
        value: The difference, -1..1; nan if either score is undefined.
        interval: Ends of its confidence interval, by paired bootstrap over groups of images.
        sign: 1 or -1 if the interval excludes 0 and at least `MIN_UNITS` units have the class (or any), else 0.
    """

    value: float
    interval: tuple[float, float]
    sign: int


class Difference(NamedTuple):
    """The scores of a run minus those of the first run: mIoU, and the IoU of each class."""

    miou: Change
    iou: list[Change]


@dataclass(frozen=True)
class Comparison:
    """Runs on the images that all of them were tested on with the same masks.

    Args:
        runs: The runs.
        differences: Differences of the second and each later run to the first.
        names: Names of the compared images, sorted.
        groups: The group of each, see `seglit.evaluation.groups`.
        masks_differ: Names of the images that are left out as their masks differ between runs.
        settings: Dotted names of the settings that differ, to one value per run.
    """

    runs: list[ComparedRun]
    differences: list[Difference]
    names: list[str]
    groups: list[str]
    masks_differ: list[str]
    settings: dict[str, list[Any]]

    @property
    def class_names(self) -> list[str]:
        """The class names."""
        return self.runs[0].tested.class_names

    @property
    def is_pair(self) -> bool:
        """Whether there are exactly two runs."""
        return len(self.runs) == 2

    @property
    def own_metrics(self) -> dict[str, list[float]]:
        """The users' own metrics over each run's whole test split: name, or name/class, to one value or nan per run."""
        metrics = [dict(_flatten(run.tested.saved)) for run in self.runs]
        names = dict.fromkeys(name for values in metrics for name in values)
        return {name: [values.get(name, nan) for values in metrics] for name in names}

    @cached_property
    def image_changes(self) -> PerClass:
        """Change of each image's mIoU (N,) from the first to the second run; the range (>= 0) of three or more runs."""
        return _spread([run.image_miou for run in self.runs])

    @property
    def classes_by_change(self) -> list[int]:
        """Class indices by absolute change, largest first, undefined ones last."""
        changes = np.abs(_spread([run.iou for run in self.runs]))
        return sorted(range(len(changes)), key=lambda index: -np.nan_to_num(changes[index], nan=-1.0))

    def classes_in(self, image: int) -> list[int]:
        """Class indices in the target or in a prediction of an image, by its index in `names`."""
        pixels = np.stack([run.images[image] for run in self.runs])  # (R, 3, C)
        indices: list[int] = np.flatnonzero(pixels.any(axis=(0, 1))).tolist()
        return indices

    def changed_images(self, count: int) -> dict[str, list[int]]:
        """Indices in `names` of the most changed images by group, up to `count` each, largest change first."""
        order: list[int] = np.argsort(-self.image_changes, kind="stable").tolist()
        gains = [index for index in order if self.image_changes[index] > 0]
        losses = [index for index in reversed(order) if self.image_changes[index] < 0]
        if self.is_pair:
            return {"higher in B": gains[:count], "lower in B": losses[:count]}
        return {"furthest apart": gains[:count]}


def compare_runs(tested: list[TestedRun]) -> Comparison:
    """Compares runs with the first one.

    Raises:
        InputError: There are fewer than two runs or too many, their classes differ, or they share no images with the
            same masks.
    """
    if not 2 <= len(tested) <= len(ascii_uppercase):
        raise InputError(f"compare requires 2 to {len(ascii_uppercase)} run folders, not {len(tested)}")
    for run in tested[1:]:
        _check_classes(tested[0], run)
    both = f"{tested[0].folder} and {tested[-1].folder}"
    indices = [_unique_names(run) for run in tested]
    shared = sorted(set.intersection(*map(set, indices)))
    if not shared:
        raise InputError(f"{both} were tested on no images of the same name; test both on the same split")
    images = np.stack(
        [run.images[[index[name] for name in shared]] for run, index in zip(tested, indices, strict=True)]
    )
    same = (images[:, :, 1] == images[0, :, 1]).all(axis=(0, 2))  # (N,): whether all target pixel counts are equal
    if not same.any():
        raise InputError(
            f"{both} were tested on different masks: the target's pixel counts per class differ in every image; test "
            "both on the same masks"
        )
    names = [name for name, is_same in zip(shared, same, strict=True) if is_same]
    groups = _groups(tested, names)
    runs = [
        _compared(letter, run, counts, groups, shared)
        for letter, run, counts in zip(ascii_uppercase, tested, images[:, same], strict=False)
    ]
    return Comparison(
        runs,
        [_difference(runs[0], run) for run in runs[1:]],
        names,
        groups,
        [name for name, is_same in zip(shared, same, strict=True) if not is_same],
        differing_settings([run.config for run in tested], [run.environment for run in tested]),
    )


def _check_classes(first: TestedRun, run: TestedRun) -> None:
    if run.class_names == first.class_names:
        return
    missing = [name for name in first.class_names if name not in run.class_names]
    added = [name for name in run.class_names if name not in first.class_names]
    parts = [f"{word} {', '.join(map(repr, names))}" for word, names in (("lacks", missing), ("adds", added)) if names]
    raise InputError(
        f"{run.folder}: its classes differ from those of {first.folder}: it "
        f"{' and '.join(parts) or 'has them in another order'}; test both with the same class_names"
    )


def _unique_names(run: TestedRun) -> dict[str, int]:
    """Index by name, of the images with a unique name; others cannot be matched."""
    count = Counter(run.names)
    return {name: index for index, name in enumerate(run.names) if count[name] == 1}


def _groups(tested: list[TestedRun], names: list[str]) -> list[str]:
    """Returns the group of each image; of runs that group them differently, the one with the fewest groups counts."""
    by_name = (dict(zip(run.names, groups_of(run.saved), strict=True)) for run in tested)
    return min(([groups[name] for name in names] for groups in by_name), key=lambda groups: len(set(groups)))


def _compared(letter: str, run: TestedRun, images: Counts, groups: list[str], shared: list[str]) -> ComparedRun:
    left_out = sorted((Counter(run.names) - Counter(shared)).elements())
    units = sum_groups(images, groups)
    return ComparedRun(letter, run, images, units, left_out, bootstrap_iou(units))


def _difference(first: ComparedRun, run: ComparedRun) -> Difference:
    class_units = (first.units.any(axis=1) | run.units.any(axis=1)).sum(axis=0)  # units with the class
    intervals = bootstrap_difference(first.units, run.units)
    of_classes = zip(run.iou - first.iou, intervals.iou.T, class_units, strict=True)
    return Difference(
        _change(run.miou - first.miou, intervals.miou, len(first.units)),
        [_change(value, interval, count) for value, interval, count in of_classes],
    )


def _change(value: float, interval: Iterable[float], units: int) -> Change:
    low, high = map(float, interval)
    return Change(float(value), (low, high), int(low > 0) - int(high < 0) if units >= MIN_UNITS else 0)


def _iou(counts: Counts) -> PerClass:
    """IoU (C,) of counts (3, C)."""
    correct, target, predicted = counts
    return divide(correct, target + predicted - correct)


def _spread(values: list[PerClass]) -> PerClass:
    """Second minus first of two values, the range of more; nan if any is nan."""
    return values[1] - values[0] if len(values) == 2 else np.ptp(np.stack(values), axis=0)


def _flatten(saved: SavedScores) -> Iterator[tuple[str, float]]:
    for name, value in saved.metrics.items():
        scores = {f"{name}/{key}": score for key, score in value.items()} if isinstance(value, dict) else {name: value}
        yield from ((key, nan if score is None else score) for key, score in scores.items())
