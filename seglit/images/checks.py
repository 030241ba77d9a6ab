"""Checks that reject corrupt files and decompression bombs with a one-line error, most of them before decoding."""

import logging
import lzma
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

from PIL import Image
from PIL.GifImagePlugin import GifImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from seglit.errors import InputError
from seglit.images.memory_file import ImageFile, MemoryFile

# An array is rejected as a decompression bomb if it decodes to more bytes than both limits allow.
_MAX_BYTES = 2**32
_MAX_RATIO = 100  # decoded to stored bytes
_MAX_SEGMENT = 2**28  # bytes that a strip or tile may decode to, unless its page has more
# Decoder and largest ratio of decoded to stored bytes of TIFF's compressions Deflate (two numbers) and LZMA.
_DECODERS: dict[int, tuple[Any, int]] = {
    8: (zlib.decompressobj, 1032),
    32946: (zlib.decompressobj, 1032),
    34925: (lzma.LZMADecompressor, 2**14),
}
# The TIFF tags that describe the pixel layout.
_LAYOUT_TAGS = (256, 257, 258, 259, 262, 273, 277, 278, 279, 284, 317, *range(320, 326), 338, 339)
_STK_PLANES = 33629  # UIC2tag, with a value for each plane, although the file has one page
_TAG_BYTES = {3: 2, 4: 4, 5: 8, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}  # by type; others 1


def unreadable(path: ImageFile, reason: object) -> InputError:
    """Returns the error for a file that is corrupt or not an image."""
    text = " ".join(str(reason).replace(str(path), path.name).split()) or type(reason).__name__
    return InputError(f"{path}: cannot be read as an image ({text})")


@contextmanager
def decode_errors(path: ImageFile) -> Iterator[None]:
    """Turns any exception of a decoding library into a one-line error that names the file.

    Raises:
        InputError: The file is truncated or corrupt, or its compression requires imagecodecs.
    """
    # errors are raised; what the libraries log besides would be repeated for every image
    for library in ("tifffile", "PIL.TiffImagePlugin"):
        if (
            logger := logging.getLogger(library)
        ).level != logging.CRITICAL:  # setting it takes as long as a small image
            logger.setLevel(logging.CRITICAL)
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # a wrong number in a file can raise anything
        if "requires the 'imagecodecs'" not in str(error):
            raise unreadable(path, error) from error
        compression = str(error).partition(" requires")[0].strip("<>")
        raise InputError(f"{path}: is compressed with {compression}; to read it: pip install imagecodecs") from error


def check_size(path: ImageFile, height: int, width: int) -> None:
    """Raises InputError for an image without pixels, or with more than the limit above which Pillow only warns."""
    if not height or not width:
        raise InputError(f"{path}: has no pixels: it is {height} x {width} (height x width)")
    check_pixels(path, height, width)
    if Image.MAX_IMAGE_PIXELS is not None and height * width > Image.MAX_IMAGE_PIXELS:
        raise unreadable(path, f"{height} x {width} pixels (height x width) may be a decompression bomb")


def check_pixels(path: ImageFile, height: int, width: int) -> None:
    """Raises InputError for an image in memory with more pixels than its limit."""
    if isinstance(path, MemoryFile) and height * width > path.max_pixels:
        raise InputError(f"{path}: {height} x {width} pixels (height x width) exceed the limit of {path.max_pixels:,}")


def check_single(path: ImageFile, picture: Image.Image) -> None:
    """Raises InputError for an animated GIF, PNG or WebP file, or a MetaMorph stack: only its first picture is read."""
    if isinstance(picture, GifImageFile | PngImageFile | WebPImageFile) and picture.is_animated:
        raise InputError(f"{path}: is an animated {picture.format}; save the frame that is meant as a file of its own")
    planes = picture.tag_v2.get(_STK_PLANES, ()) if isinstance(picture, TiffImageFile) else ()
    if isinstance(planes, tuple) and len(planes) > 1:
        raise InputError(
            f"{path}: is a MetaMorph stack of {len(planes)} planes; save it as a TIFF with a page for each"
        )


def check_unpacked(path: ImageFile, num_values: int, decoded_bytes: int, stored_bytes: int) -> None:
    """Raises InputError for an array that is empty, or that decodes to far more bytes than the file stores.

    Pillow's limit of 89 million pixels is too low here: satellite scenes are larger.
    """
    if not num_values:
        raise InputError(f"{path}: has no pixels")
    if isinstance(path, MemoryFile) and decoded_bytes > path.max_bytes:
        raise InputError(f"{path}: decodes to {decoded_bytes:,} bytes, which exceed the limit of {path.max_bytes:,}")
    if decoded_bytes > max(_MAX_BYTES, _MAX_RATIO * stored_bytes):
        raise unreadable(path, f"{stored_bytes:,} bytes that decode to {decoded_bytes:,} may be a decompression bomb")


def check_segments(path: ImageFile, page: Any, indices: Iterable[int] | None = None) -> None:
    """Raises InputError for a strip or tile of a TIFF, opened in tifffile, that decodes to far more than it should.

    Without imagecodecs, tifffile decodes one as a whole before it looks at its size.

    Args:
        path: The file.
        page: The page.
        indices: Its strips or tiles that will be decoded; None for all.
    """
    if page.keyframe.compression not in _DECODERS:
        return
    decoder, ratio = _DECODERS[page.keyframe.compression]
    limit = max(_MAX_SEGMENT, page.keyframe.nbytes)
    file = page.parent.filehandle
    if was_closed := file.closed:  # one of several files of an OME-TIFF
        file.open()
    try:
        for index in range(len(page.databytecounts)) if indices is None else indices:
            num_bytes = page.databytecounts[index]
            if num_bytes * ratio > limit:
                file.seek(page.dataoffsets[index])
                if len(decoder().decompress(file.read(num_bytes), limit + 1)) > limit:
                    raise unreadable(path, f"a part that decodes to over {limit:,} bytes may be a decompression bomb")
    finally:
        if was_closed:
            file.close()


class Directory(NamedTuple):
    """The tags of one page of a TIFF.

    Args:
        tags: Code to type, count, and the value or its offset, as an unsigned number of `num_bytes` bytes.
        num_bytes: Bytes of a value that is stored in the directory itself: 4, or 8 in a BigTIFF.
        byte_order: little or big.
    """

    tags: dict[int, tuple[int, int, int]]
    num_bytes: int
    byte_order: Literal["little", "big"]

    def number(self, code: int, default: int) -> int:
        """Returns the value of a tag that is one number."""
        kind, _, value = self.tags.get(code, (4, 1, default))
        unused = self.num_bytes - _TAG_BYTES.get(kind, 1)
        return value >> 8 * unused if self.byte_order == "big" and code in self.tags and unused > 0 else value


def directories(path: ImageFile) -> Iterator[Directory]:
    """Yields the tags of each page of a TIFF or BigTIFF, without decoding any; those of pages in SubIFDs are not read.

    Raises:
        InputError: The pages form a cycle, which libraries would never leave, overlap, or are not all in the file.
        struct.error: The file is truncated.
    """
    with path.open("rb") as file:
        head = file.read(16)
        mark, is_big = "<" if head[:2] == b"II" else ">", 43 in head[2:4]  # BigTIFF
        number, counter, entry_size = ("Q", "Q", 20) if is_big else ("I", "H", 12)
        num_bytes = struct.calcsize(number)
        byte_order: Literal["little", "big"] = "little" if mark == "<" else "big"
        file_size = file.seek(0, os.SEEK_END)
        (offset,) = struct.unpack_from(mark + number, head, 8 if is_big else 4)
        visited, link, num_read = set[int](), b"", 0
        while not visited or 0 < offset < file_size:
            if offset in visited:
                raise unreadable(path, "its pages form a cycle")
            visited.add(offset)
            file.seek(offset)
            (count,) = struct.unpack(mark + counter, file.read(struct.calcsize(counter)))
            entries = file.read(entry_size * min(count, 2**16))
            num_read += struct.calcsize(counter) + len(entries)
            if num_read > file_size:  # a small file could hold millions
                raise unreadable(path, "its pages overlap")
            whole = entries[: len(entries) // entry_size * entry_size]
            fields = struct.iter_unpack(f"{mark}HH2{number}", whole)
            tags = {code: (kind, num_values, value) for code, kind, num_values, value in fields}
            yield Directory(tags, num_bytes, byte_order)
            file.seek(offset + struct.calcsize(counter) + entry_size * count)
            link = file.read(num_bytes)
            offset = int.from_bytes(link, byte_order)
    if offset or (len(link) < num_bytes and len(visited) > 1):
        raise unreadable(path, "it is truncated: some of its pages are missing")


def check_pages(path: ImageFile) -> None:
    """Raises InputError for a TIFF whose pages form a cycle, or are not all in the file."""
    for _ in directories(path):
        pass


def check_layout(path: ImageFile) -> None:
    """Raises InputError for a TIFF with a truncated tag of the pixel layout: libraries would use the tag's default."""
    with path.open("rb") as file:
        file_size = file.seek(0, os.SEEK_END)
    first = next(directories(path))
    for code in _LAYOUT_TAGS:
        kind, num_values, offset = first.tags.get(code, (1, 0, 0))
        num_bytes = num_values * _TAG_BYTES.get(kind, 1)
        if num_bytes > first.num_bytes and offset + num_bytes > file_size:
            raise unreadable(path, f"its tag {code} is truncated")
