"""Windowed reading and writing of TIFFs that are larger than memory, with their georeference."""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from PIL import ExifTags

from seglit.images.checks import check_pages, check_segments, check_unpacked, decode_errors
from seglit.images.formats import as_orientation
from seglit.images.picture import Picture
from seglit.images.validity import NODATA_TAG, parse_tag

SUFFIXES = (".tif", ".tiff")
LARGE = 4096 * 4096
"""TIFFs with more pixels are read by windows."""
_MAX_ROWS = 4096  # of a tile or strip, which is decoded as a whole
_GEOREFERENCE = (33550, 33922, 34264, 34735, 34736, 34737, 42112, 42113)
_TILE = 256  # height and width of the tiles that are written

Array = npt.NDArray[Any]
Tag = tuple[int, int, int, Any, bool]


class LargeTiff:
    """A TIFF whose rows can be read apart: grey, RGB or other bands, in tiles or strips. Use it as a context manager.

    Args:
        path: The file.
        in_channels: Number of channels that the image must have.
        nodata: See `seglit.images.read.read_image`.

    Attributes:
        by_windows: Whether the file is large and can be read by rows: one page, upright, no palette, in tiles or in
            strips of few rows.
        tags: The georeference tags; empty if the file has an orientation, since applying it moves the pixels.

    Raises:
        InputError: The file is corrupt.
    """

    def __init__(self, path: Path, in_channels: int, nodata: Sequence[float] = ()) -> None:
        import tifffile

        self.path = path
        self.in_channels = in_channels
        self.nodata = nodata
        with decode_errors(path), ExitStack() as stack:
            self._file = stack.enter_context(tifffile.TiffFile(path))
            check_pages(path)
            self._page: Any = self._file.series[0].keyframe
            self.tags = _georeference(self._page)
            self.by_windows = _is_large(self._page) and len(self._file.series[0].pages) == 1
            stack.pop_all()  # no error: the file stays open

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self._page.imagelength, self._page.imagewidth

    def read_rows(self, rows: slice) -> Array:
        """Reads rows of the image (H, W, in_channels), like `seglit.images.read.read_image`.

        Raises:
            InputError: The rows cannot be decoded, or the number of channels differs.
        """
        with decode_errors(self.path):
            stored = self._read(rows.start, rows.stop)  # (samples, H, W, contiguous samples)
        pixels = np.moveaxis(stored[..., 0], 0, -1) if len(stored) > 1 else stored[0]
        tag = self._page.tags.get(NODATA_TAG)
        picture = replace(Picture.of_array(pixels, self.path), nodata=parse_tag(tag and tag.value))
        return picture.image(self.in_channels, self.nodata)

    def _read(self, top: int, bottom: int) -> Array:
        page = self._page
        if page.is_memmappable:
            mapped = page.asarray(out="memmap").reshape(page.shaped)  # (samples, 1, H, W, contiguous samples)
            return np.array(mapped[:, 0, top:bottom]).astype(page.dtype.newbyteorder("="), copy=False)
        samples, _, height, width, contiguous = page.shaped
        shape = samples, bottom - top, width, contiguous
        check_unpacked(self.path, math.prod(shape), math.prod(shape) * page.dtype.itemsize, self._file.filehandle.size)
        rows = np.full(shape, page.nodata, page.dtype)
        tile_height = page.tilelength if page.is_tiled else page.rowsperstrip
        tile_columns = -(-width // page.tilewidth) if page.is_tiled else 1
        tile_rows = -(-height // tile_height)
        segments = [
            (sample * tile_rows + tile_row) * tile_columns + tile_column
            for sample in range(samples)
            for tile_row in range(top // tile_height, -(-bottom // tile_height))
            for tile_column in range(tile_columns)
        ]
        check_segments(self.path, page, segments)
        offsets = [page.dataoffsets[index] for index in segments]
        counts = [page.databytecounts[index] for index in segments]
        tables = {"jpegtables": page.jpegtables, "jpegheader": page.jpegheader} if page.compression == 7 else {}
        for data, index in self._file.filehandle.read_segments(offsets, counts, indices=segments):
            segment, (sample, _, y, x, _), _ = page.decode(data, index, **tables)
            if segment is not None:  # an empty segment keeps nodata
                first, last = max(y, top), min(y + segment.shape[1], bottom)
                part = segment[0, first - y : last - y, : width - x]
                rows[sample, first - top : last - top, x : x + part.shape[1]] = part
        return rows


def write_tiff(path: Path, blocks: Iterable[Array], shape: tuple[int, ...], dtype: Any, tags: list[Tag]) -> None:
    """Writes a tiled, compressed TIFF from blocks of rows.

    Args:
        path: The file.
        blocks: Arrays (rows, W) or (rows, W, 3) from top to bottom, each with any number of rows.
        shape: Shape of the whole image, (H, W) or (H, W, 3).
        dtype: Type of the values.
        tags: The georeference tags.
    """
    import tifffile

    tifffile.imwrite(
        path,
        _tiles(blocks, shape, dtype),
        shape=shape,
        dtype=dtype,
        photometric="rgb" if len(shape) == 3 else "minisblack",
        tile=(_TILE, _TILE),
        compression="zlib",
        metadata=None,
        extratags=tags,
    )


def write_stack(path: Path, pages: Iterable[Array], num_pages: int, tags: list[Tag]) -> None:
    """Writes a tiled, compressed TIFF stack page by page.

    Args:
        path: The file.
        pages: Arrays (H, W) or (H, W, 3) of one size and type.
        num_pages: Their number.
        tags: The georeference tags, which every page has.
    """
    import tifffile

    rest = iter(pages)
    first = next(rest)
    tifffile.imwrite(
        path,
        (tile for page in chain([first], rest) for tile in _tiles([page], page.shape, page.dtype)),
        shape=(num_pages, *first.shape),
        dtype=first.dtype,
        photometric="rgb" if first.ndim == 3 else "minisblack",
        tile=(_TILE, _TILE),
        compression="zlib",
        metadata={"axes": "ZYXS"[: 1 + first.ndim]},
        extratags=[(*tag[:-1], False) for tag in tags],
    )


def _tiles(blocks: Iterable[Array], shape: tuple[int, ...], dtype: Any) -> Iterator[Array]:
    """Cuts blocks of rows into tiles, in reading order; padded with 0 beyond the image."""
    row = np.zeros((_TILE, -(-shape[1] // _TILE) * _TILE, *shape[2:]), dtype)
    filled = 0
    total = 0
    for block in blocks:
        rest = block
        while len(rest):
            part, rest = np.split(rest, [_TILE - filled])
            row[filled : filled + len(part), : shape[1]] = part
            filled, total = filled + len(part), total + len(part)
            if filled == _TILE or total == shape[0]:
                row[filled:] = 0
                yield from (tile.copy() for tile in np.split(row, row.shape[1] // _TILE, axis=1))
                filled = 0


def _georeference(page: Any) -> list[Tag]:
    if not _is_upright(page):
        return []
    tags = (page.tags.get(code) for code in _GEOREFERENCE)
    return [_as_written(tag) for tag in tags if tag is not None]


def _as_written(tag: Any) -> Tag:
    if isinstance(tag.value, str):  # as bytes, counted again: tifffile drops the final NUL and writes only ASCII
        return tag.code, int(tag.dtype), 0, tag.value.encode(), True
    return tag.code, int(tag.dtype), tag.count, tag.value, True


def _is_large(page: Any) -> bool:
    """Whether a page is large, and its layout allows reading by rows."""
    if page.imagelength * page.imagewidth <= LARGE:
        return False
    plain = page.photometric in (1, 2) or (page.photometric == 6 and page.compression == 7)
    pieces = page.is_memmappable or (page.tilelength if page.is_tiled else page.rowsperstrip) <= _MAX_ROWS
    whole = math.prod(page.chunked) == len(page.dataoffsets)  # else the stated size is wrong
    return bool(plain and pieces and whole and _is_upright(page) and page.imagedepth == 1 and page.dtype is not None)


def _is_upright(page: Any) -> bool:
    tag = page.tags.get(ExifTags.Base.Orientation)
    return tag is None or as_orientation(tag.value) in (None, 1)
