"""Pages of TIFF files: which are slices of a stack, and which are bands of one image."""

import math
import re
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from seglit.errors import InputError
from seglit.images.checks import Directory, check_segments, check_unpacked, decode_errors, directories
from seglit.images.memory_file import ImageFile, MemoryFile

_KIND, _OLD_KIND, _WIDTH, _HEIGHT, _DESCRIPTION, _SAMPLES = 254, 255, 256, 257, 270, 277
_REDUCED, _MASK = 1, 4  # bits of `_KIND`: an overview, and a transparency mask of another page
_UNKNOWN = "IQ"  # tifffile's letters for axes that the file does not state
# Descriptions of ImageJ and tifffile for a file whose pages follow the first without directories of their own.
_UNLISTED = re.compile(rb'ImageJ=[^\n]*\nimages=(?!1\n)|{"shape": \[[^\]]*\], "truncated": true')


class Stack(NamedTuple):
    """The pages of a TIFF that has several of one size, without overviews and masks of other pages.

    Args:
        axes: The axes along which pages lie, outermost first: C for channels, I or Q if the file does not state which,
            and others, such as T and Z, for slices.
        shape: Their lengths.
        indices: Index of each page among all in the file; empty if only the first has a directory.
        width: Width of each page in pixels.
        samples: Values per pixel of each page.
    """

    axes: str
    shape: tuple[int, ...]
    indices: tuple[int, ...]
    width: int
    samples: int

    @property
    def pages(self) -> npt.NDArray[np.intp]:
        """Numbers of the pages of each slice (slices, bands); without axes that state it, each page is a slice."""
        pages = np.arange(math.prod(self.shape)).reshape(self.shape)
        bands = [index for index, axis in enumerate(self.axes) if axis in f"C{_UNKNOWN}"]
        if len(bands) == len(self.axes):
            return pages.reshape(-1, 1)
        ordered = np.moveaxis(pages, bands, range(-len(bands), 0))
        return ordered.reshape(math.prod(ordered.shape[: ordered.ndim - len(bands)]), -1)

    @property
    def is_certain(self) -> bool:
        """Whether the pages cannot be bands of one image: the file states slices, or each page has bands of its own."""
        return self.samples > 1 or bool(set(self.axes) - set(f"C{_UNKNOWN}"))

    @property
    def has_channels(self) -> bool:
        """Whether the file states that an axis is one of channels."""
        return "C" in self.axes

    def only_page(self, page: int | None) -> int | None:
        """Returns the index in the file of the page of a slice; None if it has several, or no directory of its own."""
        if page is None or not self.indices or len(self.pages[page]) > 1:
            return None
        return self.indices[int(self.pages[page, 0])]

    def read(self, file: Any, path: ImageFile, page: int | None) -> tuple[npt.NDArray[Any], str]:
        """Reads a slice, or all pages as bands, of a file opened in tifffile.

        Returns:
            The array as stored, and the letters of its axes.

        Raises:
            InputError: The decoded array would be far larger than the file.
        """
        numbers = self.pages.ravel() if page is None else self.pages[page]
        first = file.pages.first
        check_unpacked(path, first.size * len(numbers), first.nbytes * len(numbers), file.filehandle.size)
        if self.indices:
            used = [file.pages[self.indices[number]] for number in numbers]
            for each in used:
                check_segments(path, each)
            array = np.stack([each.asarray(maxworkers=1) for each in used])
        else:
            out = None if isinstance(path, MemoryFile) else "memmap"  # which would be a temporary file
            pages = file.series[0].asarray(out=out, maxworkers=1)
            array = np.array(pages.reshape(-1, *first.shape)[numbers])
        if page is None:
            return array.reshape(*self.shape, *first.shape), f"{self.axes}{first.axes}"
        return (array, f"C{first.axes}") if len(numbers) > 1 else (array[0], first.axes)


def find_stack(path: ImageFile) -> Stack | None:
    """Returns the pages of a TIFF; None for a single image.

    Raises:
        InputError: The file is corrupt.
    """
    if not path.is_file():
        return None
    if isinstance(path, MemoryFile):
        return _read_stack(path)
    status = path.stat()
    return _find_stack(path, status.st_mtime_ns, status.st_size)


def stack_with(path: ImageFile, page: int | None) -> Stack | None:
    """Returns the pages of a TIFF to read a slice of, or, if `page` is None, all as bands; None for a single image.

    Raises:
        InputError: The file is corrupt, has no such slice, or has slices, and none is given.
    """
    stack = find_stack(path)
    if page is not None and (stack is None or page >= len(stack.pages)):
        raise InputError(f"{path}: has no slice {page}; its slices are counted from 0")
    if page is None and stack is not None and stack.is_certain:
        raise InputError(f"{path}: is a stack of {len(stack.pages)} slices, not one image")
    return stack


@lru_cache(maxsize=256)
def _find_stack(path: Path, _changed: int, _size: int) -> Stack | None:
    return _read_stack(path)


def _read_stack(path: ImageFile) -> Stack | None:
    with decode_errors(path):
        first, indices, is_listed = _full_pages(path)
        return None if len(indices) == 1 and is_listed else _with_axes(path, first, indices, is_listed)


class _Size(NamedTuple):
    width: int
    height: int
    samples: int


def _full_pages(path: ImageFile) -> tuple[_Size, list[int], bool]:
    """The size of the first page, the indices of all pages of this size, and whether these have all the slices."""
    indices: list[int] = []
    first = _Size(0, 0, 0)
    description = b""
    for index, page in enumerate(directories(path)):
        size = _Size(page.number(_WIDTH, 0), page.number(_HEIGHT, 0), page.number(_SAMPLES, 1))
        if index == 0:
            first, description = size, _description(path, page)
        elif size != first or page.number(_KIND, 0) & (_REDUCED | _MASK) or page.number(_OLD_KIND, 1) == 2:
            continue
        indices.append(index)
    return first, indices, len(indices) > 1 or not _UNLISTED.match(description)


def _description(path: ImageFile, page: Directory) -> bytes:
    """The beginning of a page's description; empty if it is too short to say anything."""
    _, length, offset = page.tags.get(_DESCRIPTION, (2, 0, 0))
    if length <= page.num_bytes:
        return b""
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(min(length, 1024))


def _with_axes(path: ImageFile, size: _Size, indices: list[int], is_listed: bool) -> Stack | None:
    """The pages with the axes that tifffile finds, unless it divides the pages otherwise."""
    import tifffile

    with path.open("rb") as opened, tifffile.TiffFile(opened) as file:
        series, page = file.series[0], file.pages.first
        outer = len(series.shape) - len(page.shape)
        shape, axes = tuple(series.shape[:outer]), str(series.axes[:outer])
        own = [each.index for each in series.pages if each is not None and each.parent is file]
    if not is_listed:
        return Stack(axes, shape, (), size.width, size.samples) if shape else None
    if math.prod(shape) == len(indices) and sorted(own) == indices:
        return Stack(axes, shape, tuple(own), size.width, size.samples)
    return Stack("I", (len(indices),), tuple(indices), size.width, size.samples)
