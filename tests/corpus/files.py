"""Builds files, byte by byte, that no library writes."""

import io
import struct
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[Any]
COLORS: NDArray[np.uint8] = np.random.default_rng(0).integers(0, 256, (12, 17, 3), np.uint8)
"""The image in most files here."""


def saved(array: Array, file_format: str, **options: Any) -> bytes:
    """The bytes of a file written by Pillow."""
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, file_format, **options)
    return stream.getvalue()


def as_npy(array: Array) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def npy_header(text: str) -> bytes:
    """An .npy file that consists of its header only."""
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode("latin1")


def png(header: tuple[int, int, int, int], *chunks: tuple[bytes, bytes], rows: bytes = b"") -> bytes:
    """A PNG (ISO/IEC 15948).

    Args:
        header: Width, height, bit depth and colour type.
        chunks: Type and content of the chunks between header and pixels.
        rows: The pixels; each row starts with its filter number.
    """
    all_chunks = [(b"IHDR", struct.pack(">IIBBBBB", *header, 0, 0, 0)), *chunks, (b"IDAT", zlib.compress(rows))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, [*all_chunks, (b"IEND", b"")]))


def _chunk(chunk: tuple[bytes, bytes]) -> bytes:
    kind, content = chunk
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def tiff(tags: Mapping[int, int | tuple[int, int, int]], data: bytes = b"", then: int = 0) -> bytes:
    """A TIFF (6.0) with one strip.

    Args:
        tags: Tag to its value, or to its type, count and value.
        data: The strip; tags 273 and 279 state its position and size, unless given.
        then: Stated offset of the next directory.
    """
    directory = {273: 0, 279: len(data), **tags}
    start = 8 + 2 + 12 * len(directory) + 4
    directory[273] = directory[273] or start
    entries = [(tag, *((4, 1, value) if isinstance(value, int) else value)) for tag, value in sorted(directory.items())]
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + packed + struct.pack("<I", then) + data


def grey(height: int, width: int, **others: int | tuple[int, int, int]) -> dict[int, int | tuple[int, int, int]]:
    """The tags of a grey 8-bit TIFF; other tags by keyword, as in `t258`."""
    tags: dict[int, int | tuple[int, int, int]] = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 277: 1, 278: height}
    return tags | {int(name[1:]): value for name, value in others.items()}


def put(content: bytes) -> Callable[[Path], object]:
    """Returns a function that writes these bytes to a path."""

    def write(path: Path) -> None:
        path.write_bytes(content)

    return write
