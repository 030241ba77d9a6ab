"""Archives of public data sets: missing ones are downloaded, verified and unpacked, or reported."""

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from torchvision.datasets.utils import download_and_extract_archive

from seglit.errors import InputError


@dataclass(frozen=True)
class Archive:
    """A folder of a data set and the archive that contains it.

    Args:
        path: The folder, relative to the data root.
        url: Address of the archive, or of its download page if that requires a login.
        md5: Checksum of the archive; None if it requires a login.
        inside: Path of the folder within the archive, if it differs from `path`.
    """

    path: str
    url: str
    md5: str | None = None
    inside: str | None = None


def refuse_missing(archives: Iterable[Archive], root: Path) -> None:
    """Checks that all folders exist.

    Raises:
        InputError: A folder is missing; the message says how to get it.
    """
    missing = [archive for archive in archives if not (root / archive.path).is_dir()]
    if not missing:
        return
    folders = ", ".join(archive.path for archive in missing)
    sources = ", ".join(dict.fromkeys(archive.url for archive in missing))
    option = "set `download: true`, or " if all(archive.md5 for archive in missing) else ""
    raise InputError(f"data root {root}: no folder {folders}; {option}download {sources} and unpack it there")


def fetch_missing(archives: Iterable[Archive], root: Path) -> None:
    """Downloads and unpacks missing archives that require no login.

    Raises:
        InputError: The download fails, or its checksum is wrong.
    """
    for archive in archives:
        if archive.md5 and not (root / archive.path).is_dir():
            _fetch(archive, root)


def _fetch(archive: Archive, root: Path) -> None:
    """Unpacks to a temporary folder, then moves: an interrupted download leaves no partial data set."""
    target = root / archive.path
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root) as unpacked:
            download_and_extract_archive(archive.url, str(root), unpacked, md5=archive.md5)
            target.parent.mkdir(parents=True, exist_ok=True)
            (Path(unpacked) / (archive.inside or archive.path)).rename(target)
    except (OSError, HTTPException, RuntimeError) as error:  # RuntimeError: wrong checksum
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"cannot download {archive.url} ({reason}); download it on a machine with network access and unpack it so "
            f"that {target} exists"
        ) from error
