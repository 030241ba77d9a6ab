"""Public data sets: pairs of files in a tree that is known, downloaded where the source allows it."""

import tempfile
from abc import abstractmethod
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple

from torchvision.datasets.utils import download_and_extract_archive

from seglit.data.augment import Pipeline
from seglit.data.base import SegmentationDataModule
from seglit.data.folder import FolderDataset
from seglit.errors import InputError
from seglit.images.pairs import Pair, Split
from seglit.labels import Labels


class Part(NamedTuple):
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


class PublicDataModule(SegmentationDataModule):
    """A data set whose tree is known; a subclass says what must be there and which files are a split's pairs.

    Args:
        root: The folder that the archives are unpacked in.
        labels: Class names, colours and stored values.
        parts: The folders that must be there.
        source: How one gets what is missing: the end of the message that says so.
        download: Whether `prepare_data` fetches what is missing.
        loader: Batches and augmentation, see `SegmentationDataModule`.

    Raises:
        InputError: A part is missing and not to be downloaded.
    """

    def __init__(
        self,
        root: str,
        labels: Labels,
        parts: list[Part],
        source: str,
        download: bool,
        **loader: Any,
    ) -> None:
        super().__init__(labels, **loader)
        self.root = Path(root)
        self.parts = parts
        self.source = source
        self.download = download
        self._found: dict[Split, list[Pair]] = {}
        if not download:
            self._refuse_missing()

    @abstractmethod
    def find(self, split: Split) -> list[Pair]:
        """Names the pairs of a split; none for a split whose masks are not public.

        Raises:
            InputError: A list of names is missing.
        """

    def prepare_data(self) -> None:
        """Downloads the parts that are missing, if `download` says so.

        The trainer calls this on one process of each machine.

        Raises:
            InputError: The source cannot be reached, or sent something else.
        """
        if self.download:
            for part in self._missing():
                _fetch(part, self.root)

    def dataset(self, split: Split, pipeline: Pipeline | None = None) -> FolderDataset:
        """Makes the data set of a split."""
        return FolderDataset(self.pairs(split), self.labels, self.in_channels, pipeline, self.seed)

    def pairs(self, split: Split) -> list[Pair]:
        """The pairs of a split, all of whose files are there.

        Raises:
            InputError: The split has none, or files are missing.
        """
        found = self._known(split)
        if not found:
            secret = "; its masks are not public, score on val" if split == "test" else ""
            raise InputError(f"{self.root}: no images with masks for the split {split!r}{secret}")
        return found

    def has_split(self, split: Split) -> bool:
        """Whether the split has public masks."""
        return bool(self._known(split))

    def _known(self, split: Split) -> list[Pair]:
        if split not in self._found:
            self._refuse_missing()
            pairs = self.find(split)
            if lost := [file for pair in pairs for file in (pair.image, pair.mask) if not file.is_file()]:
                raise InputError(f"{lost[0]}: no such file ({len(lost)} missing in the split {split!r}); {self.source}")
            self._found[split] = pairs
        return self._found[split]

    def _missing(self) -> list[Part]:
        return [part for part in self.parts if not (self.root / part.path).is_dir()]

    def _refuse_missing(self) -> None:
        if missing := self._missing():
            paths = ", ".join(part.path for part in missing)
            how = "`prepare_data`, which the trainer calls, downloads it" if self.download else self.source
            raise InputError(f"data root {self.root}: no folder {paths} there; {how}")


def read_names(file: Path) -> list[str]:
    """The first word of every line of a list of names.

    Raises:
        InputError: There is no such file.
    """
    if not file.is_file():
        raise InputError(f"{file}: no such list of names; the archive it comes in is not unpacked as a whole")
    return [line.split()[0] for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]


def _fetch(part: Part, root: Path) -> None:
    """Downloads and unpacks beside the place, then moves: what was interrupted is never taken for the whole."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root) as unpacked:
            download_and_extract_archive(part.url, root, unpacked, md5=part.md5)
            (root / part.path).parent.mkdir(parents=True, exist_ok=True)
            (Path(unpacked) / (part.inside or part.path)).rename(root / part.path)
    except (OSError, HTTPException, RuntimeError) as error:  # RuntimeError: the checksum is another
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"cannot download {part.url} ({reason}); fetch it where there is a network and unpack it so that "
            f"{root / part.path} is there"
        ) from error
