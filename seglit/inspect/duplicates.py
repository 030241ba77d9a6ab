"""Duplicate images, exact or nearly so: within a split, or leaking from one split into another."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seglit.images.pairs import Pair
from seglit.inspect.survey import Survey

_NEAR_BITS = 4  # near duplicates differ in at most so many of the 128 bits of the perceptual hash
_FLAT_BITS = 16  # with fewer bits set, an image is too uniform for its hash to identify it
_MOST_COMPARED = 200  # an image is compared with so many of the next in its bucket


@dataclass(frozen=True)
class Duplicate:
    """A pair whose image repeats that of an earlier pair."""

    original: Pair
    copy: Pair
    exact: bool


def find_duplicates(survey: Survey) -> list[Duplicate]:
    """Finds images that repeat an earlier one, but not those in the same TIFF stack; exact copies first."""
    table = np.array(survey.hashes, np.uint64).reshape(-1, 4)
    pairs = [survey.pairs[index] for index in table[:, 0].tolist()]
    duplicates: list[Duplicate] = []
    first: dict[int, int] = {}
    repeated: set[int] = set()
    for index, digest in enumerate(table[:, 1].tolist()):
        original = first.setdefault(digest, index)
        if original != index and not _in_one_stack(pairs[original], pairs[index]):
            duplicates.append(Duplicate(pairs[original], pairs[index], exact=True))
            repeated.add(index)
    for original, copy in _near(table[:, 2:], repeated):
        if copy not in repeated and not _in_one_stack(pairs[original], pairs[copy]):
            duplicates.append(Duplicate(pairs[original], pairs[copy], exact=False))
            repeated.add(copy)
    return duplicates


def _in_one_stack(pair: Pair, other: Pair) -> bool:
    """Whether two pairs are slices of one stack, which stay in one split."""
    return pair.image == other.image and pair.page != other.page


def _near(hashes: npt.NDArray[np.uint64], repeated: set[int]) -> Iterator[tuple[int, int]]:
    """Yields near duplicates, some more than once, of images that are not in `repeated`, which the caller extends.

    Two perceptual hashes that differ in at most 4 of 128 bits have at least 4 of their 8 words of 16 bits in common,
    so only images that share a word are compared.
    """
    words = hashes.view(np.uint16)  # (N, 8)
    distinctive = np.flatnonzero(np.bitwise_count(hashes).sum(-1) >= _FLAT_BITS).tolist()
    for column in range(words.shape[1]):
        buckets: dict[int, list[int]] = defaultdict(list)
        for index in distinctive:
            buckets[int(words[index, column])].append(index)
        for bucket in buckets.values():
            members = np.array(bucket)
            for position, index in enumerate(bucket):
                if index not in repeated:
                    later = members[position + 1 : position + 1 + _MOST_COMPARED]
                    distances = np.bitwise_count(hashes[later] ^ hashes[index]).sum(-1)
                    yield from ((index, other) for other in later[distances <= _NEAR_BITS].tolist())
