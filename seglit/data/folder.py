"""A folder of images and masks, in whichever of the usual layouts."""

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seglit.data.archives import Archive, fetch_missing, refuse_missing
from seglit.data.base import SegmentationDataModule
from seglit.data.dataset import SegmentationDataset, Source
from seglit.errors import InputError
from seglit.images.listing import nearest_entry
from seglit.images.matching import find_pairs
from seglit.images.pairs import Pair, Pairing, PairSettings, Split, divide
from seglit.images.picture import read_pair
from seglit.labels import Labels


class FolderDataset(SegmentationDataset):
    """Pairs of image and mask files.

    Args:
        pairs: The files, in order.
        labels: Which stored value is which class.
        in_channels: See `seglit.images.picture.read_image`.
    """

    def __init__(self, pairs: list[Pair], labels: Labels, in_channels: int = 3) -> None:
        self.pairs = pairs
        self.labels = labels
        self.in_channels = in_channels

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.pairs)

    def read(self, index: int) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8], str]:
        """Reads a pair; see `SegmentationDataset.read` and `seglit.images.picture.read_pair`."""
        pair = self.pairs[index]
        image, mask = read_pair(pair.image, pair.mask, self.labels, self.in_channels)
        return image, mask, pair.name

    def source(self, index: int) -> Source:
        """The pair's files, and what decides how they are read; see `SegmentationDataset.source`."""
        pair = self.pairs[index]
        options = self.in_channels, self.labels.values, self.labels.tolerance
        return Source(pair.name, (pair.image, pair.mask), options)


class PairsDataModule(SegmentationDataModule):
    """Images and masks (or annotations) in files below a root; a subclass says how a pair is read.

    Args:
        root: The folder that all paths are relative to.
        labels: Class names, colours and stored values.
        settings: How images, masks and splits are found.
        archives: What the root must hold, and where it is to be had; None expects nothing.
        download: Whether what is missing of `archives` is downloaded before training.
        loader: Batches and augmentation, see `SegmentationDataModule`.

    Raises:
        InputError: There is no such folder, or something of `archives` is missing and not to be downloaded.
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
        self.settings = settings
        self.archives = archives or []
        self.download = download
        if not download:
            refuse_missing(self.archives, self.root)
            if not self.root.is_dir():
                raise InputError(f"data root {root}: no such folder{nearest_entry(self.root)}")

    def prepare_data(self) -> None:
        """Downloads what is missing, if it is to be; the trainer calls this on one process of each machine."""
        if self.download:
            fetch_missing(self.archives, self.root)

    def pairs_of(self, split: Split) -> list[Pair]:
        """The pairs of a split.

        Raises:
            InputError: The split has none, or a file is missing.
        """
        if not self.has_split(split):
            raise InputError(f"{self.root}: no images for the split {split!r} ({self.looked_in(split)})")
        return self._divided[split]

    def has_split(self, split: Split) -> bool:
        """Whether the split has any pair."""
        return bool(self._divided[split])

    def find(self) -> Pairing:
        """Finds every pair of every split."""
        return find_pairs(self.root, self.settings)

    def looked_in(self, split: Split) -> str:
        """Where the images of a split are looked for, for messages."""
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
        found = self.find()
        found.refuse_problems()
        return divide(found.pairs, self.settings)


class FolderDataModule(PairsDataModule):
    """Images and masks in a folder: PNG, JPEG, TIFF, WebP, BMP or .npy.

    Three layouts:

    - split folders: `images: images/{split}`, `masks: masks/{split}`, for the splits train, val and test;
    - flat folders: `images: images`, `masks: masks`, and `splits`, either list files (one name a line) or shares;
    - a CSV of pairs: `pairs: pairs.csv` with columns `image`, `mask` (relative to root) and, unless `splits` is
      set, `split`.

    Args:
        root: The folder that everything below is relative to.
        class_names: One name a class, in the order of the class indices.
        images: Folder of the images; sub-folders are read too. `{split}` stands for train, val or test; where the
            folders are spelt otherwise, the folder of each split (`{train: training, val: validation}`).
        masks: Folder of the masks, in the same sub-folders.
        image_name: Name of an image; `{stem}` stands for the part that its mask's name shares, `.*` for any suffix.
            Pictures of other names are passed over.
        mask_name: Name of an image's mask, likewise.
        splits: For flat folders and CSVs: split to list file (`train: train.txt`), or split to share (`val: 0.1`,
            `test: 0.2`; the rest is train), drawn by `split_seed` from the names alone. Beside split folders, a share
            is drawn from train for a split that has no folder.
        split_seed: Draws the shares; apart from `seed`, so that another run seed keeps the split.
        pairs: A CSV of pairs, in place of `images` and `masks`.
        exclude: Images to leave out, relative to root; what `seglit inspect` finds unusable.
        mask_values: Class name to the stored integer or integers; by default the stored value is the class index.
        mask_colors: Class name to the stored RGB colour or colours.
        ignore_values: Stored values (or colours) that are void.
        mask_tolerance: How far a stored value may be from a listed one and still mean it, for masks blurred by JPEG or
            anti-aliasing; what is farther from all is then void. 0 accepts listed values alone.
        palette: RGB colours that pictures draw the classes in.
        loader: Batches and augmentation, see `SegmentationDataModule`.

    Raises:
        InputError: A setting contradicts another, or a folder, list, CSV or mask is missing.
    """

    def __init__(
        self,
        root: str,
        class_names: list[str],
        images: str | dict[str, str] = "images/{split}",
        masks: str | dict[str, str] = "masks/{split}",
        image_name: str = "{stem}.*",
        mask_name: str = "{stem}.*",
        splits: dict[str, float | str] | None = None,
        split_seed: int = 0,
        pairs: str | None = None,
        exclude: list[str] | None = None,
        mask_values: dict[str, int | list[int]] | None = None,
        mask_colors: dict[str, list[int] | list[list[int]]] | None = None,
        ignore_values: list[int | list[int]] | None = None,
        mask_tolerance: int = 0,
        palette: list[list[int]] | None = None,
        **loader: Any,
    ) -> None:
        labels = Labels.create(class_names, mask_values, mask_colors, ignore_values or [], palette, mask_tolerance)
        settings = PairSettings(images, masks, image_name, mask_name, splits, split_seed, pairs, exclude or ())
        super().__init__(root, labels, settings, **loader)

    def dataset(self, split: Split) -> FolderDataset:
        """Makes the data set of a split."""
        return FolderDataset(self.pairs_of(split), self.labels, self.in_channels)
