"""Groups of test images that are alike, such as the slices of a stack: the units that a bootstrap resamples."""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np

from seglit.evaluation.bootstrap import LEVEL_TEXT, RESAMPLES
from seglit.metrics import Counts
from seglit.runs.scores import SavedScores, stack_of

FEW_UNITS = 30
"""With fewer units, percentile intervals are too narrow: up to twice as many equal networks seem to differ."""

MEANING = "slices of a stack, or images of one `group`"
"""What a group is, for the reader of scores."""


def groups_of(saved: SavedScores) -> list[str]:
    """Returns the group of each image in a score file."""
    return [image.group or stack_of(image.name) for image in saved.images]


def sum_groups(images: Counts, groups: Sequence[str]) -> Counts:
    """Sums counts of images (N, 3, C) to counts of groups (G, 3, C), in the order of their first images.

    Images of one group are alike, so the images of a split are not a random sample, but its groups are: resampling
    whole groups (cluster bootstrap; Davison & Hinkley 1997, section 3.8; Field & Welsh 2007) keeps their dependence.
    Resampling images would give intervals that are too narrow.

    Args:
        images: Pixels per image and class, int64 (N, 3, C).
        groups: The group of each image.
    """
    indices = {group: index for index, group in enumerate(dict.fromkeys(groups))}
    sums = np.zeros((len(indices), *images.shape[1:]), np.int64)
    np.add.at(sums, [indices[group] for group in groups], images)
    return sums


class Units(NamedTuple):
    """What a bootstrap of a split resamples; as text `64 images`, or `2 groups` if images share one.

    Args:
        number: How many they are.
        kind: `images`, each a group of its own, or `groups`.
    """

    number: int
    kind: str

    @classmethod
    def of(cls, groups: Sequence[str]) -> Self:
        """Counts the units of a split by the group of each image."""
        number = len(set(groups))
        return cls(number, "images" if number == len(groups) else "groups")

    def __str__(self) -> str:
        """Number and kind."""
        return f"{self.number:,} {self.kind.removesuffix('s') if self.number == 1 else self.kind}"


def explain_intervals(groups: Sequence[str]) -> str:
    """Explains the confidence intervals of a test in one line, by the group of each image."""
    units = Units.of(groups)
    counted = str(units) if units.kind == "images" else f"{units} of {len(groups):,} images ({MEANING})"
    if units.number < 2:
        return f"{LEVEL_TEXT}: n/a, as {counted} cannot show how much scores vary"
    few = "; so few give too narrow intervals" if units.number < FEW_UNITS else ""
    return f"{LEVEL_TEXT}: percentiles of {RESAMPLES:,} bootstrap resamples of the {counted}{few}"
