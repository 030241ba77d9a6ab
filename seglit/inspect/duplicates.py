"""The same picture twice, exactly or nearly: within a split, or leaking from one into another."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from seglit.images.pairs import Pair
from seglit.inspect.survey import Survey

NEAR = 4
"""Bits of the 128 of the perceptual hash by which two pictures may differ and still pass as nearly the same."""
_FLAT = 16  # fewer bits set than this: the picture is too even for its hash to tell anything
_CROWD = 200  # a bucket that is larger is compared with its neighbours only


@dataclass(frozen=True)
class Duplicate:
    """Two pairs of the same image."""

    one: Pair
    other: Pair
    exact: bool

    @property
    def leak(self) -> bool:
        """Whether they stand in two splits."""
        return self.one.split != self.other.split


def find_duplicates(survey: Survey) -> list[Duplicate]:
    """Finds images that occur twice, each with the first that it repeats; exact ones first.

    Two hashes that differ in at most 4 of 128 bits have at least 4 of their 8 words of 16 bits in common, so only
    pictures that share a word are compared.
    """
    duplicates: list[Duplicate] = []
    first: dict[int, int] = {}
    repeated: set[int] = set()
    for place, digest in enumerate(survey.digests):
        if digest in first:
            duplicates.append(_duplicate(survey, first[digest], place, exact=True))
            repeated.add(place)
        else:
            first[digest] = place
    for one, other in _near(survey, repeated):
        if other not in repeated:
            duplicates.append(_duplicate(survey, one, other, exact=False))
            repeated.add(other)
    return duplicates


def _duplicate(survey: Survey, one: int, other: int, *, exact: bool) -> Duplicate:
    return Duplicate(survey.pairs[survey.hashed[one]], survey.pairs[survey.hashed[other]], exact)


def _near(survey: Survey, known: set[int]) -> Iterator[tuple[int, int]]:
    looks = np.stack([np.frombuffer(hashes, np.uint64) for hashes in survey.looks], -1) if survey.digests else None
    if looks is None:
        return
    words = looks.view(np.uint16)  # (N, 8)
    telling = np.bitwise_count(looks).sum(-1) >= _FLAT
    seen: set[tuple[int, int]] = set()
    for column in range(words.shape[1]):
        buckets: dict[int, list[int]] = defaultdict(list)
        for place in np.flatnonzero(telling).tolist():
            buckets[int(words[place, column])].append(place)
        for bucket in buckets.values():
            members = np.array(bucket)
            for position, place in enumerate(bucket):
                if place in known:
                    continue
                later = members[position + 1 : position + 1 + _CROWD]
                differing = np.bitwise_count(looks[later] ^ looks[place]).sum(-1)
                for other in later[differing <= NEAR].tolist():
                    if (place, other) not in seen:
                        seen.add((place, other))
                        yield place, other
