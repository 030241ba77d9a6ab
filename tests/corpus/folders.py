"""Folders with bad names, links, lists and tables, each made on the spot around five good pairs."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from tests.corpus.files import Array, saved
from tests.inference.brightest import truth

GOOD = ("a", "b", "c", "d", "e")


class Case(NamedTuple):
    """A folder, and what has to come of it.

    Args:
        make: What makes it.
        finds: What `seglit inspect` finds beside notes: code to the files it names; one name may end in *.
        reads: Names of the pairs that the configuration it writes then reads.
        error: Or words of the one line that it ends with.
        plain: Words of the one line in which a data module told nothing but `settings` refuses it; '' where it reads
            the same pairs.
        settings: What the data module is told.
    """

    make: Callable[[Path], object]
    finds: Mapping[str, list[str]] = MappingProxyType({})
    reads: tuple[str, ...] = GOOD
    error: str = ""
    plain: str = ""
    settings: Mapping[str, Any] = MappingProxyType({})


def image(name: str) -> Array:
    """The picture that goes by a name, like no other."""
    seed = [*os.fsencode(name)]
    return np.random.default_rng(seed).integers(0, 256, (12, 17, 3), np.uint8)


def pair(root: Path, name: str, split: str = "train", mask_name: str = "") -> tuple[Path, Path]:
    """Writes an image and its mask."""
    files = root / "images" / split / f"{name}.png", root / "masks" / split / f"{mask_name or name}.png"
    for file, array in zip(files, (image(name), truth(image(name)) // 255), strict=True):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(saved(array, "PNG"))
    return files


def good(root: Path) -> None:
    for name in GOOD:
        pair(root, name, "val" if name == "e" else "train")


def named(name: str, *, broken: bool) -> Callable[[Path], None]:
    """A sixth pair of that name."""

    def make(root: Path) -> None:
        good(root)
        file, _ = pair(root, name)
        if broken:
            file.write_bytes(b"")

    return make


NAMES = {
    "spaces": " a  b ",
    "quotes": 'it\'s "here"',
    "a line break": "a\nb",
    "other line breaks": "a\u2028b\x85c\rd",
    "a terminal's codes": "a\x1b[31mb\x7f",
    "brackets": "[bold]a[b]",
    "braces": "{stem}{split}",
    "YAML": "a #b: - *c",
    "a pattern": "%s*?",
    "a backslash": "a\\nb",
    "emoji": "a\U0001f600\u200db",
    "Arabic": "\u0635\u0648\u0631\u0629",
    "no Unicode": os.fsdecode(b"b\xe4d"),
    "251 letters": "n" * 251,
    "a minus": "-a",
    "a date": "2024-01-01",
    "nothing, for YAML": "null",
}


def moved(images: str, masks: str) -> Callable[[Path], None]:
    """The good pairs, in folders of other names."""

    def make(root: Path) -> None:
        good(root)
        for old, new in (("images", images), ("masks", masks)):
            (root / new).parent.mkdir(exist_ok=True)
            (root / old).rename(root / new)

    return make


BRACKETS = "x [/images]", "x [/masks]"
INJECTED = "images\nclass_path: os.system", "masks\u2028init_args: {}"


def folders(images: str, masks: str) -> dict[str, str]:
    return {"images": f"{images}/{{split}}", "masks": f"{masks}/{{split}}"}


FOLDERS: dict[str, Case] = {
    **{f"a name of {kind}": Case(named(name, broken=False), reads=(*GOOD, name)) for kind, name in NAMES.items()},
    **{
        f"a broken image, its name of {kind}": Case(
            named(name, broken=True),
            {"unreadable_image": [f"images/train/{name}.png"]},
            error="the name is no Unicode" if kind == "no Unicode" else "",
            plain="of no known format",
        )
        for kind, name in NAMES.items()
    },
    "folders that look like rich's markup": Case(moved(*BRACKETS), settings=folders(*BRACKETS)),
    "folders that go on as YAML": Case(moved(*INJECTED), settings=folders(*INJECTED)),
}
