"""What one image and its mask look like: read once, kept as a few numbers."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from seglit.errors import InputError
from seglit.images.pairs import Pair
from seglit.images.picture import Picture, open_picture
from seglit.labels import Stored

MOST_VALUES = 4096
"""Distinct values kept of one mask: one that holds more is no map of classes as it stands."""

LOSSY = ("JPEG", "MPO", "WEBP")
"""Formats that change values around every edge (WebP unless it is told not to)."""
LOSSY_STEP = 24
"""What their noise within an area stays below, from pixel to pixel."""


@dataclass(slots=True)
class ImageFacts:
    """What an image looks like.

    Args:
        size: Height and width in pixels, upright.
        channels: Channels as stored, alpha counted.
        dtype: NumPy's name of the values' type.
        mode: The file's colour model, as Pillow names it, or `array`.
        turned: Whether an EXIF orientation turns it.
        total: Sum over the pixels of each channel without alpha, float64 (C,).
        squares: Sum of the squares, float64 (C,).
        low: Smallest value.
        high: Largest value.
        digest: Hash of the pixels, 8 bytes.
        look: Perceptual hash, 2 x 64 bits: whether each patch is brighter than the one to its right, and below.
    """

    size: tuple[int, int]
    channels: int
    dtype: str
    mode: str
    turned: bool
    total: npt.NDArray[np.float64]
    squares: npt.NDArray[np.float64]
    low: float
    high: float
    digest: int
    look: tuple[int, int]


@dataclass(slots=True)
class MaskFacts:
    """What a mask holds.

    Args:
        size: Height and width in pixels, upright.
        coding: `indices`, `palette` or `colours`.
        file_format: The file's format, such as PNG.
        dtype: NumPy's name of the values' type.
        values: Stored value to its numbers of pixels, and of pixels at an edge to another value.
        more: Whether it holds more distinct values than `MOST_VALUES`, of which the most frequent are kept.
        palette: The file's own colours, by value.
    """

    size: tuple[int, int]
    coding: str
    file_format: str
    dtype: str
    values: dict[Stored, tuple[int, int]]
    more: bool
    palette: dict[int, tuple[int, int, int]]


@dataclass(slots=True)
class PairFacts:
    """What a pair looks like; an unreadable file has no facts but a reason."""

    pair: Pair
    image: ImageFacts | None
    mask: MaskFacts | None
    image_unreadable: str = ""
    mask_unreadable: str = ""


def read_facts(pair: Pair) -> PairFacts:
    """Reads both files of a pair once."""
    facts = PairFacts(pair, None, None)
    orientation, stored_size = None, None
    try:
        picture = open_picture(pair.image)
        orientation, stored_size = picture.orientation, picture.stored_size
        facts.image = _image_facts(picture)
    except InputError as error:
        facts.image_unreadable = _reason(error, pair.image)
    try:
        mask = open_picture(pair.mask).turned_like(orientation, stored_size)
        facts.mask = _mask_facts(mask)
    except InputError as error:
        facts.mask_unreadable = _reason(error, pair.mask)
    return facts


def _reason(error: InputError, path: Path) -> str:
    return str(error).removeprefix(f"{path}: ")


def _image_facts(picture: Picture) -> ImageFacts:
    array = picture.array()  # (H, W, C)
    seen = array[..., :3] if picture.has_alpha else array
    flat = seen.reshape(-1, seen.shape[-1])
    if array.dtype == np.uint8:
        histograms = np.stack([np.bincount(channel, minlength=256) for channel in flat.T]).astype(
            np.float64
        )  # (C, 256)
        levels = np.arange(256, dtype=np.float64)
        total, squares = histograms @ levels, histograms @ levels**2
    else:
        wide = flat.astype(np.float64)
        total, squares = wide.sum(0), (wide**2).sum(0)
    return ImageFacts(
        size=array.shape[:2],
        channels=array.shape[2],
        dtype=array.dtype.name,
        mode=picture.mode,
        turned=picture.orientation not in (None, 1),
        total=total,
        squares=squares,
        low=float(seen.min()),
        high=float(seen.max()),
        digest=int.from_bytes(hashlib.blake2b(array.tobytes(), digest_size=8).digest()),
        look=_look(seen),
    )


def _look(array: npt.NDArray[Any]) -> tuple[int, int]:
    """Difference hash (N. Krawetz, 2013, hackerfactor.com/blog/?/archives/529), along rows and along columns."""
    grey = array.astype(np.float32).mean(-1) if array.dtype != np.uint8 else array.mean(-1, dtype=np.float32)
    small = np.asarray(Image.fromarray(grey).resize((9, 9), Image.Resampling.BOX))
    across, down = small[:8, :8] > small[:8, 1:], small[:8, :8] > small[1:, :8]
    return _bits(across), _bits(down)


def _bits(flags: npt.NDArray[np.bool_]) -> int:
    return int.from_bytes(np.packbits(flags).tobytes())


def _mask_facts(mask: Picture) -> MaskFacts:
    stored = mask.stored_values()  # (H, W) integers or (H, W, 3) colours
    codes = stored if stored.ndim == 2 else stored.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)
    values, places, pixels = np.unique(codes, return_inverse=True, return_counts=True)
    places = places.reshape(codes.shape)
    step = LOSSY_STEP if mask.file_format in LOSSY else 0
    edges = np.bincount(places[_edges(stored, step)], minlength=len(values))
    kept = np.sort(np.argsort(-pixels, kind="stable")[:MOST_VALUES])
    counted: dict[Stored, tuple[int, int]] = {}
    for value, *counts in zip(values[kept].tolist(), pixels[kept].tolist(), edges[kept].tolist(), strict=True):
        key = value if stored.ndim == 2 else (value >> 16, value >> 8 & 255, value & 255)
        counted[key] = (counts[0], counts[1])
    return MaskFacts(
        size=(codes.shape[0], codes.shape[1]),
        coding="colours" if stored.ndim == 3 else "palette" if mask.mode == "P" else "indices",
        file_format=mask.file_format,
        dtype=stored.dtype.name,
        values=counted,
        more=len(values) > MOST_VALUES,
        palette={index: (red, green, blue) for index, (red, green, blue) in enumerate(mask.palette.tolist())},
    )


def _edges(stored: npt.NDArray[Any], step: int) -> npt.NDArray[np.bool_]:
    """Where a pixel differs from one of its four neighbours by more than `step`, in its largest channel."""
    wide = stored.reshape(*stored.shape[:2], -1).astype(np.int32)
    edges = np.zeros(stored.shape[:2], bool)
    across, down = (np.abs(np.diff(wide, axis=axis)).max(-1) > step for axis in (1, 0))
    edges[:, 1:] |= across
    edges[:, :-1] |= across
    edges[1:] |= down
    edges[:-1] |= down
    return edges
