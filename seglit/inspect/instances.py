"""Instance numbers in the values of masks: class * divisor + instance, recognised by numbers that count up."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from seglit.labels import IGNORE_INDEX, Stored

_DIVISORS = (1000, 256, 10_000, 1 << 16)
_VOID = (255, (1 << 16) - 1, (1 << 31) - 1, (1 << 32) - 1)  # usual values of void, which has no instances
_MOST_NUMBERS = 100  # numbers of instances that are asked about although they do not count up
_MIN_SHARE = 0.9  # of the classes of all masks whose instances count up; some are hidden or cut off


@dataclass
class InstanceCounts:
    """The instances of all masks, if their values were class * divisor + instance.

    Args:
        groups: Number of classes of a mask with instances.
        counting: Number of those whose instances count up from 0 or 1, with at most every second number missing.
        sizes: Number of instances to the groups that have it.
        classes: All class values.
        without: Class values that stand without instance number, other than 0.
        low: Number of masks with such values.
        low_counting: Number of those in which these count up from 1, as instances of class 0 would.
    """

    groups: int = 0
    counting: int = 0
    sizes: Counter[int] = field(default_factory=Counter)
    classes: set[int] = field(default_factory=set)
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
        for instances in numbers.values():
            self.groups += 1
            self.counting += min(instances) <= 1 and max(instances) <= 2 * len(instances)
            self.sizes[len(instances)] += 1
        self.classes |= numbers.keys()

    @property
    def is_likely(self) -> bool:
        """Whether the numbers count up within masks, several to a class, and leave few enough classes."""
        return (
            self.groups > 0
            and self.counting >= _MIN_SHARE * self.groups
            and max(self.sizes) > 1
            and (len(self.sizes) > 1 or len(self.classes) > 1)
            and len(self.classes | self.without) <= IGNORE_INDEX
        )


@dataclass
class Instances:
    """Evidence of instance numbers, by divisor."""

    by_divisor: dict[int, InstanceCounts] = field(
        default_factory=lambda: {divisor: InstanceCounts() for divisor in _DIVISORS}
    )
    values: set[int] = field(default_factory=set)  # other than 0

    def add(self, stored: Iterable[Stored]) -> None:
        """Adds the values of a mask."""
        values = [value for value in stored if isinstance(value, int) and value >= 0 and value not in _VOID]
        self.values.update(value for value in values if value)
        for divisor, counts in self.by_divisor.items():
            counts.add(values, divisor)

    @property
    def question(self) -> str:
        """What only the user can answer; empty if nothing."""
        if self.divisor == 1:
            return self._question_of_clusters
        counts = self.by_divisor.get(self.divisor)
        if counts is None or len(counts.without) < 2 or counts.low_counting < _MIN_SHARE * counts.low:
            return ""
        return (
            f"are values below {self.divisor} classes without instance number? they count up from 1, as instances of a "
            f"class 0 would; `mask_divisor` reads them as classes, {min(counts.without)} to {max(counts.without)}"
        )

    @property
    def _question_of_clusters(self) -> str:
        """Asks about numbers that do not count up within masks, such as those of tracks in a video."""
        divisor = _DIVISORS[0]
        classes = {value // divisor for value in self.values}
        are_above = all(value >= divisor and value % divisor < _MOST_NUMBERS for value in self.values)
        if not are_above or len(classes) == len(self.values):
            return ""
        return (
            f"are the {len(self.values)} values other than 0 class * {divisor} + instance, of {len(classes)} classes? "
            f"they lie just above multiples of {divisor}; if so, set mask_divisor: {divisor} and name these classes"
        )

    @property
    def divisor(self) -> int:
        """The divisor of most instances that is likely; 1 if none is."""
        likely = [divisor for divisor, counts in self.by_divisor.items() if counts.is_likely]
        return max(likely, key=lambda divisor: self.by_divisor[divisor].groups, default=1)
