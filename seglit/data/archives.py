"""Archives that a data set is downloaded as: what is missing is fetched, checked and unpacked, or said."""

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from torchvision.datasets.utils import download_and_extract_archive

from seglit.errors import InputError


@dataclass(frozen=True)
class Archive:
    """A folder that a data set needs, and the archive that holds it.

    Args:
        path: The folder, relative to the data root.
        url: The archive, or the page where one gets it after a login.
        md5: The archive's checksum; None where it cannot be downloaded without a login.
        inside: The folder's path within the archive, where it is another one.
    """

    path: str
    url: str
    md5: str | None = None
    inside: str | None = None


def refuse_missing(archives: Iterable[Archive], root: Path) -> None:
    """Refuses a root that lacks what the archives hold.

    Raises:
        InputError: A folder is missing; it says how to get it.
    """
    missing = [archive for archive in archives if not (root / archive.path).is_dir()]
    if not missing:
        return
    folders = ", ".join(archive.path for archive in missing)
    sources = ", ".join(dict.fromkeys(archive.url for archive in missing))
    fetch = (
        "`download: true` fetches it, or unpack there" if all(archive.md5 for archive in missing) else "unpack there"
    )
    raise InputError(f"data root {root}: no folder {folders} there; {fetch} what is at {sources}")


def fetch_missing(archives: Iterable[Archive], root: Path) -> None:
    """Downloads and unpacks what is missing and needs no login.

    Raises:
        InputError: The source cannot be reached, or sent something else.
    """
    for archive in archives:
        if archive.md5 and not (root / archive.path).is_dir():
            _fetch(archive, root)


def _fetch(archive: Archive, root: Path) -> None:
    """Unpacks beside the place, then moves: what was interrupted is never taken for the whole."""
    target = root / archive.path
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root) as unpacked:
            download_and_extract_archive(archive.url, str(root), unpacked, md5=archive.md5)
            target.parent.mkdir(parents=True, exist_ok=True)
            (Path(unpacked) / (archive.inside or archive.path)).rename(target)
    except (OSError, HTTPException, RuntimeError) as error:  # RuntimeError: the checksum is another
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"cannot download {archive.url} ({reason}); fetch it where there is a network and unpack it so that "
            f"{target} is there"
        ) from error
