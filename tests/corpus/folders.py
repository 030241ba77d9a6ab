"""Folders with unusual or invalid names, links, lists and tables, created by the tests around five valid pairs."""

import os
from collections.abc import Callable, Mapping
from errno import EACCES
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from tests.corpus.files import Array, saved
from tests.predict.brightest import truth

GOOD = ("a", "b", "c", "d", "e")


class Case(NamedTuple):
    """A folder and its expected result.

    Args:
        make: Creates the folder.
        finds: The expected findings of `seglit inspect` besides notes: code to file names.
        reads: Names of the pairs that the written configuration reads.
        error: Or part of the expected error message of `seglit inspect`.
        plain: Part of the expected error message of a data module with `settings` only; '' if it reads the same pairs.
        settings: Settings of the data module.
    """

    make: Callable[[Path], object]
    finds: Mapping[str, list[str]] = MappingProxyType({})
    reads: tuple[str, ...] = GOOD
    error: str = ""
    plain: str = ""
    settings: Mapping[str, Any] = MappingProxyType({})


def image(name: str) -> Array:
    """An image that is determined by its name."""
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
    """The valid pairs and a sixth one with this name."""

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
    "escape sequences": "a\x1b[31mb\x7f",
    "brackets": "[bold]a[b]",
    "braces": "{stem}{split}",
    "YAML": "a #b: - *c",
    "a glob pattern": "%s*?",
    "a backslash": "a\\nb",
    "emoji": "a\U0001f600\u200db",
    "Arabic": "\u0635\u0648\u0631\u0629",
    "invalid Unicode": os.fsdecode(b"b\xe4d"),
    "251 letters": "n" * 251,
    "a minus": "-a",
    "a date": "2024-01-01",
    "null in YAML": "null",
}


def moved(images: str, masks: str) -> Callable[[Path], None]:
    """The valid pairs, in folders with other names."""

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


def beside(*extra: Callable[[Path], object]) -> Callable[[Path], None]:
    """The valid pairs and additional entries."""

    def make(root: Path) -> None:
        good(root)
        for make_entry in extra:
            make_entry(root)

    return make


def link(name: str, to: str) -> Callable[[Path], None]:
    return lambda root: (root / name).symlink_to(root / to)


def pipe(name: str) -> Callable[[Path], None]:
    return lambda root: os.mkfifo(root / name)


def file(name: str, content: bytes = b"") -> Callable[[Path], object]:
    def write(root: Path) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)

    return write


def locked(name: str) -> Callable[[Path], None]:
    """Removes the permission to read a file or folder; root can still read it."""

    def lock(root: Path) -> None:
        (root / name).chmod(0)
        if os.access(root / name, os.R_OK):
            raise PermissionError(EACCES, "root can read everything")

    return lock


IMAGE, MASK = (file(f"{kind}/train/z.png", saved(array, "PNG")) for kind, array in
               (("images", image("z")), ("masks", truth(image("z")) // 255)))  # fmt: skip


def flat(root: Path) -> None:
    """The valid pairs, in two flat folders."""
    for name in GOOD:
        pair(root, name, split="")


def listed(*extra: Callable[[Path], object]) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        flat(root)
        for make_entry in extra:
            make_entry(root)

    return make


def table(*rows: str, columns: str = "image,mask,split", coding: str = "utf-8") -> Callable[[Path], None]:
    """The valid pairs, and a CSV with rows for the first four and these rows."""
    four = [
        f"images/train/{name}.png,masks/train/{name}.png,{split}" for name, split in zip("abcd", SPLIT, strict=True)
    ]
    return beside(file("pairs.csv", "\n".join([columns, *four, *rows]).encode(coding)))


SPLIT = ("train", "train", "train", "val")
FLAT: dict[str, Any] = {"images": "images", "masks": "masks", "splits": {"val": 0.2}}
LISTS: dict[str, Any] = FLAT | {"splits": {"train": "train.txt", "val": "val.txt"}}
CSV = {"pairs": "pairs.csv"}
SYSTEM_FILES = ("._a.png", ".DS_Store", "Thumbs.db", "desktop.ini", "Icon\r")
BROKEN_LINK = "broken symbolic link"

FOLDERS: dict[str, Case] = {
    **{f"a name of {kind}": Case(named(name, broken=False), reads=(*GOOD, name)) for kind, name in NAMES.items()},
    **{
        f"a corrupt image, its name of {kind}": Case(
            named(name, broken=True),
            {"unreadable_image": [f"images/train/{name}.png"]},
            error="the name is not valid Unicode" if kind == "invalid Unicode" else "",
            plain="unknown format, or truncated",
        )
        for kind, name in NAMES.items()
    },
    # not regular files
    "a folder named x.png": Case(beside(file("images/train/x.png/y.png"), file("masks/train/x.png/y.png"))),
    "pipes named x.png": Case(beside(pipe("images/train/x.png"), pipe("masks/train/x.png"))),
    "a broken link": Case(beside(link("images/train/z.png", "gone.png"), MASK),
        {"unreadable_image": ["images/train/z.png"]}, plain=BROKEN_LINK),
    "a broken link to a mask": Case(beside(link("masks/train/z.png", "gone.png"), IMAGE),
        {"unreadable_mask": ["masks/train/z.png"]}, plain=BROKEN_LINK),
    "a link to itself": Case(beside(link("images/train/z.png", "images/train/z.png"), MASK),
        {"unreadable_image": ["images/train/z.png"]}, plain=BROKEN_LINK),
    "a folder that is a link to itself": Case(beside(link("images/test", "images/test"))),
    "a link back to its folder": Case(beside(link("images/train/again", "images/train"))),
    "files of operating systems": Case(beside(*(file(f"{folder}/{name}", b"\0\5\x16\7") for name in SYSTEM_FILES
        for folder in ("images/train", "masks/train", "__MACOSX/images/train")))),
    # without permission
    "an image without permission": Case(beside(IMAGE, MASK, locked("images/train/z.png")),
        {"unreadable_image": ["images/train/z.png"]}, plain="Permission denied"),
    "a folder without permission": Case(beside(locked("masks/train")), error="the folder cannot be read (Permission",
        plain="the folder cannot be read (Permission denied)"),
    # other folder names
    "folders that look like rich markup": Case(moved(*BRACKETS), settings=folders(*BRACKETS)),
    "folders that inject YAML": Case(moved(*INJECTED), settings=folders(*INJECTED)),
    # names that do not match
    "a mask name in another Unicode normal form": Case(
        beside(lambda root: pair(root, "caf\u00e9", mask_name="cafe\u0301")), reads=(*GOOD, "caf\u00e9")),
    "one pair with other suffixes": Case(beside(lambda root: pair(root, "f_rgb", mask_name="f_gt")),
        {"image_without_mask": ["images/train/f_rgb.png"]}, plain="its mask f_rgb.* is not in"),
    "two masks of an image": Case(beside(file("masks/train/a.bmp", saved(truth(image("z")) // 255, "BMP")))),
    # list files
    "a pipe named train.txt": Case(listed(pipe("train.txt")), settings=FLAT),
    "a folder named train.txt": Case(listed(file("train.txt/x")), settings=FLAT),
    "a binary list": Case(listed(file("train.txt", bytes(range(256)))), settings=FLAT),
    "lists in UTF-16": Case(listed(file("train.txt", "a\r\nb\r\nc".encode("utf-16")),
        file("val.txt", "e\r\n".encode("utf-16"))), reads=("a", "b", "c", "e"), settings=LISTS),
    "a list that names a missing image": Case(listed(file("train.txt", b"a\nb\nz\n"), file("val.txt", b"e")),
        {"listed_but_missing": ["images/z.*"]}, ("a", "b", "e"), plain="1 of its names have no image, first 'z'",
        settings=LISTS),
    # tables
    "a pipe named x.csv": Case(beside(pipe("x.csv"))),
    "a folder named x.csv": Case(beside(file("x.csv/x"))),
    "another table, in Latin-1": Case(beside(file("x.csv", b"camera\nL\xf6wenz\xe4hne\n"))),
    "a table of macOS metadata": Case(beside(file("._pairs.csv", b"\0\5\x16\7\xff"))),
    "an empty table": Case(beside(file("pairs.csv")), plain="no column 'image'", settings=CSV),
    "a table without rows": Case(beside(file("pairs.csv", b"image,mask,split\n")),
        error="no image has a mask (table of", plain="no images for the split 'train' (looked in pairs.csv)",
        settings=CSV),
    "a table without masks": Case(table(columns="image,label,split"), plain="no column 'mask'", settings=CSV),
    "a table with semicolons": Case(beside(file("pairs.csv", b"image;mask\na;b\n")), plain="its columns are image;mask",
        settings=CSV),
    "a table in UTF-16": Case(table(coding="utf-16"), reads=("a", "b", "c", "d"), settings=CSV),
    "a table in Latin-1": Case(table("images/train/\xe4.png,masks/train/a.png,val", coding="latin1"),
        error="save the list that names it as UTF-8", plain="\\udce4.png: no such file", settings=CSV),
    "a table with NUL": Case(table("images/train/a\0.png,masks/train/a.png,val"),
        {"listed_but_missing": ["images/train/a\0.png"]}, ("a", "b", "c", "d"), plain="a\\x00.png: no such file",
        settings=CSV),
    "a row with too few cells": Case(table("images/val/e.png"), error="line 6: split is ''",
        plain="line 6: split is ''", settings=CSV),
    "a row without a mask": Case(table("images/val/e.png,,val"), {"listed_but_missing": ["images/val/e.png"]},
        ("a", "b", "c", "d"), plain="line 6: mask is empty", settings=CSV),
    "a row without an image": Case(beside(file("pairs.csv", b"mask,image,split\nmasks/train/a.png\n")),
        error="line 2: image is empty", plain="line 2: image is empty", settings=CSV),
    "a row with too many cells": Case(table("images/val/e.png,masks/val/e.png,val,more,,cells"), settings=CSV),
    "an unterminated quote": Case(beside(file("pairs.csv", b'image,mask,split\n"images/train/a.png,masks')),
        error="line 2: split is ''", plain="line 2: split is ''", settings=CSV),
    "a cell of 200,000 letters": Case(table("x" * 200_000), error="pairs.csv, line 5: cannot be read as a CSV (field",
        plain="pairs.csv, line 5: cannot be read as a CSV (field larger", settings=CSV),
    "a cell of 5,000 letters": Case(table(f"{'x' * 5_000}/{'y' * 300}.png,masks/val/e.png,val"),
        {"listed_but_missing": [f"{'x' * 5_000}/{'y' * 300}.png"]}, ("a", "b", "c", "d"), plain="no such file",
        settings=CSV),
    "a row outside the root": Case(table("../data/images/val/e.png,masks/val/e.png,val"), error="leaves the data root",
        plain="leaves the data root", settings=CSV),
    "a row with an absolute path": Case(table("/etc/x.png,masks/val/e.png,val"), error="leaves the data root",
        plain="image /etc/x.png leaves the data root", settings=CSV),
    "an unknown split": Case(table("images/val/e.png,masks/val/e.png,holdout"), error="line 6: split",
        plain="line 6: split is 'holdout'", settings=CSV),
}  # fmt: skip
