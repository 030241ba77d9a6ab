"""What a whole folder holds: every pair read once, in parallel, and added up."""

import os
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from seglit.errors import InputError
from seglit.images.pairs import Pair
from seglit.images.prefetch import prefetch
from seglit.inspect.facts import ImageFacts, MaskFacts, PairFacts, read_facts
from seglit.labels import Color, Stored

TRAINED = ("train", "all")
"""The splits that mean, std and weights are taken from."""

_CHUNK = 16  # pairs sent to a process at a time
_SHOWN = 50  # files kept of each thing that is only reported
_MOST_VALUES = 1 << 16  # distinct stored values kept of all masks together


@dataclass
class ValueCount:
    """Where a stored value occurs.

    Args:
        pixels: How many hold it.
        images: How many images hold it.
        edge_pixels: Its pixels that touch another value.
        trained_area: All pixels of the training images that hold it.
        splits: Its pixels in each split.
        first: The first mask that holds it.
    """

    pixels: int = 0
    images: int = 0
    edge_pixels: int = 0
    trained_area: int = 0
    splits: Counter[str] = field(default_factory=Counter)
    first: Path | None = None

    @property
    def edge_share(self) -> float:
        """Share of its pixels that touch another value: near 1 for what only lies between others."""
        return self.edge_pixels / self.pixels

    @property
    def trained_pixels(self) -> int:
        """Pixels in the images that are trained on."""
        return sum(self.splits[split] for split in TRAINED)


@dataclass
class Files:
    """How many files something is said of, and the first of them."""

    count: int = 0
    first: list[tuple[Path, str]] = field(default_factory=list)

    def add(self, path: Path, detail: str = "") -> None:
        """Counts a file."""
        self.count += 1
        if len(self.first) < _SHOWN:
            self.first.append((path, detail))


@dataclass
class Moments:
    """What mean and std are made of, added up over images of as many channels, alpha not counted."""

    images: int = 0
    pixels: int = 0
    total: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))
    squares: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))


@dataclass
class Survey:
    """Everything that was counted.

    Of a pair that was read only three hashes stay (24 bytes), beside the names in `pairs`.

    Args:
        pairs: The pairs, in the order they were read.
    """

    pairs: list[Pair]
    counts: Counter[str] = field(default_factory=Counter)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    image_kinds: Counter[tuple[str, int, str]] = field(default_factory=Counter)
    mask_kinds: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    first_of: dict[tuple[str, int | str, str], Path] = field(default_factory=dict)
    values: dict[Stored, ValueCount] = field(default_factory=lambda: defaultdict(ValueCount))
    rare_pixels: int = 0
    palette: dict[int, Color] = field(default_factory=dict)
    unreadable_images: list[tuple[Path, str]] = field(default_factory=list)
    unreadable_masks: list[tuple[Pair, str]] = field(default_factory=list)
    mismatched: list[tuple[Pair, str]] = field(default_factory=list)
    turned: Files = field(default_factory=Files)
    cmyk: Files = field(default_factory=Files)
    crowded: Files = field(default_factory=Files)
    single: dict[Stored, Files] = field(default_factory=lambda: defaultdict(Files))
    low: float = np.inf
    high: float = -np.inf
    moments: dict[int, Moments] = field(default_factory=lambda: defaultdict(Moments))
    digests: "array[int]" = field(default_factory=lambda: array("Q"))
    looks: tuple["array[int]", "array[int]"] = field(default_factory=lambda: (array("Q"), array("Q")))
    hashed: "array[int]" = field(default_factory=lambda: array("Q"))

    @property
    def channels(self) -> int:
        """Channels of most images, alpha not counted."""
        return max(self.moments, key=lambda channels: self.moments[channels].images)

    @property
    def mean(self) -> list[float]:
        """Mean of each channel over the training images, in stored units."""
        moments = self.moments[self.channels]
        return [float(value) for value in moments.total / max(1, moments.pixels)]

    @property
    def std(self) -> list[float]:
        """Standard deviation of each channel over the training images, in stored units."""
        moments = self.moments[self.channels]
        variance = moments.squares / max(1, moments.pixels) - (moments.total / max(1, moments.pixels)) ** 2
        return [float(value) for value in np.sqrt(np.maximum(variance, 0))]

    @property
    def constant(self) -> list[int]:
        """The channels that hold one value throughout, as far as the sums of their squares tell."""
        both = zip(self.mean, self.std, strict=True)
        return [channel for channel, (mean, std) in enumerate(both) if std <= 1e-6 * abs(mean)]

    def add(self, index: int, facts: PairFacts) -> None:
        """Adds what was read of the pair of that index."""
        if facts.image_unreadable:
            self.unreadable_images.append((facts.pair.image, facts.image_unreadable))
        if facts.mask_unreadable:
            self.unreadable_masks.append((facts.pair, facts.mask_unreadable))
        if facts.image:
            self._add_image(index, facts.pair, facts.image)
        if facts.image and facts.mask:
            (height, width), (rows, columns) = facts.image.size, facts.mask.size
            if (height, width) == (rows, columns):
                self._add_mask(facts.pair, facts.mask)
            else:
                self.mismatched.append((facts.pair, f"image {height} x {width}, mask {rows} x {columns}"))

    def _add_image(self, index: int, pair: Pair, image: ImageFacts) -> None:
        self.counts[pair.split] += 1
        self.sizes[image.size] += 1
        kind = image.mode, image.channels, image.dtype
        self.image_kinds[kind] += 1
        self.first_of.setdefault(kind, pair.image)
        if image.turned:
            self.turned.add(pair.image)
        if image.mode == "CMYK":
            self.cmyk.add(pair.image)
        self.low, self.high = min(self.low, image.low), max(self.high, image.high)
        moments = self.moments[len(image.total)]
        moments.images += 1
        if pair.split in TRAINED:
            moments.total, moments.squares = moments.total + image.total, moments.squares + image.squares
            moments.pixels += image.size[0] * image.size[1]
        self.hashed.append(index)
        self.digests.append(image.digest)
        for hashes, look in zip(self.looks, image.look, strict=True):
            hashes.append(look)

    def _add_mask(self, pair: Pair, mask: MaskFacts) -> None:
        kind = mask.coding, mask.file_format, mask.dtype
        self.mask_kinds[kind] += 1
        self.first_of.setdefault(kind, pair.mask)
        self.palette.update(mask.palette)
        if mask.more:
            self.crowded.add(pair.mask)
        if len(mask.values) == 1:
            self.single[next(iter(mask.values))].add(pair.mask)
        for value, (pixels, edges) in mask.values.items():
            if value not in self.values and len(self.values) >= _MOST_VALUES:
                self.rare_pixels += pixels
                continue
            count = self.values[value]
            count.pixels += pixels
            count.images += 1
            count.edge_pixels += edges
            count.splits[pair.split] += pixels
            count.trained_area += mask.size[0] * mask.size[1] if pair.split in TRAINED else 0
            count.first = count.first or pair.mask


def read_all(pairs: list[Pair], workers: int | None = None) -> Iterator[PairFacts]:
    """Reads every pair in several processes, in order; only a few are under way at a time.

    Raises:
        InputError: A reading process died.
    """
    workers = workers or os.cpu_count() or 1
    chunks = (pairs[start : start + _CHUNK] for start in range(0, len(pairs), _CHUNK))
    with ProcessPoolExecutor(workers) as pool:
        try:
            for facts in prefetch(_read_chunk, chunks, pool, 4 * workers):
                yield from facts
        except BrokenProcessPool as error:
            raise InputError("a reading process died, probably for lack of memory; try --workers 1") from error


def _read_chunk(pairs: list[Pair]) -> list[PairFacts]:
    return [read_facts(pair) for pair in pairs]
