"""What runs that were tested differ in: scores, classes, images, masks, settings."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from string import ascii_uppercase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seglit.compare.settings import differing_settings
from seglit.errors import InputError
from seglit.evaluation.bootstrap import Intervals, bootstrap_difference, bootstrap_iou
from seglit.metrics import Counts, PerClass, divide, mean_defined
from seglit.runs.scores import SavedScores, Score
from seglit.runs.tested import TestedRun

FEW = 30
"""Percentile intervals of fewer images are too narrow: of equal networks, up to twice as many seem to differ."""
LEAST = 6
"""In fewer images no difference is shown: that all change the same way is chance in 1 of 16 cases or more."""


@dataclass(frozen=True)
class Side:
    """One of the runs that are compared.

    Args:
        letter: What it goes by: A, B, ...
        run: The run.
        images: The compared images' pixels per class, int64 (N, 3, C): right, in the target, predicted.
        left_out: The names of its images that not all runs have, or that have a name twice.
        intervals: Of its scores.
    """

    letter: str
    run: TestedRun
    images: Counts
    left_out: list[str]
    intervals: Intervals

    @property
    def iou(self) -> PerClass:
        """IoU per class over the compared images, (C,)."""
        return _iou(self.images.sum(axis=0))

    @property
    def miou(self) -> float:
        """Its mean over the classes that occur."""
        return mean_defined(self.iou)

    @cached_property
    def image_miou(self) -> PerClass:
        """Each image's own mIoU, over the classes in its target or prediction, (N,)."""
        return np.array([mean_defined(_iou(image)) for image in self.images])


@dataclass(frozen=True)
class Difference:
    """How much higher a run scores than the first one.

    Args:
        miou: Of mIoU, -1..1.
        iou: Of each class's IoU, (C,); nan where one of the two has none.
        intervals: Of both, by paired bootstrap over images.
        images: How many images there are.
        class_images: In how many of them each class is in the target or a prediction, (C,).
    """

    miou: float
    iou: PerClass
    intervals: Intervals
    images: int
    class_images: NDArray[np.int64]

    @property
    def sign(self) -> int:
        """1 or -1 where the interval of mIoU leaves out 0, in `LEAST` images or more, else 0."""
        return _sign(*self.intervals.miou) if self.images >= LEAST else 0

    @property
    def signs(self) -> list[int]:
        """The same for each class's IoU, in as many images that have it."""
        return [
            _sign(low, high) if count >= LEAST else 0
            for low, high, count in zip(*self.intervals.iou, self.class_images, strict=True)
        ]


@dataclass(frozen=True)
class Comparison:
    """Runs side by side, on the images that all were tested on with the same masks.

    Args:
        sides: The runs.
        differences: Of each run after the first one to it.
        names: The compared images, sorted.
        masks_differ: The images that are left out as their masks are not the same in all runs.
        settings: Dotted name to a value a run, of the settings that differ.
    """

    sides: list[Side]
    differences: list[Difference]
    names: list[str]
    masks_differ: list[str]
    settings: dict[str, list[Any]]

    @property
    def class_names(self) -> list[str]:
        """The classes."""
        return self.sides[0].run.class_names

    @property
    def is_pair(self) -> bool:
        """Whether there are two runs alone."""
        return len(self.sides) == 2

    @property
    def own_metrics(self) -> dict[str, list[float | None]]:
        """The metrics of one's own, of each run's whole test split: name, or name/class, to a value a run."""
        every = [dict(_flatten(side.run.saved)) for side in self.sides]
        return {
            name: [each.get(name) for each in every] for name in dict.fromkeys(name for each in every for name in each)
        }

    @cached_property
    def image_changes(self) -> PerClass:
        """How much each image's mIoU changed, (N,): from the first to the second run; of more, the range (>= 0)."""
        return _change([side.image_miou for side in self.sides])

    @property
    def classes_by_change(self) -> list[int]:
        """The class indices, the most changed first, those without a score last."""
        changes = np.abs(_change([side.iou for side in self.sides]))
        return sorted(range(len(changes)), key=lambda place: -np.nan_to_num(changes[place], nan=-1.0))

    def changed_images(self, count: int) -> dict[str, list[int]]:
        """The most changed images, the largest change first: places in `names` under what they have in common."""
        order = [int(place) for place in np.argsort(-self.image_changes, kind="stable")]
        if not self.is_pair:
            return {"furthest apart": [place for place in order[:count] if self.image_changes[place] > 0]}
        gains = [place for place in order if self.image_changes[place] > 0]
        losses = [place for place in reversed(order) if self.image_changes[place] < 0]
        return {"higher in B": gains[:count], "lower in B": losses[:count]}


def compare_runs(runs: list[TestedRun]) -> Comparison:
    """Compares runs with the first one.

    Raises:
        InputError: There are not two runs, or too many; they have other classes, or no images in common.
    """
    if not 2 <= len(runs) <= len(ascii_uppercase):
        raise InputError(f"compare takes 2 to {len(ascii_uppercase)} run folders, not {len(runs)}")
    for run in runs[1:]:
        _check_classes(runs[0], run)
    places = [_places(run) for run in runs]
    shared = sorted(set.intersection(*map(set, places)))
    if not shared:
        raise InputError(
            f"{runs[0].folder} and {runs[-1].folder} were tested on no image of one name; test both on the same split"
        )
    images = np.stack([run.images[[place[name] for name in shared]] for run, place in zip(runs, places, strict=True)])
    same = (images[:, :, 1] == images[0, :, 1]).all(axis=(0, 2))  # (N,): as many target pixels of each class
    if not same.any():
        raise InputError(
            f"{runs[0].folder} and {runs[-1].folder} were tested on other masks: in every image the target's classes "
            "have other pixel counts; test both on the same masks"
        )
    sides = [
        Side(letter, run, counts, sorted((Counter(run.names) - Counter(shared)).elements()), bootstrap_iou(counts))
        for letter, run, counts in zip(ascii_uppercase, runs, images[:, same], strict=False)
    ]
    return Comparison(
        sides,
        [_difference(sides[0], side) for side in sides[1:]],
        [name for name, kept in zip(shared, same, strict=True) if kept],
        [name for name, kept in zip(shared, same, strict=True) if not kept],
        differing_settings([run.config for run in runs], [run.environment for run in runs]),
    )


def _check_classes(first: TestedRun, run: TestedRun) -> None:
    if run.class_names == first.class_names:
        return
    missing = [name for name in first.class_names if name not in run.class_names]
    added = [name for name in run.class_names if name not in first.class_names]
    parts = [f"{word} {', '.join(map(repr, names))}" for word, names in (("lacks", missing), ("adds", added)) if names]
    raise InputError(
        f"{run.folder}: its classes are not those of {first.folder}: it "
        f"{' and '.join(parts) or 'has them in another order'}; test both with the same class_names"
    )


def _places(run: TestedRun) -> dict[str, int]:
    """Name to place, of the images whose name is theirs alone: of two that share one, none can be told."""
    count = Counter(run.names)
    return {name: place for place, name in enumerate(run.names) if count[name] == 1}


def _difference(first: Side, side: Side) -> Difference:
    having = (first.images.any(axis=1) | side.images.any(axis=1)).sum(axis=0)
    intervals = bootstrap_difference(first.images, side.images)
    return Difference(side.miou - first.miou, side.iou - first.iou, intervals, len(first.images), having)


def _iou(counts: Counts) -> PerClass:
    """IoU (C,) of counts (3, C)."""
    correct, target, predicted = counts
    return divide(correct, target + predicted - correct)


def _change(values: list[PerClass]) -> PerClass:
    """Second less first of two, the range of more; nan where one is."""
    return values[1] - values[0] if len(values) == 2 else np.ptp(np.stack(values), axis=0)


def _flatten(saved: SavedScores) -> Iterator[tuple[str, Score]]:
    for name, value in saved.metrics.items():
        if isinstance(value, dict):
            yield from ((f"{name}/{each}", part) for each, part in value.items())
        else:
            yield name, value


def _sign(low: float, high: float) -> int:
    """On which side of 0 an interval lies; 0 where it is in it."""
    return int(low > 0) - int(high < 0)
