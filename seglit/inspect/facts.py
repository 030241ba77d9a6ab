"""Facts about one image and its mask, from a single read: kind, size, statistics, hashes, stored values."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from seglit.annotations.reader import AnnotatedImage
from seglit.errors import InputError
from seglit.images.formats import turn
from seglit.images.mask_settings import MaskOrientation, MaskSettings, follows, orientation_by_size
from seglit.images.pairs import Pair
from seglit.images.part_drawing import draw_parts
from seglit.images.picture import Picture, open_picture
from seglit.images.scaling import resize_nearest, scale_range
from seglit.images.validity import no_data
from seglit.inspect.dhash import dhash
from seglit.inspect.instances import Pieces, find_pieces
from seglit.inspect.label_format import RegionDrawer, ShapeKind
from seglit.inspect.mask_edges import blends, outlines, prefer_upright
from seglit.inspect.part_classes import PartClasses
from seglit.inspect.suspects import Suspects, find_suspects
from seglit.labels import Stored

LOSSY = ("JPEG", "MPO", "WEBP")
"""Formats that change values along every edge."""

_LOSSY_STEP = 24  # compression noise within a region stays below this, from pixel to pixel
_MOST_VALUES = 4096  # distinct values counted per mask; a mask with more is not a label map as it stands


class ImageKind(NamedTuple):
    """How an image is stored: Pillow's colour model (or `array`), channels including alpha, NumPy dtype name."""

    mode: str
    channels: int
    dtype: str


class MaskKind(NamedTuple):
    """How a mask is stored: indices, palette, colours, grey (equal channels), regions or parts; file format; dtype."""

    coding: str
    file_format: str
    dtype: str


@dataclass(slots=True)
class ImageFacts:
    """Facts about an image.

    Args:
        kind: How it is stored.
        size: Height and width in pixels, after its EXIF orientation is applied.
        turned: Whether an EXIF orientation rotates or flips it.
        counts: Number of pixels with data of each channel, without alpha, (C,).
        total: Sum over these pixels, float64 (C,).
        squares: Sum of the squares, float64 (C,).
        low: Smallest value; infinity if no pixel has data.
        high: Largest value; -infinity likewise.
        nodata: The value that the file states for pixels without data; empty if it states none.
        suspects: Values that may mark pixels without data too.
        digest: Hash of the pixels, 8 bytes.
        dhash: Perceptual hash, see `seglit.inspect.dhash`.
    """

    kind: ImageKind
    size: tuple[int, int]
    turned: bool
    counts: npt.NDArray[np.int64]
    total: npt.NDArray[np.float64]
    squares: npt.NDArray[np.float64]
    low: float
    high: float
    nodata: tuple[float, ...]
    suspects: Suspects
    digest: int
    dhash: bytes


@dataclass(slots=True)
class MaskFacts:
    """Facts about a mask.

    Args:
        kind: How it is stored.
        size: Height and width in pixels, after the EXIF orientation is applied.
        values: Stored value, without instance number, to its number of pixels, of pixels next to another value, and of
            pixels between two others, see `blends`.
        truncated: Whether `values` has only the most frequent of too many distinct values.
        palette: The file's own colours, by value.
        shapes: Kinds of shapes that need a setting.
        crowds: Labels of crowds.
        orientation: Beside a turned image, what the size says of its orientation.
        edge_preference: Where the size says nothing, what the edges say, see `prefer_upright`.
        disputed: Pixels in files of several classes.
        pieces: Which integers are in one piece, see `find_pieces`.
    """

    kind: MaskKind
    size: tuple[int, int]
    values: dict[Stored, tuple[int, int, int]]
    truncated: bool
    palette: dict[int, tuple[int, int, int]]
    shapes: frozenset[ShapeKind] = frozenset()
    crowds: frozenset[str] = frozenset()
    orientation: MaskOrientation | None = None
    edge_preference: float | None = None
    disputed: int = 0
    pieces: Pieces = field(default_factory=dict)


@dataclass(slots=True)
class PairFacts:
    """Facts about a pair; for an unreadable file, the reason instead."""

    image: ImageFacts | None = None
    mask: MaskFacts | None = None
    image_unreadable: str = ""
    mask_unreadable: str = ""


def read_facts(
    pair: Pair,
    nodata: Sequence[float] = (),
    entry: AnnotatedImage | None = None,
    drawer: RegionDrawer | None = None,
    masks: MaskSettings | None = None,
    opener: Callable[..., Picture] = open_picture,
    classes: PartClasses | None = None,
) -> PairFacts:
    """Reads both files of a pair once.

    Args:
        pair: The pair.
        nodata: As in `Picture.array`.
        entry: Annotations that the mask is drawn from.
        drawer: Draws their regions.
        masks: How mask files are read; None reads them by the defaults.
        opener: Opens the files, or slices of them; called like `open_picture`.
        classes: The classes of masks in several files.
    """
    facts, masks = PairFacts(), masks or MaskSettings()
    picture, array, empty = None, None, None
    try:
        picture = opener(pair.image, page=pair.page)
        array = picture.array(nodata)
        empty = no_data(array)
        facts.image = _image_facts(picture, array)
    except InputError as error:
        facts.image_unreadable = str(error).removeprefix(f"{pair.image}: ")
    try:
        if entry is not None and drawer is not None:
            if size := facts.image.size if facts.image else entry.size:
                facts.mask = _drawn_facts(drawer, entry, size, empty)
            return facts
        mask = None if pair.parts == () else opener(pair.mask, page=pair.page)
        if pair.parts is not None and classes is not None:
            facts.mask = None if picture is None else _part_facts(pair, picture, empty, classes, masks)
        elif mask is not None:
            facts.mask = _mask_facts(masks.upright(mask, picture) if picture else mask, empty, masks)
        if facts.mask is None or mask is None:
            return facts
        if picture is not None and array is not None and masks.orientation is None:
            parts = (opener(part.path, page=pair.page) for part in pair.parts or ())
            _add_orientation(facts.mask, array, picture, [mask] if pair.parts is None else parts)
    except InputError as error:
        facts.mask_unreadable = str(error).removeprefix(f"{pair.mask}: ")
    return facts


def _image_facts(picture: Picture, array: npt.NDArray[Any]) -> ImageFacts:
    visible = array[..., :-1] if picture.has_alpha else array
    channels = [np.ma.compressed(channel) for channel in visible.reshape(-1, visible.shape[-1]).T]
    if array.dtype == np.uint8:
        histograms = np.stack([np.bincount(channel, minlength=256) for channel in channels])  # (C, 256)
        levels = np.arange(256, dtype=np.float64)
        total, squares = histograms @ levels, histograms @ levels**2
    else:
        wide = [channel.astype(np.float64) for channel in channels]
        total, squares = (np.array([(channel**power).sum() for channel in wide]) for power in (1, 2))
    return ImageFacts(
        kind=ImageKind(picture.mode, array.shape[2], array.dtype.name),
        size=array.shape[:2],
        turned=picture.orientation not in (None, 1),
        counts=np.array([len(channel) for channel in channels]),
        total=total,
        squares=squares,
        low=min((float(channel.min()) for channel in channels if len(channel)), default=np.inf),
        high=max((float(channel.max()) for channel in channels if len(channel)), default=-np.inf),
        nodata=picture.nodata,
        suspects=find_suspects(visible),
        digest=int.from_bytes(hashlib.blake2b(np.ma.getdata(array).tobytes(), digest_size=8).digest()),
        dhash=dhash(np.ma.getdata(visible)),
    )


def _mask_facts(mask: Picture, empty: npt.NDArray[np.bool_] | None, settings: MaskSettings) -> MaskFacts:
    """Facts about a mask; pixels where it, or its image (`empty`), has no data are not counted."""
    stored = mask.stored_values()
    marked = settings.classes(stored)  # (H, W) integers or (H, W, 3) colours
    by_mode = {"P": "palette", "RGB": "grey", "RGBA": "grey"}
    coding = "colours" if marked.ndim == 3 else by_mode.get(mask.mode, "indices")
    is_lossless = mask.file_format == "WEBP" and b"VP8L" in mask.path.read_bytes()
    file_format = "lossless WEBP" if is_lossless else mask.file_format
    facts = _count(marked, empty, MaskKind(coding, file_format, marked.dtype.name))
    facts.palette = {index: (red, green, blue) for index, (red, green, blue) in enumerate(mask.palette.tolist())}
    facts.pieces = find_pieces(np.ma.getdata(stored)) if settings.divisor == 1 else {}
    return facts


def _add_orientation(facts: MaskFacts, array: npt.NDArray[Any], picture: Picture, files: Iterable[Picture]) -> None:
    """Adds what the sizes of the files of a mask say of its orientation, else the mean of what their edges say."""
    by_size, preferences = set[MaskOrientation](), list[float]()
    for mask in files:
        if not follows(mask, picture):
            continue
        if (orientation := orientation_by_size(mask, picture)) is not None:
            by_size.add(orientation)
        elif scale_range(picture.size, mask.size) is not None:
            preferences.append(_edge_preference(array, picture, mask))
    if len(by_size) == 1:
        facts.orientation = by_size.pop()
    elif preferences:
        facts.edge_preference = float(np.mean(preferences))


def _edge_preference(array: npt.NDArray[Any], picture: Picture, mask: Picture) -> float:
    """Compares a mask as it is with the mask turned like its image."""
    upright = np.ma.getdata(mask.stored_values())
    step = _LOSSY_STEP if mask.file_format in LOSSY else 0
    visible = array[..., :-1] if picture.has_alpha else array
    return prefer_upright(visible, upright, turn(upright, picture.orientation), step)


def _drawn_facts(
    drawer: RegionDrawer, entry: AnnotatedImage, size: tuple[int, int], empty: npt.NDArray[np.bool_] | None
) -> MaskFacts:
    """Facts about a mask that is drawn from regions."""
    drawn = drawer.draw(entry, size)
    facts = _count(drawn.indices, empty, MaskKind("regions", drawer.reader.format_name, "uint8"))
    facts.shapes, facts.crowds = drawn.kinds, drawn.crowds
    return facts


def _part_facts(
    pair: Pair,
    image: Picture,
    empty: npt.NDArray[np.bool_] | None,
    classes: PartClasses,
    settings: MaskSettings,
) -> MaskFacts:
    """Facts about a mask that is drawn from several files."""
    files = (
        (settings.upright(open_picture(part.path, page=pair.page), image), classes.indices[part.class_name])
        for part in pair.parts or ()
    )
    drawn = draw_parts(files, image.size, classes.fill)
    facts = _count(drawn.indices, empty, MaskKind("parts", "several files", "uint8"))
    facts.disputed = drawn.disputed
    return facts


def _count(marked: npt.NDArray[Any], empty: npt.NDArray[np.bool_] | None, kind: MaskKind) -> MaskFacts:
    """Counts the values of a mask (H, W) or (H, W, 3), and those of them along edges."""
    stored, void = np.ma.getdata(marked), no_data(marked)
    codes = stored if stored.ndim == 2 else stored.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)
    size = codes.shape[0], codes.shape[1]
    if empty is not None:
        empty = resize_nearest(empty, size)
        void = empty if void is None else void | empty
    known = slice(None) if void is None else ~void
    values, inverse, pixels = np.unique(codes[known], return_inverse=True, return_counts=True)
    edges = outlines(stored, _LOSSY_STEP if kind.file_format in LOSSY else 0)
    between = blends(stored) if len(values) > 2 else np.zeros(size, bool)
    of_these = [np.bincount(inverse.ravel()[marks[known].ravel()], minlength=len(values)) for marks in (edges, between)]
    frequent = np.sort(np.argsort(-pixels, kind="stable")[:_MOST_VALUES])
    columns = (column[frequent].tolist() for column in (values, pixels, *of_these))
    counts: dict[Stored, tuple[int, int, int]] = {
        code if stored.ndim == 2 else (code >> 16, code >> 8 & 255, code & 255): (all_pixels, at_edges, blended)
        for code, all_pixels, at_edges, blended in zip(*columns, strict=True)
    }
    return MaskFacts(kind=kind, size=size, values=counts, truncated=len(values) > _MOST_VALUES, palette={})
