"""Duplicate images, exact or nearly so: within a split, or leaking from one split into another."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seglit.images.pairs import Pair
from seglit.inspect.dhash import BYTES, signs
from seglit.inspect.survey import Survey

_NEAR = 0.75  # cosine similarity of the hashes of near duplicates
_FLAT = 24  # with fewer differences above the noise, an image is too uniform for its hash to identify it
_ROWS, _COLUMNS = 1 << 10, 1 << 14  # images that are compared at once


@dataclass(frozen=True)
class Duplicate:
    """A pair whose image repeats that of an earlier pair."""

    original: Pair
    copy: Pair
    exact: bool


def find_duplicates(survey: Survey) -> list[Duplicate]:
    """Finds images that repeat an earlier one, but not those in the same TIFF stack; exact copies first."""
    table = np.array(survey.digests, np.uint64).reshape(-1, 2)
    pairs = [survey.pairs[index] for index in table[:, 0].tolist()]
    duplicates: list[Duplicate] = []
    first: dict[int, int] = {}
    repeated: set[int] = set()
    for index, digest in enumerate(table[:, 1].tolist()):
        original = first.setdefault(digest, index)
        if original != index and not _in_one_stack(pairs[original], pairs[index]):
            duplicates.append(Duplicate(pairs[original], pairs[index], exact=True))
            repeated.add(index)
    hashes = np.frombuffer(survey.dhashes, np.uint8).reshape(-1, BYTES)
    for original, copy in _near(hashes, repeated):
        if copy not in repeated and not _in_one_stack(pairs[original], pairs[copy]):
            duplicates.append(Duplicate(pairs[original], pairs[copy], exact=False))
            repeated.add(copy)
    return duplicates


def _in_one_stack(pair: Pair, other: Pair) -> bool:
    """Whether two pairs are slices of one stack, which stay in one split."""
    return pair.image == other.image and pair.page != other.page


def _near(hashes: npt.NDArray[np.uint8], repeated: set[int]) -> Iterator[tuple[int, int]]:
    """Yields near duplicates, some more than once, of images that are not in `repeated`, which the caller extends."""
    distinctive = np.flatnonzero(np.bitwise_count(hashes).sum(-1) >= _FLAT)
    for start in range(0, len(distinctive), _ROWS):
        rows = np.array([index for index in distinctive[start : start + _ROWS].tolist() if index not in repeated], int)
        for first in range(start, len(distinctive), _COLUMNS):
            columns = distinctive[first : first + _COLUMNS]
            near = _unit(hashes[rows]) @ _unit(hashes[columns]).T >= _NEAR
            for row in np.flatnonzero(near.any(-1)).tolist():
                index = int(rows[row])
                if index not in repeated:
                    yield from ((index, other) for other in columns[near[row]].tolist() if other > index)


def _unit(hashes: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """The differences of hashes, as vectors of length 1."""
    vectors = signs(hashes)
    unit: npt.NDArray[np.float32] = vectors / np.sqrt(np.square(vectors).sum(-1, keepdims=True))
    return unit
