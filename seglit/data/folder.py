"""A folder of images and masks, in whichever of the usual layouts."""

import csv
import difflib
import random
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from seglit.data.augment import Augment, Pipeline
from seglit.data.base import SegmentationDataModule, SegmentationDataset, Split
from seglit.data.images import SUFFIXES, read_pair
from seglit.errors import InputError
from seglit.labels import Labels

SPLITS: tuple[Split, ...] = ("train", "val", "test")


class Pair(NamedTuple):
    """An image file, its mask file, and the name the two go by."""

    image: Path
    mask: Path
    name: str


class FolderDataset(SegmentationDataset):
    """Pairs of image and mask files.

    Args:
        pairs: The files, in order.
        labels: Which stored value is which class.
        in_channels: 3 reads images as RGB, 1 as grey.
        pipeline: See `SegmentationDataset`.
        seed: See `SegmentationDataset`.
    """

    def __init__(
        self, pairs: list[Pair], labels: Labels, in_channels: int = 3, pipeline: Pipeline | None = None, seed: int = 0
    ) -> None:
        super().__init__(pipeline, seed)
        self.pairs = pairs
        self.labels = labels
        self.in_channels = in_channels

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.pairs)

    def read(self, index: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], str]:
        """Reads a pair; see `SegmentationDataset.read` and `seglit.data.images.read_pair`."""
        pair = self.pairs[index]
        image, mask = read_pair(pair.image, pair.mask, self.labels, self.in_channels)
        return image, mask, pair.name


class FolderDataModule(SegmentationDataModule):
    """Images and masks in a folder: PNG, JPEG, TIFF, WebP or BMP.

    Three layouts:

    - split folders: `images: images/{split}`, `masks: masks/{split}`, for the splits train, val and test;
    - flat folders: `images: images`, `masks: masks`, and `splits`, either list files (one name a line) or shares;
    - a CSV of pairs: `pairs: pairs.csv` with columns `image`, `mask` (relative to root) and, unless `splits` gives
      shares, `split`.

    Args:
        root: The folder that everything below is relative to.
        class_names: One name a class, in the order of the class indices.
        images: Folder of the images; sub-folders are read too. `{split}` stands for train, val or test.
        masks: Folder of the masks, in the same sub-folders.
        mask_name: Name of an image's mask; `{stem}` is the image's name without suffix, `.*` any suffix.
        splits: For flat folders: split to list file (`train: train.txt`), or split to share (`val: 0.1`, `test:
            0.2`; the rest is train), drawn by `split_seed` from the names alone.
        split_seed: Draws the shares; apart from `seed`, so that another run seed keeps the split.
        pairs: A CSV of pairs, in place of `images` and `masks`.
        mask_values: Class name to the stored integer or integers; by default the stored value is the class index.
        mask_colors: Class name to the stored RGB colour or colours.
        ignore_values: Stored values (or colours) that are void.
        palette: RGB colours that pictures draw the classes in.
        in_channels: 3 reads images as RGB, 1 as grey.
        batch_size: See `SegmentationDataModule`.
        crop_size: See `SegmentationDataModule`.
        augment: See `SegmentationDataModule`.
        num_workers: See `SegmentationDataModule`.
        seed: See `SegmentationDataModule`.

    Raises:
        InputError: A setting contradicts another, or a folder, list, CSV or mask is missing.
    """

    def __init__(
        self,
        root: str,
        class_names: list[str],
        images: str = "images/{split}",
        masks: str = "masks/{split}",
        mask_name: str = "{stem}.*",
        splits: dict[str, str | float] | None = None,
        split_seed: int = 0,
        pairs: str | None = None,
        mask_values: dict[str, int | list[int]] | None = None,
        mask_colors: dict[str, list[int] | list[list[int]]] | None = None,
        ignore_values: list[int | list[int]] | None = None,
        palette: list[list[int]] | None = None,
        in_channels: int = 3,
        batch_size: int = 8,
        crop_size: tuple[int, int] | None = None,
        augment: Augment | None = None,
        num_workers: int | None = None,
        seed: int = 0,
    ) -> None:
        labels = Labels.create(class_names, mask_values, mask_colors, ignore_values or [], palette)
        super().__init__(labels, in_channels, batch_size, crop_size, augment, num_workers, seed)
        self.root = Path(root)
        self.images = images
        self.masks = masks
        self.mask_name = mask_name
        self.splits = splits
        self.split_seed = split_seed
        self.pairs = pairs
        if in_channels not in (1, 3):
            raise InputError(f"in_channels is {in_channels}; image files are read as RGB (3) or grey (1)")
        if not self.root.is_dir():
            raise InputError(f"data root {root}: no such folder{_nearest_entry(self.root)}")
        self._files: dict[Split, list[Pair]] | None = None

    def dataset(self, split: Split, pipeline: Pipeline | None = None) -> FolderDataset:
        """Makes the data set of a split; a split that is not there is empty."""
        if self._files is None:
            self._files = self._find()
        if not self._files[split]:
            raise InputError(f"{self.root}: no images for the split {split!r} ({self._where(split)})")
        return FolderDataset(self._files[split], self.labels, self.in_channels, pipeline, self.seed)

    def has_split(self, split: Split) -> bool:
        """Whether the split has any pair."""
        if self._files is None:
            self._files = self._find()
        return bool(self._files[split])

    def _where(self, split: Split) -> str:
        return f"column split of {self.pairs}" if self.pairs else f"looked in {self.images.format(split=split)}"

    def _find(self) -> dict[Split, list[Pair]]:
        """Finds every pair of every split."""
        if self.pairs is not None:
            every, named = _read_csv(self.root, self.pairs)
            return self._by_share(every, self.splits) if named is None else named
        if "{split}" in self.images:
            return {
                split: self._match(
                    self.root / self.images.format(split=split), self.root / self.masks.format(split=split)
                )
                for split in SPLITS
            }
        every = self._match(self.root / self.images, self.root / self.masks)
        return self._by_list(every) if _are_lists(self.splits) else self._by_share(every, self.splits)

    def _match(self, images: Path, masks: Path) -> list[Pair]:
        """Finds the mask of every image below a folder; a missing folder has no images."""
        stored = {path.relative_to(masks).as_posix(): path for path in _pictures(masks)}
        by_stem = {path.rsplit(".", 1)[0]: found for path, found in stored.items()}
        pairs: list[Pair] = []
        for image in _pictures(images):
            name = image.relative_to(images).with_suffix("").as_posix()
            folder, _, stem = name.rpartition("/")
            wanted = f"{folder}/" * bool(folder) + self.mask_name.format(stem=stem)
            mask = by_stem.get(wanted[:-2]) if wanted.endswith(".*") else stored.get(wanted)
            if mask is None:
                near = difflib.get_close_matches(wanted, stored, 1, cutoff=0.3)
                hint = f"; the nearest there is {near[0]}, set mask_name to fit" if near else ""
                raise InputError(f"{image}: its mask {wanted} is not in {masks}{hint}")
            pairs.append(Pair(image, mask, name))
        return pairs

    def _by_list(self, every: list[Pair]) -> dict[Split, list[Pair]]:
        by_name = {pair.name: pair for pair in every}
        found: dict[Split, list[Pair]] = {"train": [], "val": [], "test": []}
        for split in SPLITS:
            file = (self.splits or {}).get(split)
            if file is None:
                continue
            path = self.root / str(file)
            if not path.is_file():
                raise InputError(f"splits: {split}: {path} is no file{_nearest_entry(path)}")
            names = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
            stems = [name.rsplit(".", 1)[0] if name.lower().endswith(SUFFIXES) else name for name in names]
            if lost := [stem for stem in stems if stem not in by_name]:
                raise InputError(
                    f"{path}: {len(lost)} names have no image in {self.root / self.images}, first {lost[0]!r}"
                )
            found[split] = [by_name[stem] for stem in stems]
        _refuse_overlap(found)
        return found

    def _by_share(self, every: list[Pair], splits: Mapping[str, str | float] | None) -> dict[Split, list[Pair]]:
        if not splits:
            raise InputError(
                "splits is not set; flat folders need list files (`splits: {train: train.txt, val: val.txt}`) or "
                "shares (`splits: {val: 0.1, test: 0.2}`)"
            )
        shares = {split: float(splits.get(split, 0)) for split in ("val", "test")}
        if set(splits) - set(SPLITS) or min(shares.values()) < 0 or sum(shares.values()) >= 1:
            raise InputError(f"splits is {dict(splits)}; val and test take shares that leave something for train")
        drawn = sorted(every, key=lambda pair: pair.name)
        random.Random(self.split_seed).shuffle(drawn)
        val, test = (round(share * len(drawn)) for share in shares.values())
        return {"val": drawn[:val], "test": drawn[val : val + test], "train": drawn[val + test :]}


def _are_lists(splits: Mapping[str, str | float] | None) -> bool:
    return bool(splits) and all(isinstance(value, str) for value in (splits or {}).values())


def _pictures(folder: Path) -> list[Path]:
    """Every picture file below a folder, sorted by path."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())


def _nearest_entry(path: Path) -> str:
    """'; did you mean X?' where the parent holds a similar name."""
    entries = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, entries, 1)
    return f"; did you mean {path.parent / near[0]}?" if near else ""


def _read_csv(root: Path, file: str) -> tuple[list[Pair], dict[Split, list[Pair]] | None]:
    """All pairs of a CSV, and the same by split where it has that column."""
    path = root / file
    if not path.is_file():
        raise InputError(f"pairs: {path} is no file{_nearest_entry(path)}")
    with path.open(newline="", encoding="utf-8-sig") as lines:
        reader = csv.DictReader(lines)
        columns = reader.fieldnames or []
        if missing := {"image", "mask"} - set(columns):
            raise InputError(f"{path}: no column {min(missing)!r}; its columns are {', '.join(columns)}")
        rows = list(reader)
    every = [Pair(root / row["image"], root / row["mask"], str(Path(row["image"]).with_suffix(""))) for row in rows]
    if "split" not in columns:
        return every, None
    found: dict[Split, list[Pair]] = {"train": [], "val": [], "test": []}
    for number, (row, pair) in enumerate(zip(rows, every, strict=True), 2):
        for split in SPLITS:
            if row["split"] == split:
                found[split].append(pair)
        if row["split"] not in SPLITS:
            raise InputError(f"{path}, line {number}: split is {row['split']!r}; it takes train, val or test")
    _refuse_overlap(found)
    return every, found


def _refuse_overlap(found: Mapping[Split, Iterable[Pair]]) -> None:
    """A pair in two splits would be trained on and scored."""
    counts = Counter(pair.name for pairs in found.values() for pair in set(pairs))
    if double := [name for name, count in counts.items() if count > 1]:
        raise InputError(f"{len(double)} images stand in more than one split, first {double[0]!r}; keep each in one")
