"""TIFFs read and written by windows: what is larger than memory, and what is georeferenced."""

import math
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from PIL import ExifTags

from seglit.images.formats import as_orientation, check_pages, check_unpacked, decoding
from seglit.images.picture import Picture

SUFFIXES = (".tif", ".tiff")
LARGE = 4096 * 4096
"""A TIFF of more pixels is read by windows."""
_TALLEST = 4096  # rows of a tile or strip, which is decoded whole
_GEOREFERENCE = (33550, 33922, 34264, 34735, 34736, 34737, 42112, 42113)
_WRITTEN_TILE = 256

Array = npt.NDArray[Any]
Tag = tuple[int, int, int, Any, bool]


class LargeTiff:
    """A TIFF of which rows are read: grey, colours or bands, in tiles or strips. Use it in a `with` statement.

    Args:
        path: The file.
        in_channels: Channels that an image is wanted to have.

    Attributes:
        by_windows: Whether it is large, and rows of it can be read: one page, upright, no palette, in tiles or in
            strips of few rows.
        tags: Its georeference; none where the file is turned, as pixels then no longer lie where the tags say.

    Raises:
        InputError: The file is cut off.
    """

    def __init__(self, path: Path, in_channels: int) -> None:
        import tifffile

        self.path = path
        self.in_channels = in_channels
        with decoding(path), ExitStack() as stack:
            self._file = stack.enter_context(tifffile.TiffFile(path))
            check_pages(path, self._file)
            self._page: Any = self._file.series[0].keyframe
            self.tags = _georeference(self._page)
            self.by_windows = _is_large(self._page) and len(self._file.series[0].pages) == 1
            stack.pop_all()  # nothing failed: it stays open

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
        """Rows of the image (H, W, in_channels), as `seglit.images.picture.read_image` gives them.

        Raises:
            InputError: They cannot be decoded, or are of other channels.
        """
        with decoding(self.path):
            stored = self._read(rows.start, rows.stop)  # (samples, H, W, contiguous samples)
        pixels = np.moveaxis(stored[..., 0], 0, -1) if len(stored) > 1 else stored[0]
        return Picture.of_array(pixels, self.path).image(self.in_channels)

    def _read(self, top: int, bottom: int) -> Array:
        page = self._page
        if page.is_memmappable:
            mapped = page.asarray(out="memmap").reshape(page.shaped)  # (samples, 1, H, W, contiguous samples)
            return np.array(mapped[:, 0, top:bottom]).astype(page.dtype.newbyteorder("="), copy=False)
        samples, _, height, width, contiguous = page.shaped
        shape = samples, bottom - top, width, contiguous
        check_unpacked(self.path, math.prod(shape), math.prod(shape) * page.dtype.itemsize, self._file.filehandle.size)
        rows = np.full(shape, page.nodata, page.dtype)
        tall = page.tilelength if page.is_tiled else page.rowsperstrip
        across = -(-width // page.tilewidth) if page.is_tiled else 1
        down = -(-height // tall)
        wanted = [
            (sample * down + row) * across + column
            for sample in range(samples)
            for row in range(top // tall, -(-bottom // tall))
            for column in range(across)
        ]
        offsets, counts = ([each[index] for index in wanted] for each in (page.dataoffsets, page.databytecounts))
        tables = {"jpegtables": page.jpegtables, "jpegheader": page.jpegheader} if page.compression == 7 else {}
        for data, index in self._file.filehandle.read_segments(offsets, counts, indices=wanted):
            segment, (sample, _, y, x, _), _ = page.decode(data, index, **tables)
            if segment is not None:  # else it is empty, and holds nodata
                first, last = max(y, top), min(y + segment.shape[1], bottom)
                part = segment[0, first - y : last - y, : width - x]
                rows[sample, first - top : last - top, x : x + part.shape[1]] = part
        return rows


def write_tiff(path: Path, bands: Iterable[Array], shape: tuple[int, ...], dtype: Any, tags: list[Tag]) -> None:
    """Writes a tiled, compressed TIFF from bands of rows.

    Args:
        path: The file.
        bands: (rows, W) or (rows, W, 3), from top to bottom, of any numbers of rows.
        shape: The whole image's, (H, W) or (H, W, 3).
        dtype: The values' type.
        tags: Its georeference.
    """
    import tifffile

    tifffile.imwrite(
        path,
        _tiles(bands, shape, dtype),
        shape=shape,
        dtype=dtype,
        photometric="rgb" if len(shape) == 3 else "minisblack",
        tile=(_WRITTEN_TILE, _WRITTEN_TILE),
        compression="zlib",
        metadata=None,
        extratags=tags,
    )


def _tiles(bands: Iterable[Array], shape: tuple[int, ...], dtype: Any) -> Iterator[Array]:
    """Cuts bands of rows into tiles, in reading order; beyond the image they hold 0."""
    row = np.zeros((_WRITTEN_TILE, -(-shape[1] // _WRITTEN_TILE) * _WRITTEN_TILE, *shape[2:]), dtype)
    filled = 0
    total = 0
    for band in bands:
        rest = band
        while len(rest):
            part, rest = np.split(rest, [_WRITTEN_TILE - filled])
            row[filled : filled + len(part), : shape[1]] = part
            filled, total = filled + len(part), total + len(part)
            if filled == _WRITTEN_TILE or total == shape[0]:
                row[filled:] = 0
                yield from (tile.copy() for tile in np.split(row, row.shape[1] // _WRITTEN_TILE, axis=1))
                filled = 0


def _georeference(page: Any) -> list[Tag]:
    if not _is_upright(page):
        return []
    tags = (page.tags.get(code) for code in _GEOREFERENCE)
    return [_as_written(tag) for tag in tags if tag is not None]


def _as_written(tag: Any) -> Tag:
    if isinstance(tag.value, str):  # counted anew, as tifffile drops the byte that ends it; and it writes only ASCII
        return tag.code, int(tag.dtype), 0, tag.value.encode(), True
    return tag.code, int(tag.dtype), tag.count, tag.value, True


def _is_large(page: Any) -> bool:
    """Whether a page is large, and of such a kind that rows of it can be read."""
    if page.imagelength * page.imagewidth <= LARGE:
        return False
    plain = page.photometric in (1, 2) or (page.photometric == 6 and page.compression == 7)
    pieces = page.is_memmappable or (page.tilelength if page.is_tiled else page.rowsperstrip) <= _TALLEST
    whole = math.prod(page.chunked) == len(page.dataoffsets)  # else the file is not what its size says
    return bool(plain and pieces and whole and _is_upright(page) and page.imagedepth == 1 and page.dtype is not None)


def _is_upright(page: Any) -> bool:
    tag = page.tags.get(ExifTags.Base.Orientation)
    return tag is None or as_orientation(tag.value) in (None, 1)
