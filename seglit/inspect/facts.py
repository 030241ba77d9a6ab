"""Facts about one image and its mask, from a single read: kind, size, statistics, hashes, stored values."""

import hashlib
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from seglit.errors import InputError
from seglit.images.pairs import Pair
from seglit.images.picture import Picture, open_picture
from seglit.labels import Stored

LOSSY = ("JPEG", "MPO", "WEBP")
"""Formats that change values along every edge (WebP unless it is saved lossless)."""

_LOSSY_STEP = 24  # compression noise within a region stays below this, from pixel to pixel
_MOST_VALUES = 4096  # distinct values counted per mask; a mask with more is not a label map as it stands


class ImageKind(NamedTuple):
    """How an image is stored: Pillow's colour model (or `array`), channels including alpha, NumPy dtype name."""

    mode: str
    channels: int
    dtype: str


class MaskKind(NamedTuple):
    """How a mask is stored: `indices`, `palette` or `colours`; file format, such as PNG; NumPy dtype name."""

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
        total: Sum over the pixels of each channel, without alpha, float64 (C,).
        squares: Sum of the squares, float64 (C,).
        low: Smallest value.
        high: Largest value.
        digest: Hash of the pixels, 8 bytes.
        dhash: Perceptual hash, 2 x 64 bits: whether each patch is brighter than the one to its right, and below.
    """

    kind: ImageKind
    size: tuple[int, int]
    turned: bool
    total: npt.NDArray[np.float64]
    squares: npt.NDArray[np.float64]
    low: float
    high: float
    digest: int
    dhash: tuple[int, int]


@dataclass(slots=True)
class MaskFacts:
    """Facts about a mask.

    Args:
        kind: How it is stored.
        size: Height and width in pixels, after the EXIF orientation is applied.
        values: Stored value to its number of pixels, and of pixels next to another value.
        truncated: Whether `values` has only the most frequent of too many distinct values.
        palette: The file's own colours, by value.
    """

    kind: MaskKind
    size: tuple[int, int]
    values: dict[Stored, tuple[int, int]]
    truncated: bool
    palette: dict[int, tuple[int, int, int]]


@dataclass(slots=True)
class PairFacts:
    """Facts about a pair; for an unreadable file, the reason instead."""

    image: ImageFacts | None = None
    mask: MaskFacts | None = None
    image_unreadable: str = ""
    mask_unreadable: str = ""


def read_facts(pair: Pair) -> PairFacts:
    """Reads both files of a pair once."""
    facts = PairFacts()
    picture = None
    try:
        picture = open_picture(pair.image)
        facts.image = _image_facts(picture)
    except InputError as error:
        facts.image_unreadable = str(error).removeprefix(f"{pair.image}: ")
    try:
        mask = open_picture(pair.mask)
        facts.mask = _mask_facts(mask.turned_like(picture) if picture else mask)
    except InputError as error:
        facts.mask_unreadable = str(error).removeprefix(f"{pair.mask}: ")
    return facts


def _image_facts(picture: Picture) -> ImageFacts:
    array = picture.array()  # (H, W, C)
    visible = array[..., :3] if picture.has_alpha else array
    flat = visible.reshape(-1, visible.shape[-1])
    if array.dtype == np.uint8:
        histograms = np.stack([np.bincount(channel, minlength=256) for channel in flat.T])  # (C, 256)
        levels = np.arange(256, dtype=np.float64)
        total, squares = histograms @ levels, histograms @ levels**2
    else:
        wide = flat.astype(np.float64)
        total, squares = wide.sum(0), (wide**2).sum(0)
    return ImageFacts(
        kind=ImageKind(picture.mode, array.shape[2], array.dtype.name),
        size=array.shape[:2],
        turned=picture.orientation not in (None, 1),
        total=total,
        squares=squares,
        low=float(visible.min()),
        high=float(visible.max()),
        digest=int.from_bytes(hashlib.blake2b(array.tobytes(), digest_size=8).digest()),
        dhash=_dhash(visible),
    )


def _dhash(array: npt.NDArray[Any]) -> tuple[int, int]:
    """Difference hash (N. Krawetz, 2013, hackerfactor.com/blog/?/archives/529), along rows and along columns."""
    grey = array.mean(-1, dtype=np.float32)
    small = np.asarray(Image.fromarray(grey).resize((9, 9), Image.Resampling.BOX))
    across, down = np.packbits([small[:8, :8] > small[:8, 1:], small[:8, :8] > small[1:, :8]]).view(">u8").tolist()
    return across, down


def _mask_facts(mask: Picture) -> MaskFacts:
    stored = mask.stored_values()  # (H, W) integers or (H, W, 3) colours
    codes = stored if stored.ndim == 2 else stored.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)
    values, inverse, pixels = np.unique(codes, return_inverse=True, return_counts=True)
    step = _LOSSY_STEP if mask.file_format in LOSSY else 0
    edges = np.bincount(inverse.reshape(codes.shape)[_edges(stored, step)], minlength=len(values))
    frequent = np.sort(np.argsort(-pixels, kind="stable")[:_MOST_VALUES])
    columns = (column[frequent].tolist() for column in (values, pixels, edges))
    counts: dict[Stored, tuple[int, int]] = {
        code if stored.ndim == 2 else (code >> 16, code >> 8 & 255, code & 255): (pixel_count, edge_count)
        for code, pixel_count, edge_count in zip(*columns, strict=True)
    }
    coding = "colours" if stored.ndim == 3 else "palette" if mask.mode == "P" else "indices"
    return MaskFacts(
        kind=MaskKind(coding, mask.file_format, stored.dtype.name),
        size=(codes.shape[0], codes.shape[1]),
        values=counts,
        truncated=len(values) > _MOST_VALUES,
        palette={index: (red, green, blue) for index, (red, green, blue) in enumerate(mask.palette.tolist())},
    )


def _edges(stored: npt.NDArray[Any], step: int) -> npt.NDArray[np.bool_]:
    """Marks pixels that differ by more than `step` from one of their four neighbours, in any channel."""
    wide = stored.reshape(*stored.shape[:2], -1).astype(np.int32)
    edges = np.zeros(stored.shape[:2], bool)
    across, down = (np.abs(np.diff(wide, axis=axis)).max(-1) > step for axis in (1, 0))
    edges[:, 1:] |= across
    edges[:, :-1] |= across
    edges[1:] |= down
    edges[:-1] |= down
    return edges
