"""Instance numbers in the values of masks: class * divisor + instance, recognised by how they occur."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from seglit.labels import IGNORE_INDEX, Stored

_DIVISORS = (100, 256, 1000, 10_000, 1 << 16)
_ROUND = 1000  # few codes of classes lie just above multiples of this or more by chance
_VOID = (255, (1 << 16) - 1, (1 << 31) - 1, (1 << 32) - 1)  # usual values of void, which has no instances
_MIN_SHARE = 0.9  # of masks, classes or values that are as they would be with instances; some are hidden or cut off
_VARIED, _VARIED_WHOLE = 4, 3  # so many different numbers of instances are no coincidence; if they are in one piece
_MIN_TRACKS = 12  # values that do not count up, and come and go, are instances if there are so many, and
_TRACKS_PER_CLASS = 4  # so many to a class
_SIDE = 512  # pixels of the longer side that pieces are counted at
_MAIN_PIECE = 0.9  # of the pixels of a value that is in one piece

Pieces = Mapping[int, bool]
"""Value to whether its pixels are in one piece, apart from a tenth."""


def find_pieces(stored: npt.NDArray[Any]) -> Pieces:
    """Returns which values of a mask (H, W) are in one piece; empty for 8 bits, which seldom hold instances.

    Neighbours of equal values are joined by cells between them, so that one pass finds the pieces of all values.
    """
    if stored.ndim != 2 or stored.dtype.itemsize == 1 or stored.dtype.kind not in "iu":
        return {}
    step = -(-max(stored.shape) // _SIDE)
    small = stored[::step, ::step]
    joined = np.zeros((2 * small.shape[0] - 1, 2 * small.shape[1] - 1), np.uint8)
    joined[::2, ::2] = 1
    joined[1::2, ::2], joined[::2, 1::2] = small[1:] == small[:-1], small[:, 1:] == small[:, :-1]
    _, labels = cv2.connectedComponents(joined, connectivity=4)
    _, first, sizes = np.unique(labels[::2, ::2], return_index=True, return_counts=True)
    pieces: dict[int, list[int]] = defaultdict(list)
    for value, size in zip(small.ravel()[first].tolist(), sizes.tolist(), strict=True):
        pieces[value].append(size)
    return {value: max(sizes) >= _MAIN_PIECE * sum(sizes) for value, sizes in pieces.items()}


@dataclass
class Numbering:
    """Whether instance numbers count up from 0 or 1, with at most every second number missing.

    Args:
        groups: Number of sets of instances.
        counting: Number of those that count up.
        sizes: Class value to the numbers of instances that sets of it have.
    """

    groups: int = 0
    counting: int = 0
    sizes: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))

    def add(self, class_value: int, instances: list[int]) -> None:
        """Adds the instances that are numbered together."""
        self.groups += 1
        are_distinct = len({*instances}) == len(instances)
        self.counting += are_distinct and min(instances) <= 1 and max(instances) <= 2 * len(instances)
        self.sizes[class_value].add(len(instances))

    @property
    def counts_up(self) -> bool:
        """Whether the numbers count up in nearly all sets."""
        return self.groups > 0 and self.counting >= _MIN_SHARE * self.groups

    @property
    def variety(self) -> int:
        """The most different numbers of instances that a class has; codes of classes seldom differ and count up."""
        return max(map(len, self.sizes.values()), default=0)


@dataclass
class InstanceCounts:
    """The instances of all masks, if their values were class * divisor + instance.

    Args:
        of_class: The instances of a class in a mask.
        of_mask: The instances of all classes in a mask.
        classes: Class value to the number of masks that contain it.
        without: Class values that stand without instance number, other than 0.
        low: Number of masks with such values.
        low_counting: Number of those in which these count up from 1, as instances of class 0 would.
    """

    of_class: Numbering = field(default_factory=Numbering)
    of_mask: Numbering = field(default_factory=Numbering)
    classes: Counter[int] = field(default_factory=Counter)
    without: set[int] = field(default_factory=set)
    low: int = 0
    low_counting: int = 0

    def add(self, values: Iterable[int], divisor: int) -> None:
        """Adds the values of a mask."""
        numbers: dict[int, list[int]] = defaultdict(list)
        for value in values:
            numbers[value // divisor].append(value % divisor)
        if low := {*numbers.pop(0, ())} - {0}:
            self.without |= low
            self.low += 1
            self.low_counting += low == {*range(1, len(low) + 1)}
        for class_value, instances in numbers.items():
            self.of_class.add(class_value, instances)
        if numbers:
            self.of_mask.add(0, [number for instances in numbers.values() for number in instances])
        self.classes.update(numbers.keys())

    @property
    def number(self) -> int:
        """Number of classes."""
        return len(self.classes.keys() | self.without)


@dataclass
class Instances:
    """Evidence of instance numbers, by divisor.

    Args:
        by_divisor: What the values tell with each divisor.
        masks: Number of masks.
        partial: Number of masks with pixels of no class: 0 or void.
        occurrences: Value, other than 0, to the number of masks that contain it.
        measured: To the number of those in which its pieces were counted.
        whole: To the number of those in which it is in one piece.
    """

    by_divisor: dict[int, InstanceCounts] = field(
        default_factory=lambda: {divisor: InstanceCounts() for divisor in _DIVISORS}
    )
    masks: int = 0
    partial: int = 0
    occurrences: Counter[int] = field(default_factory=Counter)
    measured: Counter[int] = field(default_factory=Counter)
    whole: Counter[int] = field(default_factory=Counter)

    def add(self, stored: Iterable[Stored], pieces: Pieces) -> None:
        """Adds the values of a mask, and which of them are in one piece."""
        integers = {value for value in stored if isinstance(value, int) and value >= 0}
        values = sorted(integers.difference(_VOID))
        self.masks += 1
        self.partial += 0 in integers or not integers.isdisjoint(_VOID)
        self.occurrences.update(value for value in values if value)
        self.measured.update(value for value in values if value in pieces)
        self.whole.update(value for value in values if pieces.get(value))
        for divisor, counts in self.by_divisor.items():
            counts.add(values, divisor)

    @property
    def divisor(self) -> int:
        """The divisor that is likely, by which there are the fewest classes, then the largest; 1 if none is."""
        return self._best(divisor for divisor in _DIVISORS if self._is_likely(divisor))

    def question(self, divisor: int) -> str:
        """What only the user can answer if values are read by a divisor; empty if nothing."""
        if divisor == 1:
            return self._question_of_instances()
        counts = self.by_divisor.get(divisor)
        if counts is None or len(counts.without) < 2 or counts.low_counting < _MIN_SHARE * counts.low:
            return ""
        return (
            f"are values below {divisor} classes without instance number? they count up from 1, as instances of a "
            f"class 0 would; `mask_divisor` reads them as classes, {min(counts.without)} to {max(counts.without)}"
        )

    def _question_of_instances(self) -> str:
        """Asks about values that may be instances although the evidence does not suffice."""
        divisor = self._best(divisor for divisor in _DIVISORS if self._is_possible(divisor))
        if divisor == 1:
            return ""
        return (
            f"are the {len(self.occurrences)} values other than 0 class * {divisor} + instance, of "
            f"{self.by_divisor[divisor].number} classes? if so, inspect again with `--mask_divisor {divisor}`"
        )

    def _best(self, divisors: Iterable[int]) -> int:
        return min(divisors, key=lambda divisor: (self.by_divisor[divisor].number, -divisor), default=1)

    def _fits(self, divisor: int) -> bool:
        """Whether a divisor makes classes that fit in 8 bits of values beyond 8 bits."""
        counts = self.by_divisor[divisor]
        return bool(self.measured and counts.classes) and counts.number <= IGNORE_INDEX

    def _is_likely(self, divisor: int) -> bool:
        """Whether the numbers count up within masks, or are those of many objects that come and go."""
        counts = self.by_divisor[divisor]
        if not self._fits(divisor) or counts.number == len(self.occurrences):
            return False
        needed = _VARIED_WHOLE if self._share_whole(self._numbered(divisor)) >= _MIN_SHARE else _VARIED
        if any(numbers.counts_up and numbers.variety >= needed for numbers in (counts.of_class, counts.of_mask)):
            return True
        return all(self._signs_of_tracks(divisor))

    def _is_possible(self, divisor: int) -> bool:
        """Whether the values may be instances: they count up, or lie just above multiples of a round number."""
        if not self._fits(divisor):
            return False
        counts, numbers = self.by_divisor[divisor], {value % divisor for value in self.occurrences}
        is_round = divisor >= _ROUND and not counts.without and max(numbers) * 10 < divisor
        if counts.number == len(self.occurrences):  # one object of each class in a mask, or classes
            is_first = numbers in ({0}, {1}) and len(self.occurrences) > 1
            return is_round and is_first and self._share_whole(self.occurrences) >= _MIN_SHARE
        signs = self._signs_of_tracks(divisor)
        nearly = signs[0] and sum(signs) >= len(signs) - 1
        return is_round or counts.of_class.counts_up or counts.of_mask.counts_up or nearly

    def _signs_of_tracks(self, divisor: int) -> list[bool]:
        """Signs of track numbers of a video: many, close together, in one piece, beside other pixels, in some masks."""
        counts, numbered = self.by_divisor[divisor], self._numbered(divisor)
        if counts.without or not numbered:
            return [False]
        stays = np.mean([self.occurrences[value] / counts.classes[value // divisor] for value in numbered])
        return [
            len(numbered) >= max(_MIN_TRACKS, _TRACKS_PER_CLASS * counts.number),
            max(value % divisor for value in numbered) <= 10 * len(numbered),
            self._share_whole(numbered) >= _MIN_SHARE,
            self.partial >= _MIN_SHARE * self.masks,
            bool(stays <= 1 / 2),
        ]

    def _numbered(self, divisor: int) -> list[int]:
        """The values with an instance number, which regions such as the road have not."""
        return [value for value in self.occurrences if value >= divisor and value % divisor]

    def _share_whole(self, values: Iterable[int]) -> float:
        """The share of the occurrences of these values that are in one piece."""
        values = list(values)
        measured = sum(self.measured[value] for value in values)
        return sum(self.whole[value] for value in values) / measured if measured else 0.0
