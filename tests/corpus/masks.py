"""Masks that are corrupt, hostile or unusual, each written by the test from its class indices."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import cv2
import numpy as np
import tifffile
from PIL import Image

from tests.corpus.files import Array, as_npy, png, put, saved
from tests.corpus.pictures import UNKNOWN_FORMAT, UNREADABLE, flipped, trap

NOISE = np.random.default_rng(5).integers(0, 256, (12, 17, 1), np.uint8)


class Case(NamedTuple):
    """A mask and its expected result.

    Args:
        name: File name.
        write: Writes class indices (12, 17), 0 or 1, to a path.
        refused: Part of the expected error message; if empty, the mask is read as these indices.
        finding: The expected finding of `seglit inspect`; '' if it reads the mask, with or without these settings.
        settings: Settings of the data module.
    """

    name: str
    write: Callable[[Path, Array], object]
    refused: str = ""
    finding: str = ""
    settings: Mapping[str, Any] = MappingProxyType({})


def recoded(
    change: Callable[[Array], Array], file_format: str = "PNG", **options: Any
) -> Callable[[Path, Array], object]:
    return lambda path, classes: path.write_bytes(saved(change(classes), file_format, **options))


def without_colors(path: Path, classes: Array) -> None:
    """A palette image without its palette."""
    rows = b"".join(b"\0" + row.tobytes() for row in classes)
    path.write_bytes(png((17, 12, 8, 3), rows=rows))


def pages(file_format: str) -> Callable[[Path, Array], object]:
    def write(path: Path, classes: Array) -> None:
        others = [Image.fromarray(1 - classes)]
        Image.fromarray(classes).save(path, file_format, save_all=True, append_images=others)

    return write


def with_thumbnail(path: Path, classes: Array) -> None:
    Image.fromarray(classes).save(path, save_all=True, append_images=[Image.fromarray(1 - classes[::2, ::2])])


def array(change: Callable[[Array], Array]) -> Callable[[Path, Array], object]:
    return lambda path, classes: path.write_bytes(as_npy(change(classes)))


def png_named_tiff(path: Path, classes: Array) -> None:
    path.write_bytes(saved(classes, "PNG"))


ON_OFF = {"mask_values": {"dark": 0, "bright": 255}}
UNLISTED = "which is not a class; if it is void, set"
WRONG = "unreadable_mask"

MASKS: dict[str, Case] = {
    # unusual, but valid
    "0 and 255": Case("x.png", recoded(lambda m: m * 255), settings=ON_OFF),
    "one bit": Case("x.png", recoded(lambda m: m > 0)),
    "grey and alpha": Case("x.png", recoded(lambda m: np.concatenate([m[..., None], NOISE], -1))),
    "three equal channels": Case("x.png", recoded(lambda m: m[..., None].repeat(3, -1))),
    "three equal channels and alpha": Case(
        "x.png", recoded(lambda m: np.concatenate([m[..., None].repeat(3, -1), NOISE], -1))),
    "two colours": Case("x.png", recoded(lambda m: np.array([[9, 8, 7], [200, 0, 100]], np.uint8)[m]),
        settings={"mask_colors": {"dark": [9, 8, 7], "bright": [200, 0, 100]}}),
    "16 bits": Case("x.png", lambda path, m: cv2.imwrite(str(path), m.astype(np.uint16))),
    "16 bits from 1000 on": Case("x.png", lambda path, m: cv2.imwrite(str(path), m.astype(np.uint16) + 1000),
        settings={"mask_values": {"dark": 1000, "bright": 1001}}),
    "signed TIFF": Case("x.tif", lambda path, m: tifffile.imwrite(path, m.astype(np.int16) - 1),
        settings={"mask_values": {"dark": -1, "bright": 0}}),
    "PNG named TIFF": Case("x.tif", png_named_tiff),
    "animated PNG": Case("x.png", pages("PNG"), "is an animated PNG", "unreadable_mask"),
    "TIFF with a thumbnail": Case("x.tif", with_thumbnail),
    "booleans": Case("x.npy", array(lambda m: m > 0)),
    "64 bits, big-endian": Case("x.npy", array(lambda m: m.astype(">i8"))),
    "an additional axis": Case("x.npy", array(lambda m: m[..., None])),
    "a palette without colours": Case("x.png", without_colors),
    # settings that do not match
    "0 and 255 without settings": Case("x.png", recoded(lambda m: m * 255), refused="the value 255"),
    "two colours without settings": Case("x.png", recoded(lambda m: np.array([[9, 8, 7], [200, 0, 100]], np.uint8)[m]),
        refused="the mask contains 2 colours ([9, 8, 7], [200, 0, 100], ...)"),
    "JPEG": Case("x.jpg", recoded(lambda m: m * 255, "JPEG"), UNLISTED, settings=ON_OFF),
    # invalid
    "another size": Case("x.png", recoded(lambda m: m[:6]), "the mask is 6 x 17 pixels", "size_mismatch"),
    "transposed": Case("x.png", recoded(lambda m: m.T.copy()), "the mask is 17 x 12 pixels", "size_mismatch"),
    "one pixel": Case("x.png", recoded(lambda m: m[:1, :1]), "the mask is 1 x 1 pixels", "size_mismatch"),
    "empty file": Case("x.png", lambda path, _: put(b"")(path), UNKNOWN_FORMAT, WRONG),
    "text": Case("x.png", lambda path, _: put(b"0 0 1 1\n")(path), UNKNOWN_FORMAT, WRONG),
    "truncated": Case("x.png", lambda path, m: put(saved(m, "PNG")[:-30])(path), UNREADABLE, WRONG),
    "flipped bit": Case("x.png", lambda path, m: put(flipped(saved(m, "PNG"), 20))(path), UNREADABLE, WRONG),
    "fractions": Case("x.npy", array(lambda m: m / np.float32(2)), "contains the value 0.5; masks are integers", WRONG),
    "fractions in a TIFF": Case("x.tif", lambda path, m: tifffile.imwrite(path, m / np.float32(2)),
        "contains the value 0.5; masks are integers", WRONG),
    "strings": Case("x.npy", array(lambda m: np.array(["dark", "bright"])[m]), "contains <U6 values", WRONG),
    "uint64 maximum": Case("x.npy", array(lambda m: m * np.uint64(2**64 - 1)), "the value 18446744073709551615",
        WRONG),
    "pickled objects": Case("x.npy", lambda path, _: trap(path), "Object arrays cannot be loaded", WRONG),
    "five bands": Case("x.npy", array(lambda m: m[..., None].repeat(5, -1)), "has 5 bands", WRONG),
    "colours of 16 bits": Case("x.npy", array(lambda m: m[..., None] * np.array([0, 300, 600])),
        "the mask's colours reach 600; convert it to 8 bits", WRONG),
}  # fmt: skip
