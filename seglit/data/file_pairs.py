"""Base class of data modules that read pairs of files below a root folder."""

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from pytorch_lightning.utilities import rank_zero_info

from seglit.data.archives import Archive, fetch_missing, refuse_missing
from seglit.data.base import SegmentationDataModule
from seglit.errors import InputError, printable
from seglit.images.listing import nearest_entry
from seglit.images.matching import find_pairs
from seglit.images.pairs import Pair, Pairing, PairSettings, Split
from seglit.images.part_drawing import with_fill
from seglit.images.splitting import grouping, split_pairs
from seglit.labels import IGNORE_INDEX, Labels


def check_root(root: Path) -> None:
    """Raises InputError if the data root does not exist."""
    if not root.is_dir():
        raise InputError(f"data root {root}: no such folder{nearest_entry(root)}")


class PairsDataModule(SegmentationDataModule):
    """Base class for images and masks (or annotations) in files below a root; a subclass defines `dataset`.

    Args:
        root: The folder that all paths are relative to.
        labels: Class names, colours and stored values.
        settings: How images, masks and splits are found.
        archives: Folders that the root must contain, and the archives that contain them; None requires nothing.
        download: Download missing `archives` before training.
        loader: Batches and augmentation, see `SegmentationDataModule`.

    Raises:
        InputError: The folder does not exist, or one of `archives` is missing and `download` is not set.
    """

    def __init__(
        self,
        root: str,
        labels: Labels,
        settings: PairSettings,
        archives: list[Archive] | None = None,
        download: bool = False,
        **loader: Any,
    ) -> None:
        super().__init__(labels, **loader)
        self.root = Path(root)
        self.settings = replace(settings, class_names=labels.class_names)
        self.archives = archives or []
        self.download = download
        if not download:
            refuse_missing(self.archives, self.root)
            check_root(self.root)

    def prepare_data(self) -> None:
        """Downloads missing archives if `download` is set; the trainer calls this in one process per machine."""
        if self.download:
            fetch_missing(self.archives, self.root)

    def pairs_of(self, split: Split) -> list[Pair]:
        """Returns the pairs of a split.

        Raises:
            InputError: The split is empty, or a file is missing.
        """
        if not self.has_split(split):
            raise InputError(f"{self.root}: no images for the split {split!r} ({self.searched(split)})")
        return self._divided[split]

    def listed_images(self, split: Split) -> list[str]:
        """Returns the images and slices of a split relative to the root, as `splits` accepts in a list; maybe none."""
        return [pair.numbered(pair.image).relative_to(self.root).as_posix() for pair in self._divided[split]]

    def has_split(self, split: Split) -> bool:
        """Whether the split is not empty."""
        return bool(self._divided[split])

    def groups(self, split: Split) -> dict[str, str]:
        """Returns the group of each image's name: what `group` finds in it, else its file, with all its slices."""
        group_of = grouping(self.settings)
        return {pair.name: group_of(pair) for pair in self._divided[split]}

    def find(self) -> Pairing:
        """Finds the pairs of all splits."""
        return find_pairs(self.root, self.settings)

    def searched(self, split: Split) -> str:
        """Says where the images of a split were searched, for error messages."""
        divided = f", splits is {self.settings.splits}" if self.settings.splits else ""
        if self.settings.pairs is not None:
            return f"looked in {self.settings.pairs}{divided}"
        folders = self.settings.folders(self.root)
        if "all" not in folders and split not in folders:
            return f"images is {self.settings.images}"
        images, _ = folders.get(split) or folders["all"]
        return f"looked in {images}{divided}{'' if images.is_dir() else nearest_entry(images)}"

    @cached_property
    def _divided(self) -> dict[Split, list[Pair]]:
        refuse_missing(self.archives, self.root)
        pairing = self.find()
        pairing.check()
        pairs = with_fill(pairing.pairs, self.labels)
        if fills := {pair.fill for pair in pairs if pair.parts is not None}:
            fill = "void" if fills == {IGNORE_INDEX} else self.labels.class_names[fills.pop()]
            rank_zero_info(printable(f"masks in several files: pixels in none of them are {fill}"))
        return split_pairs(pairs, self.settings)
