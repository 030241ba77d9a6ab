"""Proposes `group`, which keeps near duplicates in one split, if their names share a part."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from seglit.errors import InputError
from seglit.images.pairs import SPLITS, Pair, PairSettings
from seglit.images.splitting import split_pairs
from seglit.inspect.duplicates import Duplicate

_SEPARATORS = {"_": "_", "-": "-", ".": "[.]", " ": " "}  # and how an expression states it
_MOST_PARTS = 3
_FEWEST_GROUPS = 3


class GroupProposal(NamedTuple):
    """A regular expression for `group`, and what it does."""

    pattern: str
    groups: int
    kept: int
    duplicates: int

    def __str__(self) -> str:
        """The evidence."""
        return f"{self.groups} groups, which keep {self.kept} of {self.duplicates} duplicates with their original"


def propose_group(
    pairs: Sequence[Pair], settings: PairSettings, duplicates: Sequence[Duplicate]
) -> GroupProposal | None:
    """Returns the first expression that keeps all near duplicates together, coarse ones first; None if none does.

    Every name has to match it; it has to give at least three groups, and splits that are not empty.
    """
    drawn = [pair for pair in pairs if pair.split in ("all", "train")]
    names = {pair.file_name for pair in drawn}
    inside = [copy for copy in duplicates if {copy.original.file_name, copy.copy.file_name} <= names]
    required = [copy for copy in inside if not copy.exact] or inside
    if not settings.shares.get("val") or settings.group or not required:
        return None
    for pattern in _patterns(sorted(names)):
        group_of = {name: match[1] for name in names if (match := re.search(pattern, name))}
        groups = len({*group_of.values()})
        if len(group_of) < len(names) or not _FEWEST_GROUPS <= groups < len(names):
            continue
        kept = [copy for copy in inside if group_of[copy.original.file_name] == group_of[copy.copy.file_name]]
        if all(copy in kept for copy in required) and _divides(drawn, replace(settings, group=pattern)):
            return GroupProposal(pattern, groups, len(kept), len(inside))
    return None


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
