"""Lists image files: of a folder, a list file or a table."""

import codecs
import csv
import os
import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from seglit.errors import InputError, did_you_mean

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".gif", ".npy")
_MAX_DEPTH = 100  # of folders
_LISTED = re.compile(rf"(.+?)(?:{'|'.join(map(re.escape, SUFFIXES))})(\[\d+\])?(?=[\s,;]|$)", re.IGNORECASE)


def is_file(path: Path) -> bool:
    """Like `Path.is_file`, but False for invalid names, for which that raises."""
    return os.path.isfile(path)  # noqa: PTH113


def is_folder(path: Path) -> bool:
    """Like `Path.is_dir`, but False for invalid names, such as those of more than 255 bytes."""
    return os.path.isdir(path)  # noqa: PTH112


def normalized(name: str) -> str:
    """Returns a name in Unicode's form NFC: archives of macOS store names in NFD, lists mostly in NFC."""
    return unicodedata.normalize("NFC", name)


def nearest_entry(path: Path) -> str:
    """Returns `did_you_mean` for the other entries of the parent folder."""
    within = path.parent.iterdir() if is_folder(path.parent) else ()
    entries = [entry.name for entry in within if entry.name != path.name]
    return did_you_mean(path.name, entries)


def picture_folders(
    folder: Path, suffixes: tuple[str, ...] = SUFFIXES, above: frozenset[Path] = frozenset()
) -> Iterator[tuple[Path, list[str]]]:
    """Yields this folder and every folder below it, each with the names of its images, in sorted order.

    Links are followed, but not in a cycle (`above` are the resolved folders above this one); a broken link counts as
    an image, so that reading it raises. Hidden files and folders, and the `__MACOSX` of archives, are skipped.

    Raises:
        InputError: A folder cannot be read, or is within too many others.
    """
    try:
        if not folder.is_dir() or (real := folder.resolve()) in above:
            return
        if len(above) > _MAX_DEPTH:
            raise InputError(f"{folder}: more than {_MAX_DEPTH} folders within each other")
        with os.scandir(folder) as scanned:
            visible = (entry for entry in scanned if not entry.name.startswith((".", "__MACOSX")))
            entries = sorted(visible, key=lambda entry: entry.name)
        pictures = [entry for entry in entries if entry.name.lower().endswith(suffixes)]
        names = [entry.name for entry in pictures if _is_file_or_broken_link(entry)]
        folders = [folder / entry.name for entry in entries if not entry.is_file(follow_symlinks=False)]
    except OSError as error:
        raise InputError(f"{folder}: the folder cannot be read ({error.strerror})") from error
    yield folder, names
    inside = above | {real}
    for below in folders:
        if below.suffix.lower() not in suffixes:
            yield from picture_folders(below, suffixes, inside)


def _is_file_or_broken_link(entry: os.DirEntry[str]) -> bool:
    if not entry.is_symlink():
        return entry.is_file()
    path = Path(entry)
    return path.is_file() or not path.exists()


def files_below(folder: Path, suffixes: tuple[str, ...] = SUFFIXES) -> list[Path]:
    """Returns all images (or files with other suffixes) below a folder, sorted; empty if there is no such folder."""
    files = (path / name for path, names in picture_folders(folder, suffixes) for name in names)
    return sorted(files, key=lambda path: path.parts)


def read_list(path: Path, folder: str = "") -> list[str]:
    """Reads the image names in a list file, one per line: relative to the images' folder, without suffix.

    Args:
        path: The list file. Its lines may name a mask after the image, and both relative to the data root, as in
            `images/a.jpg masks/a.png`; or a slice of a TIFF stack, as in `stack0[3]` or `stack0.tif[3]`.
        folder: The images' folder, relative to the data root.
    """
    names, folder = [], normalized(folder)
    with _open_text(path) as lines:
        for line in filter(None, map(str.strip, lines)):
            match = _LISTED.match(line)
            name = normalized(match[1] + (match[2] or "") if match else line)
            name = name.replace("\\", "/") if "/" not in name else name  # written on Windows
            names.append(name.removeprefix("./").lstrip("/").removeprefix(f"{folder}/"))
    return names


@contextmanager
def reading_table(path: Path) -> "Iterator[csv.DictReader[str]]":
    """Opens a CSV, whose first row names its columns, for reading row by row; missing cells are ''.

    Raises:
        InputError: The file is not a CSV.
    """
    with _open_text(path, newline="") as lines:
        rows = csv.DictReader(lines, restval="")
        try:
            yield rows
        except csv.Error as error:
            raise InputError(f"{path}, line {rows.line_num}: cannot be read as a CSV ({error})") from error


def _open_text(path: Path, newline: str | None = None) -> TextIO:
    """Opens UTF-16 with a byte-order mark (Excel, PowerShell), else UTF-8; other bytes are kept, as in file names."""
    with path.open("rb") as file:
        is_utf16 = file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    encoding, errors = ("utf-16", "replace") if is_utf16 else ("utf-8-sig", "surrogateescape")
    return path.open(encoding=encoding, errors=errors, newline=newline)
