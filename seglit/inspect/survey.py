"""Survey of a whole folder: the accumulated facts of every pair."""

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from seglit.images.pairs import Pair
from seglit.images.picture import Picture, open_picture
from seglit.inspect.facts import LOSSY, ImageFacts, ImageKind, MaskFacts, MaskKind, PairFacts
from seglit.inspect.hub_folder import Rows
from seglit.inspect.label_format import AnnotatedFolder, ShapeKind
from seglit.inspect.mask_reading import MaskEvidence, MaskReading
from seglit.inspect.part_classes import PartClasses
from seglit.inspect.suspects import Suspects
from seglit.labels import Color, Stored

TRAINING_SPLITS = ("train", "all")
"""The splits from which mean, std and class weights are computed."""

_MOST_VALUES = 1 << 16  # distinct values counted over all masks


@dataclass
class ValueCount:
    """Occurrences of a stored value.

    Args:
        first: The first mask that contains it.
        pixels: Number of its pixels.
        images: Number of images that contain it.
        edge_pixels: Its pixels next to another value.
        blended_pixels: Its pixels between two others, see `blends`.
        training_area: All pixels of the training images that contain it.
        splits: Its pixels in each split.
    """

    first: Path
    pixels: int = 0
    images: int = 0
    edge_pixels: int = 0
    blended_pixels: int = 0
    training_area: int = 0
    splits: Counter[str] = field(default_factory=Counter)

    def add(self, other: "ValueCount") -> None:
        """Adds other occurrences of the value."""
        self.pixels += other.pixels
        self.images += other.images
        self.edge_pixels += other.edge_pixels
        self.blended_pixels += other.blended_pixels
        self.training_area += other.training_area
        self.splits.update(other.splits)

    @property
    def edge_share(self) -> float:
        """Share of its pixels next to another value: near 1 for values that occur only along edges."""
        return self.edge_pixels / self.pixels

    @property
    def blended_share(self) -> float:
        """Share of its pixels between two others."""
        return self.blended_pixels / self.pixels

    @property
    def training_pixels(self) -> int:
        """Its pixels in the training images."""
        return sum(self.splits[split] for split in TRAINING_SPLITS)


@dataclass
class Moments:
    """Sums for mean and std over images with the same number of channels, without alpha."""

    images: int = 0
    pixels: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))
    total: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))
    squares: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))


@dataclass
class Survey:
    """The accumulated facts of all pairs; of most pairs, only an index and two hashes are stored (136 bytes).

    Args:
        pairs: The pairs, in the order in which they are read.
        nodata: Value of pixels without data, one for all channels or one each, beside those that files state.
        annotated: Draws the masks; None if they are files.
        rows: Opens images and masks that are no files; None if they are.
        parts: The classes of masks in several files.
        reading: How mask files are read; a first survey finds `evidence` of it.
    """

    pairs: list[Pair]
    nodata: tuple[float, ...] = ()
    annotated: AnnotatedFolder | None = None
    rows: Rows | None = None
    parts: PartClasses | None = None
    reading: MaskReading = field(default_factory=MaskReading)
    evidence: MaskEvidence = field(default_factory=MaskEvidence)
    disputed: list[tuple[Path, int]] = field(default_factory=list)  # pixels in files of several classes
    shapes: Counter[ShapeKind] = field(default_factory=Counter)  # number of images
    crowds: set[str] = field(default_factory=set)
    split_counts: Counter[str] = field(default_factory=Counter)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    image_kinds: Counter[ImageKind] = field(default_factory=Counter)
    mask_kinds: Counter[MaskKind] = field(default_factory=Counter)
    first_of: dict[ImageKind | MaskKind | ShapeKind, Path] = field(default_factory=dict)
    values: dict[Stored, ValueCount] = field(default_factory=dict)
    uncounted_pixels: int = 0  # of values beyond `_MOST_VALUES`
    palette: dict[int, Color] = field(default_factory=dict)
    unreadable_images: list[tuple[Path, str]] = field(default_factory=list)
    unreadable_masks: list[tuple[Pair, str]] = field(default_factory=list)
    mismatched: list[tuple[Pair, str]] = field(default_factory=list)
    turned: list[Path] = field(default_factory=list)
    cmyk: list[Path] = field(default_factory=list)
    truncated_masks: int = 0
    single_valued: dict[Stored, list[Path]] = field(default_factory=lambda: defaultdict(list))
    low: float = np.inf
    high: float = -np.inf
    moments: dict[int, Moments] = field(default_factory=lambda: defaultdict(Moments))
    suspects: dict[int, Suspects] = field(default_factory=lambda: defaultdict(Suspects))
    nodata_tags: Counter[float] = field(default_factory=Counter)
    incomplete: list[tuple[Path, float]] = field(default_factory=list)  # images, and the share of values without data
    digests: "array[int]" = field(default_factory=lambda: array("Q"))  # 2 per image: index in `pairs`, digest
    dhashes: bytearray = field(default_factory=bytearray)  # of these images

    @property
    def channels(self) -> int:
        """Channels of most images, without alpha."""
        return max(self.moments, key=lambda channels: self.moments[channels].images)

    @property
    def mean(self) -> list[float]:
        """Mean of each channel over the training images, in stored units."""
        moments = self.moments[self.channels]
        return [float(value) for value in moments.total / np.maximum(1, moments.pixels)]

    @property
    def std(self) -> list[float]:
        """Standard deviation of each channel over the training images, in stored units."""
        moments = self.moments[self.channels]
        pixels = np.maximum(1, moments.pixels)
        variance = moments.squares / pixels - (moments.total / pixels) ** 2
        return [float(value) for value in np.sqrt(np.maximum(variance, 0))]

    @property
    def constant(self) -> list[int]:
        """The channels with a single value throughout, to the precision of the sums of squares."""
        moments = zip(self.mean, self.std, strict=True)
        return [channel for channel, (mean, std) in enumerate(moments) if std <= 1e-6 * abs(mean)]

    @property
    def unstated_nodata(self) -> tuple[float, ...]:
        """Values that probably mark pixels without data, one for all channels or one each; empty if there are none."""
        confirmed = self.suspects[self.channels].confirmed()
        if len(values := set(confirmed.values())) <= 1:
            return tuple(values)
        return tuple(confirmed.get(channel, np.nan) for channel in range(self.channels))

    @property
    def is_8_bit(self) -> bool:
        """Whether all images are 8-bit."""
        return all(kind.dtype == "uint8" for kind in self.image_kinds)

    @property
    def has_lossy_masks(self) -> bool:
        """Whether any mask has a format with lossy compression."""
        return any(kind.file_format in LOSSY for kind in self.mask_kinds)

    @property
    def opener(self) -> Callable[..., Picture]:
        """Opens images and masks; called like `open_picture`."""
        return open_picture if self.rows is None else self.rows.open

    @property
    def is_drawn(self) -> bool:
        """Whether masks are drawn from annotations or several files, not stored as they are."""
        return self.annotated is not None or self.parts is not None

    def mask_file(self, pair: Pair) -> Path:
        """Returns the file that messages name for the mask of a pair."""
        return pair.numbered(pair.mask) if self.annotated is None else self.annotated.mask_file(pair)

    def renumber(self, order: Mapping[Stored, Stored]) -> None:
        """Changes values to those that they are mapped to."""
        self.values = {order[value]: count for value, count in self.values.items()}
        self.single_valued = {order[value]: paths for value, paths in self.single_valued.items()}

    def read_as_colors(self) -> None:
        """Counts integers as grey colours: a mask of background alone has three equal channels."""
        for value in [value for value in self.values if isinstance(value, int) and 0 <= value <= 255]:
            color, count = (value, value, value), self.values.pop(value)
            self.values.setdefault(color, ValueCount(count.first)).add(count)
            self.single_valued[color] += self.single_valued.pop(value, [])
        self.single_valued = defaultdict(list, {value: paths for value, paths in self.single_valued.items() if paths})

    def add(self, index: int, facts: PairFacts) -> None:
        """Adds the facts of the pair with this index."""
        pair = self.pairs[index]
        if facts.image_unreadable:
            self.unreadable_images.append((pair.numbered(pair.image), facts.image_unreadable))
        if facts.mask_unreadable:
            self.unreadable_masks.append((pair, facts.mask_unreadable))
        if facts.image:
            self._add_image(index, pair, facts.image)
        if facts.image and facts.mask:
            image, mask = facts.image.size, facts.mask.size
            self.evidence.add(pair.numbered(pair.mask), image, facts.mask)
            if self.reading.fits(image, mask):
                self.split_counts[pair.split] += 1
                self._add_mask(pair, facts.mask)
            else:
                self.mismatched.append((pair, f"image {image[0]} x {image[1]}, mask {mask[0]} x {mask[1]}"))

    def _add_image(self, index: int, pair: Pair, image: ImageFacts) -> None:
        self.sizes[image.size] += 1
        self.image_kinds[image.kind] += 1
        file = pair.numbered(pair.image)
        self.first_of.setdefault(image.kind, file)
        if image.turned:
            self.turned.append(file)
        if image.kind.mode == "CMYK":
            self.cmyk.append(file)
        self.low, self.high = min(self.low, image.low), max(self.high, image.high)
        moments = self.moments[len(image.total)]
        moments.images += 1
        if pair.split in TRAINING_SPLITS:
            moments.total, moments.squares = moments.total + image.total, moments.squares + image.squares
            moments.pixels = moments.pixels + image.counts
        self.suspects[len(image.total)].add(image.suspects)
        self.nodata_tags.update(image.nodata)
        if lacking := image.size[0] * image.size[1] * len(image.counts) - int(image.counts.sum()):
            self.incomplete.append((file, lacking / (lacking + int(image.counts.sum()))))
        self.digests.extend((index, image.digest))
        self.dhashes += image.dhash

    def _add_mask(self, pair: Pair, mask: MaskFacts) -> None:
        self.mask_kinds[mask.kind] += 1
        file = self.mask_file(pair)
        self.first_of.setdefault(mask.kind, file)
        for shape in mask.shapes:
            self.first_of.setdefault(shape, file)
        self.shapes.update(mask.shapes)
        self.crowds |= mask.crowds
        if mask.disputed:
            self.disputed.append((file, mask.disputed))
        self.palette.update(mask.palette)
        self.truncated_masks += mask.truncated
        if len(mask.values) == 1:
            self.single_valued[next(iter(mask.values))].append(file)
        for value, (pixels, edges, blended) in mask.values.items():
            if value not in self.values:
                if len(self.values) >= _MOST_VALUES:
                    self.uncounted_pixels += pixels
                    continue
                self.values[value] = ValueCount(file)
            count = self.values[value]
            count.pixels += pixels
            count.images += 1
            count.edge_pixels += edges
            count.blended_pixels += blended
            count.splits[pair.split] += pixels
            count.training_area += mask.size[0] * mask.size[1] if pair.split in TRAINING_SPLITS else 0
