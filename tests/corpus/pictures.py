"""Images that are corrupt, hostile or unusual, each written by the test."""

import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import tifffile
from PIL import Image

from tests.corpus.files import COLORS, Array, as_npy, grey, npy_header, png, put, saved, tiff

Write = Callable[[Path], object]


class Case(NamedTuple):
    """A file and its expected result.

    Args:
        name: File name.
        write: Writes the file.
        refused: Part of the expected error message.
        shows: Or the expected RGB image (H, W, 3).
    """

    name: str
    write: Write
    refused: str = ""
    shows: Array | None = None


def cut(content: bytes, kept: float = 0.6) -> Write:
    return put(content[: int(len(content) * kept)])


def flipped(content: bytes, from_end: int) -> bytes:
    index = len(content) - from_end
    return content[:index] + bytes([content[index] ^ 1]) + content[index + 1 :]


def pages(file_format: str, **options: object) -> Write:
    """A file of several images, the first of which is `COLORS`."""

    def write(path: Path) -> None:
        others = [Image.fromarray(COLORS[::-1]), Image.fromarray(255 - COLORS)]
        Image.fromarray(COLORS).save(path, file_format, save_all=True, append_images=others, **options)

    return write


def with_thumbnail(path: Path) -> None:
    Image.fromarray(COLORS).save(path, save_all=True, append_images=[Image.fromarray(COLORS[::2, ::2])])


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def trap(path: Path) -> None:
    np.save(path, np.array([[Trap(path.with_name("sprung"))]]), allow_pickle=True)


def pickled(path: Path) -> None:
    path.write_bytes(pickle.dumps(Trap(path.with_name("sprung"))))


def with_exif(content: bytes) -> bytes:
    """A JPEG of one colour, with these bytes as EXIF."""
    jpeg, payload = saved(EVEN, "JPEG", dpi=(72, 72)), b"Exif\0\0" + content
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload + jpeg[2:]


POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(sprung) (w) file closefile\nshowpage\n"


def cycle(count: int) -> bytes:
    """Empty pages of a TIFF from byte 200 on; each links to the next, and the last to the first."""
    offsets = [200 + 6 * number for number in range(count)]
    start = len(tiff(grey(12, 17, t277=5)))
    pages = b"".join(struct.pack("<HI", 0, offset) for offset in (*offsets[1:], offsets[0]))
    return bytes(200 - start) + pages + bytes(204 * 5)


def within_each_other(count: int) -> bytes:
    """Pages of 65,535 tags in a TIFF from byte 200 on, 16 bytes apart; each links to the next."""
    content = bytearray(2**20)
    for number in range(count):
        struct.pack_into("<H", content, 16 * number, 65_535)
        link = 200 + 16 * (number + 1) if number + 1 < count else 0
        struct.pack_into("<I", content, 16 * number + 2 + 12 * 65_535, link)
    return bytes(200 - len(tiff(grey(12, 17, t277=5)))) + bytes(content)


EVEN = np.full((12, 17, 3), 200, np.uint8)
WIDE = np.random.default_rng(1).integers(0, 256, (1, 66_000, 3), np.uint8)
CMYK = np.random.default_rng(2).integers(0, 256, (12, 17, 4), np.uint8)
INK = 255 - CMYK.astype(float)  # the light that each ink transmits
FLOATS = np.random.default_rng(3).random((12, 17, 3), np.float32)
HEADER = "{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }\n"
UNKNOWN_FORMAT = "cannot be read as an image (unknown format, or truncated)"
UNREADABLE = "cannot be read as an image ("
CYCLE = "its pages form a cycle"
BOMB = "decompression bomb"

PICTURES: dict[str, Case] = {
    # truncated, or not an image
    "JPEG, truncated": Case("x.jpg", cut(saved(COLORS, "JPEG")), UNREADABLE),
    "PNG, truncated": Case("x.png", cut(saved(COLORS, "PNG")), UNREADABLE),
    "TIFF, truncated": Case("x.tif", cut(saved(COLORS, "TIFF")), UNREADABLE),
    "WebP, truncated": Case("x.webp", cut(saved(COLORS, "WEBP")), UNREADABLE),
    "BMP, truncated": Case("x.bmp", cut(saved(COLORS, "BMP")), UNREADABLE),
    "empty file": Case("x.png", put(b""), UNKNOWN_FORMAT),
    "zeros": Case("x.jpg", put(bytes(500)), UNKNOWN_FORMAT),
    "text": Case("x.png", put(b"not an image\n"), UNKNOWN_FORMAT),
    "HTML": Case("x.jpg", put(b"<!DOCTYPE html><title>404</title>"), UNKNOWN_FORMAT),
    "SVG": Case("x.png", put(b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"), UNKNOWN_FORMAT),
    "ZIP archive": Case("x.npy", put(b"PK\x03\x04" + bytes(40)), UNREADABLE),
    "flipped bit": Case("x.png", put(flipped(saved(COLORS, "PNG"), 20)), UNREADABLE),
    "JPEG of 12 bits": Case("x.jpg", put(saved(COLORS, "JPEG").replace(b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c")),
        UNKNOWN_FORMAT),
    "PostScript": Case("x.png", put(POSTSCRIPT), UNKNOWN_FORMAT),
    "TIFF of CIELAB": Case("x.tif", put(tiff(grey(12, 17, t262=8, t277=3), COLORS.tobytes())),
        "CIELAB colours are not supported"),
    # unusual or with a wrong suffix, but valid
    "PNG named JPEG": Case("x.jpg", put(saved(COLORS, "PNG")), shows=COLORS),
    "TIFF named PNG": Case("x.png", put(saved(COLORS, "TIFF")), shows=COLORS),
    "GIF named PNG": Case("x.png", put(saved(EVEN, "GIF")), shows=EVEN),
    "GIF of several frames": Case("x.gif", pages("GIF"), "is an animated GIF"),
    "MetaMorph stack": Case("x.tif", lambda path: tifffile.imwrite(
        path, COLORS[..., 0], extratags=[(33629, 5, 3, (1,) * 6, True)], metadata=None), "MetaMorph stack of 3 planes"),
    "trailing bytes": Case("x.png", put(saved(COLORS, "PNG") + b"more" * 99), shows=COLORS),
    "one pixel": Case("x.png", put(saved(COLORS[:1, :1], "PNG")), shows=COLORS[:1, :1]),
    "66,000 wide": Case("x.png", put(saved(WIDE, "PNG")), shows=WIDE),
    "66,000 high": Case("x.tif", put(saved(WIDE.swapaxes(0, 1), "TIFF")), shows=WIDE.swapaxes(0, 1)),
    "BMP from top to bottom": Case("x.bmp", put(saved(COLORS[::-1], "BMP").replace(
        struct.pack("<i", 12), struct.pack("<i", -12), 1)), shows=COLORS),
    "animated PNG": Case("x.png", pages("PNG"), "is an animated PNG"),
    "animated WebP": Case("x.webp", pages("WEBP", lossless=True), "is an animated WEBP"),
    "TIFF with a thumbnail": Case("x.tif", with_thumbnail, shows=COLORS),
    "JPEG of several images": Case("x.jpg", lambda path: Image.fromarray(EVEN).save(
        path, "MPO", save_all=True, append_images=[Image.fromarray(255 - EVEN)]), shows=EVEN),
    "CMYK": Case("x.tif", lambda path: Image.fromarray(CMYK, "CMYK").save(path),
        shows=(INK[..., :3] * INK[..., 3:] / 255).round()),
    "BigTIFF": Case("x.tif", lambda path: tifffile.imwrite(path, COLORS, bigtiff=True, photometric="rgb"),
        shows=COLORS),
    "a palette": Case("x.png", put(png((3, 1, 8, 3), (b"PLTE", bytes(range(9))), rows=b"\0\2\0\1")),
        shows=np.array([[[6, 7, 8], [0, 1, 2], [3, 4, 5]]])),
    "16-bit PNG, flipped bit": Case("x.png", lambda path: cv2.imwrite(str(path), COLORS.astype(np.uint16) * 257)
        and path.write_bytes(flipped(path.read_bytes(), 20)), UNREADABLE),
    # invalid EXIF
    "EXIF of noise": Case("x.jpg", put(with_exif(b"noise")), shows=EVEN),
    "EXIF, truncated": Case("x.jpg", put(with_exif(tiff({274: (3, 1, 6)})[:14])), shows=EVEN),
    "orientation 99": Case("x.jpg", put(with_exif(tiff({274: (3, 1, 99)}))), shows=EVEN),
    "orientation as text": Case("x.tif", put(tiff(grey(12, 17, t274=(2, 4, 0x00786973)), COLORS[..., 0].tobytes())),
        shows=COLORS[..., :1].repeat(3, -1)),
    # decompression bombs and missing data
    "PNG that unpacks to 30 GB": Case("x.png", put(png((100_000, 100_000, 8, 2))), BOMB),
    "JPEG that unpacks to 13 GB": Case("x.jpg", put(saved(COLORS, "JPEG").replace(
        b"\x11\x08\0\x0c\0\x11", b"\x11\x08\xff\xff\xff\xff")), BOMB),
    "TIFF that unpacks to 10 GB": Case("x.tif", put(tiff(grey(100_000, 100_000), bytes(100))), BOMB),
    "BMP without its pixels": Case("x.bmp", put(saved(COLORS, "BMP").replace(
        struct.pack("<ii", 17, 12), struct.pack("<ii", 9_000, 9_000))), UNREADABLE),
    "TIFF of bands that unpack to 100 GB": Case("x.tif", put(tiff(grey(100_000, 100_000, t259=8, t277=5, t322=16,
        t323=16), bytes(100))), BOMB),
    "PNG without columns": Case("x.png", put(png((0, 12, 8, 2))), UNKNOWN_FORMAT),
    "TIFF without columns": Case("x.tif", put(tiff(grey(12, 0))), "has no pixels"),
    # invalid TIFF tags
    "TIFF with a width as text": Case("x.tif", put(tiff(grey(12, 17, t256=(2, 4, 0x00656E6F), t277=5), bytes(204 * 5))),
        UNREADABLE),
    "TIFF with 4 billion bit depths": Case("x.tif", put(tiff(grey(12, 17, t258=(3, 2**32 - 1, 8)), bytes(204))),
        UNREADABLE),
    "TIFF with tiles of width 0": Case("x.tif", put(tiff(grey(12, 17, t322=0, t323=16, t277=5), bytes(204 * 5))),
        UNREADABLE),
    "TIFF page that links to itself": Case("x.tif", put(tiff(grey(12, 17, t277=5), bytes(204 * 5), then=8)), CYCLE),
    "TIFF pages that form a cycle": Case("x.tif", put(tiff(grey(12, 17, t277=5), cycle(150), then=200)), CYCLE),
    "TIFF pages within each other": Case("x.tif", put(tiff(grey(12, 17, t277=5), within_each_other(9), then=200)),
        "its pages overlap"),
    # arrays
    "pickled objects": Case("x.npy", trap, "Object arrays cannot be loaded"),
    "pickle": Case("x.npy", pickled, UNREADABLE),
    "array, truncated": Case("x.npy", cut(as_npy(COLORS)), UNREADABLE),
    "array of strings": Case("x.npy", put(as_npy(np.full((12, 17), "road"))), "contains <U4 values"),
    "structured array": Case("x.npy", put(as_npy(np.zeros((12, 17), [("a", "f4")]))),
        "images are integers or floats"),
    "array of dates": Case("x.npy", put(as_npy(np.zeros((12, 17), "M8[s]"))), "images are integers or floats"),
    "array without columns": Case("x.npy", put(as_npy(np.zeros((12, 0, 3), np.uint8))),
        "contains an array of shape (12, 0, 3)"),
    "beyond float32": Case("x.npy", put(as_npy(np.where(FLOATS > 0.1, FLOATS.astype(np.float64), 1e300))),
        "beyond the range of float32"),
    "array larger than memory": Case("x.npy", put(npy_header(HEADER % "1000000000, 1000000000")),
        UNREADABLE),
    "array header, truncated": Case("x.npy", put(npy_header("{'descr': (\n")), UNREADABLE),
    "complex": Case("x.npy", put(as_npy(FLOATS * 1j)), "images are integers or floats"),
}  # fmt: skip
