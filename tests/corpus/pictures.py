"""Images that are broken, hostile or merely odd, each written on the spot."""

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
    """A file, and what has to come of it.

    Args:
        name: Its name.
        write: What writes it.
        refused: The reason that the one line gives, or words of it.
        shows: Or what it shows in colours (H, W, 3).
    """

    name: str
    write: Write
    refused: str = ""
    shows: Array | None = None


def cut(content: bytes, kept: float = 0.6) -> Write:
    return put(content[: int(len(content) * kept)])


def flipped(content: bytes, from_end: int) -> bytes:
    place = len(content) - from_end
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def pages(file_format: str, **options: object) -> Write:
    """A file of several pictures, the first of which is `COLORS`."""

    def write(path: Path) -> None:
        others = [Image.fromarray(COLORS[::-1]), Image.fromarray(255 - COLORS)]
        Image.fromarray(COLORS).save(path, file_format, save_all=True, append_images=others, **options)

    return write


class Trap:
    """What would leave a file behind if it were unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def trap(path: Path) -> None:
    np.save(path, np.array([[Trap(path.with_name("sprung"))]]), allow_pickle=True)


def pickled(path: Path) -> None:
    path.write_bytes(pickle.dumps(Trap(path.with_name("sprung"))))


def with_exif(content: bytes) -> bytes:
    """A JPEG of one colour, with these bytes for EXIF."""
    jpeg, payload = saved(EVEN, "JPEG", dpi=(72, 72)), b"Exif\0\0" + content
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload + jpeg[2:]


POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(sprung) (w) file closefile\nshowpage\n"


def ring(count: int) -> bytes:
    """Empty pages of a TIFF, from byte 200 on, each with the next one's place and the last with the first's."""
    places = [200 + 6 * number for number in range(count)]
    start = len(tiff(grey(12, 17, t277=5)))
    pages = b"".join(struct.pack("<HI", 0, place) for place in (*places[1:], places[0]))
    return bytes(200 - start) + pages + bytes(204 * 5)


EVEN = np.full((12, 17, 3), 200, np.uint8)
WIDE = np.random.default_rng(1).integers(0, 256, (1, 66_000, 3), np.uint8)
CMYK = np.random.default_rng(2).integers(0, 256, (12, 17, 4), np.uint8)
INK = 255 - CMYK.astype(float)  # what each ink lets through
FLOATS = np.random.default_rng(3).random((12, 17, 3), np.float32)
HEADER = "{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }\n"
NO_PICTURE = "cannot be read as a picture (of no known format, or cut off)"
UNREADABLE = "cannot be read as a picture ("
CIRCLE = "its pages follow each other in a circle"
BOMB = "decompression bomb"

PICTURES: dict[str, Case] = {
    # cut off, or no picture at all
    "JPEG, cut": Case("x.jpg", cut(saved(COLORS, "JPEG")), UNREADABLE),
    "PNG, cut": Case("x.png", cut(saved(COLORS, "PNG")), UNREADABLE),
    "TIFF, cut": Case("x.tif", cut(saved(COLORS, "TIFF")), UNREADABLE),
    "WebP, cut": Case("x.webp", cut(saved(COLORS, "WEBP")), UNREADABLE),
    "BMP, cut": Case("x.bmp", cut(saved(COLORS, "BMP")), UNREADABLE),
    "nothing": Case("x.png", put(b""), NO_PICTURE),
    "zeros": Case("x.jpg", put(bytes(500)), NO_PICTURE),
    "text": Case("x.png", put(b"no picture\n"), NO_PICTURE),
    "a page of HTML": Case("x.jpg", put(b"<!DOCTYPE html><title>404</title>"), NO_PICTURE),
    "SVG": Case("x.png", put(b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"), NO_PICTURE),
    "an archive": Case("x.npy", put(b"PK\x03\x04" + bytes(40)), UNREADABLE),
    "a bit that flipped": Case("x.png", put(flipped(saved(COLORS, "PNG"), 20)), UNREADABLE),
    "JPEG of 12 bits": Case("x.jpg", put(saved(COLORS, "JPEG").replace(b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c")),
        NO_PICTURE),
    "PostScript": Case("x.png", put(POSTSCRIPT), NO_PICTURE),
    "TIFF of CIELAB": Case("x.tif", put(tiff(grey(12, 17, t262=8, t277=3), COLORS.tobytes())),
        "coded as CIELAB"),
    # called what they are not, or odd, but right
    "PNG called JPEG": Case("x.jpg", put(saved(COLORS, "PNG")), shows=COLORS),
    "TIFF called PNG": Case("x.png", put(saved(COLORS, "TIFF")), shows=COLORS),
    "GIF called PNG": Case("x.png", put(saved(EVEN, "GIF")), shows=EVEN),
    "more after the end": Case("x.png", put(saved(COLORS, "PNG") + b"more" * 99), shows=COLORS),
    "one pixel": Case("x.png", put(saved(COLORS[:1, :1], "PNG")), shows=COLORS[:1, :1]),
    "66,000 wide": Case("x.png", put(saved(WIDE, "PNG")), shows=WIDE),
    "66,000 high": Case("x.tif", put(saved(WIDE.swapaxes(0, 1), "TIFF")), shows=WIDE.swapaxes(0, 1)),
    "BMP from top to bottom": Case("x.bmp", put(saved(COLORS[::-1], "BMP").replace(
        struct.pack("<i", 12), struct.pack("<i", -12), 1)), shows=COLORS),
    "animated PNG": Case("x.png", pages("PNG"), shows=COLORS),
    "animated WebP": Case("x.webp", pages("WEBP", lossless=True), shows=COLORS),
    "TIFF of several pages": Case("x.tif", pages("TIFF"), shows=COLORS),
    "JPEG of several pictures": Case("x.jpg", lambda path: Image.fromarray(EVEN).save(
        path, "MPO", save_all=True, append_images=[Image.fromarray(255 - EVEN)]), shows=EVEN),
    "CMYK": Case("x.tif", lambda path: Image.fromarray(CMYK, "CMYK").save(path),
        shows=(INK[..., :3] * INK[..., 3:] / 255).round()),
    "BigTIFF": Case("x.tif", lambda path: tifffile.imwrite(path, COLORS, bigtiff=True, photometric="rgb"),
        shows=COLORS),
    "a palette": Case("x.png", put(png((3, 1, 8, 3), (b"PLTE", bytes(range(9))), rows=b"\0\2\0\1")),
        shows=np.array([[[6, 7, 8], [0, 1, 2], [3, 4, 5]]])),
    "16-bit PNG, a bit that flipped": Case("x.png", lambda path: cv2.imwrite(str(path), COLORS.astype(np.uint16) * 257)
        and path.write_bytes(flipped(path.read_bytes(), 20)), UNREADABLE),
    # EXIF that says nothing
    "EXIF that is noise": Case("x.jpg", put(with_exif(b"noise")), shows=EVEN),
    "EXIF, cut": Case("x.jpg", put(with_exif(tiff({274: (3, 1, 6)})[:14])), shows=EVEN),
    "an orientation of 99": Case("x.jpg", put(with_exif(tiff({274: (3, 1, 99)}))), shows=EVEN),
    "an orientation in words": Case("x.tif", put(tiff(grey(12, 17, t274=(2, 4, 0x00786973)), COLORS[..., 0].tobytes())),
        shows=COLORS[..., :1].repeat(3, -1)),
    # more than is safe, and less than there is
    "PNG that unpacks to 30 GB": Case("x.png", put(png((100_000, 100_000, 8, 2))), BOMB),
    "JPEG that unpacks to 13 GB": Case("x.jpg", put(saved(COLORS, "JPEG").replace(
        b"\x11\x08\0\x0c\0\x11", b"\x11\x08\xff\xff\xff\xff")), BOMB),
    "TIFF that unpacks to 10 GB": Case("x.tif", put(tiff(grey(100_000, 100_000), bytes(100))), BOMB),
    "BMP of pixels that are not there": Case("x.bmp", put(saved(COLORS, "BMP").replace(
        struct.pack("<ii", 17, 12), struct.pack("<ii", 9_000, 9_000))), UNREADABLE),
    "TIFF of bands that unpack to 100 GB": Case("x.tif", put(tiff(grey(100_000, 100_000, t259=8, t277=5, t322=16,
        t323=16), bytes(100))), BOMB),
    "PNG of no columns": Case("x.png", put(png((0, 12, 8, 2))), NO_PICTURE),
    "TIFF of no columns": Case("x.tif", put(tiff(grey(12, 0))), "holds no pixels"),
    # tags of TIFF
    "TIFF of a width in words": Case("x.tif", put(tiff(grey(12, 17, t256=(2, 4, 0x00656E6F), t277=5), bytes(204 * 5))),
        UNREADABLE),
    "TIFF of 4 billion depths": Case("x.tif", put(tiff(grey(12, 17, t258=(3, 2**32 - 1, 8)), bytes(204))), UNREADABLE),
    "TIFF of tiles of no width": Case("x.tif", put(tiff(grey(12, 17, t322=0, t323=16, t277=5), bytes(204 * 5))),
        UNREADABLE),
    "TIFF whose next page is itself": Case("x.tif", put(tiff(grey(12, 17, t277=5), bytes(204 * 5), then=8)), CIRCLE),
    "TIFF of pages in a circle": Case("x.tif", put(tiff(grey(12, 17, t277=5), ring(150), then=200)), CIRCLE),
    # arrays
    "pickled objects": Case("x.npy", trap, "Object arrays cannot be loaded"),
    "a pickle": Case("x.npy", pickled, UNREADABLE),
    "an array, cut": Case("x.npy", cut(as_npy(COLORS)), UNREADABLE),
    "an array of text": Case("x.npy", put(as_npy(np.full((12, 17), "road"))), "holds <U4 values"),
    "an array of records": Case("x.npy", put(as_npy(np.zeros((12, 17), [("a", "f4")]))),
        "images are integers or floats"),
    "an array of dates": Case("x.npy", put(as_npy(np.zeros((12, 17), "M8[s]"))), "images are integers or floats"),
    "an array of no columns": Case("x.npy", put(as_npy(np.zeros((12, 0, 3), np.uint8))), "holds an array (12, 0, 3)"),
    "NaN": Case("x.npy", put(as_npy(np.where(FLOATS > 0.1, FLOATS, np.nan))), "values that are NaN or infinite"),
    "infinite": Case("x.tif", lambda path: tifffile.imwrite(path, np.full((12, 17), np.inf, np.float32)),
        "204 values that are NaN or infinite"),
    "an array of more than any memory": Case("x.npy", put(npy_header(HEADER % "1000000000, 1000000000")),
        UNREADABLE),
    "an array's header, cut": Case("x.npy", put(npy_header("{'descr': (\n")), UNREADABLE),
    "complex": Case("x.npy", put(as_npy(FLOATS * 1j)), "images are integers or floats"),
}  # fmt: skip
