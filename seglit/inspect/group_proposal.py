"""Proposes `group`, which keeps in one split near duplicates whose names share a part, or names that are numbered."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

from seglit.errors import InputError
from seglit.images.pairs import SPLITS, Pair, PairSettings
from seglit.images.splitting import split_pairs
from seglit.inspect.duplicates import Duplicate

_SEPARATORS = {"_": "_", "-": "-", ".": "[.]", " ": " "}  # and how an expression states it
_MOST_PARTS = 3
_FEWEST_GROUPS = 3
_LAST_NUMBER = re.compile(r"(.*?)([0-9]+)([^0-9]*)")
_SHORTEST = 5  # names of a series
_MOST, _EVEN = 0.9, 0.8  # share of the names that are in a series, and of the equal steps in it


class GroupProposal(NamedTuple):
    """A regular expression for `group`, and what it does.

    Args:
        pattern: The expression.
        groups: Number of groups.
        kept: Number of duplicates that it keeps with their original.
        duplicates: Number of duplicates; 0 if only numbers in the names tell that images belong together.
    """

    pattern: str
    groups: int
    kept: int
    duplicates: int

    def __str__(self) -> str:
        """The evidence."""
        if not self.duplicates:
            return f"{self.groups} groups of consecutively numbered names"
        return f"{self.groups} groups, which keep {self.kept} of {self.duplicates} duplicates with their original"


def propose_group(
    pairs: Sequence[Pair], settings: PairSettings, duplicates: Sequence[Duplicate]
) -> GroupProposal | None:
    """Returns the first expression that keeps all near duplicates together, else all series of names.

    Coarse ones are first. Every name has to match it; it has to keep most duplicates with their original, and to give
    at least three groups, and splits that are not empty.
    """
    if not settings.shares.get("val") or settings.group:
        return None
    drawn = [pair for pair in pairs if pair.split in ("all", "train")]
    names = {pair.file_name for pair in drawn}
    inside = [copy for copy in duplicates if {copy.original.file_name, copy.copy.file_name} <= names]
    required = [copy for copy in inside if not copy.exact] or inside
    together = [(copy.original.file_name, copy.copy.file_name) for copy in required]
    series = [(first, name) for first, *others in find_series(names) for name in others]
    for required_pairs in filter(None, (together, series)):
        for pattern in _patterns(sorted(names)):
            group_of = {name: match[1] for name in names if (match := re.search(pattern, name))}
            groups = len({*group_of.values()})
            if len(group_of) < len(names) or not _FEWEST_GROUPS <= groups < len(names):
                continue
            is_kept = all(group_of[name] == group_of[other] for name, other in required_pairs)
            kept = sum(group_of[copy.original.file_name] == group_of[copy.copy.file_name] for copy in inside)
            if is_kept and 2 * kept >= len(inside) and _divides(drawn, replace(settings, group=pattern)):
                return GroupProposal(pattern, groups, kept, len(inside))
    return None


def find_series(names: Iterable[str]) -> list[list[str]]:
    """Returns the series of names that differ by their last number, which rises evenly; none unless most are in one."""
    names, by_text = sorted({*names}), defaultdict[str, dict[int, str]](dict)
    for name in names:
        if match := _LAST_NUMBER.fullmatch(name):
            by_text[f"{match[1]}#{match[3]}"][int(match[2])] = name
    series = [[numbered[number] for number in sorted(numbered)] for numbered in by_text.values() if _is_even(numbered)]
    is_most = sum(map(len, series)) >= _MOST * len(names)
    return series if is_most and len(series) >= _FEWEST_GROUPS else []


def _is_even(numbers: Iterable[int]) -> bool:
    """Whether most steps between the numbers are equal, as between frames."""
    steps = Counter(later - number for number, later in pairwise(sorted(numbers)))
    return steps.total() + 1 >= _SHORTEST and steps.most_common(1)[0][1] >= _EVEN * steps.total()


def _patterns(names: Sequence[str]) -> Iterator[str]:
    """Expressions for folders, for the first parts of names, and for all but a number at the end."""
    yield from ("^([^/]+)/", "^(.+)/")
    for count in range(_MOST_PARTS):
        for mark, expression in _SEPARATORS.items():
            if count == 0 and (word := _word_before_numbers(names, expression)):
                yield f"^({word}[0-9]+){expression}"
            part = f"[^{mark}]+"
            yield f"^({f'{part}{expression}' * count}{part}){expression}"
    yield "^(.*[^0-9])[0-9]+$"


def _word_before_numbers(names: Sequence[str], separator: str) -> str:
    """The word of `video01_...`, `video02_...`; empty if the names begin otherwise."""
    matches = (re.match(f"([A-Za-z]+)[0-9]+{separator}", name) for name in names)
    words = {match[1] if match else "" for match in matches}
    return words.pop() if len(words) == 1 else ""


def _divides(pairs: Sequence[Pair], settings: PairSettings) -> bool:
    """Whether the groups can be divided into the splits."""
    try:
        divided = split_pairs(pairs, settings)
    except InputError:  # too few groups
        return False
    return all(divided[split] for split in SPLITS if split == "train" or split in settings.shares)
