"""Which pictures there are: those of a folder, and those that a list file or a table names."""

import codecs
import csv
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from seglit.errors import InputError, did_you_mean

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".npy")
_LISTED = re.compile(rf"(.+?)(?:{'|'.join(map(re.escape, SUFFIXES))})(?=[\s,;]|$)", re.IGNORECASE)


def is_file(path: Path) -> bool:
    """Whether a file is there; not so for a name that no file can have, where `Path.is_file` raises."""
    return os.path.isfile(path)  # noqa: PTH113


def is_folder(path: Path) -> bool:
    """Whether a folder is there; likewise."""
    return os.path.isdir(path)  # noqa: PTH112


def nearest_entry(path: Path) -> str:
    """`did_you_mean` with what the parent folder holds."""
    entries = [entry.name for entry in path.parent.iterdir()] if is_folder(path.parent) else []
    return did_you_mean(path.name, entries)


def picture_folders(
    folder: Path, suffixes: tuple[str, ...] = SUFFIXES, above: frozenset[Path] = frozenset()
) -> Iterator[tuple[Path, list[str]]]:
    """Names the pictures of every folder from this one down, in order; with other suffixes, other files.

    Links are followed, but not in a circle (`above` are the folders that lead here); one that leads nowhere is a
    picture that cannot be read. Hidden files and folders, and what archives of macOS bring along, are passed over.

    Raises:
        InputError: A folder may not be read.
    """
    if not folder.is_dir() or (real := folder.resolve()) in above:
        return
    try:
        entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith((".", "__MACOSX")))
        names = [entry.name for entry in entries if entry.suffix.lower() in suffixes and _is_listed(entry)]
    except OSError as error:
        raise InputError(f"{folder}: the folder cannot be read ({error.strerror})") from error
    yield folder, names
    for entry in entries:
        if entry.suffix.lower() not in suffixes and entry.is_dir():
            yield from picture_folders(entry, suffixes, above | {real})


def _is_listed(path: Path) -> bool:
    """Whether it is a file, or a link that was one's."""
    return path.is_file() or (path.is_symlink() and not path.exists())


def files_below(folder: Path, suffixes: tuple[str, ...] = SUFFIXES) -> list[Path]:
    """Every picture (or other) file below a folder, sorted by path; none where there is no such folder."""
    return sorted(path / name for path, names in picture_folders(folder, suffixes) for name in names)


def read_list(path: Path, folder: str = "") -> list[str]:
    """Reads the images that a list file names, one a line: relative to their folder, without suffix.

    Args:
        path: The list file. Its lines may name a mask after the image, and both from the data root on, as in
            `images/a.jpg masks/a.png`.
        folder: The images' folder, relative to the data root.
    """
    names = []
    with _open_text(path) as lines:
        for line in filter(None, map(str.strip, lines)):
            found = _LISTED.match(line)
            name = found[1] if found else line
            names.append(name.removeprefix("./").lstrip("/").removeprefix(f"{folder}/"))
    return names


@contextmanager
def reading_table(path: Path) -> "Iterator[csv.DictReader[str]]":
    """A CSV, whose first row names its columns, to read row by row; cells that are not there are ''.

    Raises:
        InputError: It is no CSV.
    """
    with _open_text(path, newline="") as lines:
        rows = csv.DictReader(lines, restval="")
        try:
            yield rows
        except csv.Error as error:
            raise InputError(f"{path}, line {rows.line_num}: cannot be read as a CSV ({error})") from error


def _open_text(path: Path, newline: str | None = None) -> TextIO:
    """Opens a text in UTF-8, or in UTF-16 where it says so, as of Excel and PowerShell; other bytes, as in names."""
    with path.open("rb") as file:
        wide = file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    coding, errors = ("utf-16", "replace") if wide else ("utf-8-sig", "surrogateescape")
    return path.open(encoding=coding, errors=errors, newline=newline)
