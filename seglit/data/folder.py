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
    - a CSV of pairs: `pairs: pairs.csv` with columns `image`, `mask` (relative to root) and, unless `splits` is
      set, `split`.

    Args:
        root: The folder that everything below is relative to.
        class_names: One name a class, in the order of the class indices.
        images: Folder of the images; sub-folders are read too. `{split}` stands for train, val or test.
        masks: Folder of the masks, in the same sub-folders.
        mask_name: Name of an image's mask; `{stem}` is the image's name without suffix, `.*` any suffix.
        splits: For flat folders and CSVs: split to list file (`train: train.txt`), or split to share (`val: 0.1`,
            `test: 0.2`; the rest is train), drawn by `split_seed` from the names alone.
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
        splits: dict[str, float | str] | None = None,
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
        if splits and pairs is None and "{split}" in images:
            raise InputError(
                f"splits is set, but images is {images!r}, a folder for each split; for flat folders say "
                "`images: images` and `masks: masks`"
            )
        self._files: dict[Split, list[Pair]] | None = None

    def dataset(self, split: Split, pipeline: Pipeline | None = None) -> FolderDataset:
        """Makes the data set of a split."""
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
        divided = f", splits is {self.splits}" if self.splits else ""
        if self.pairs is not None:
            return f"looked in {self.pairs}{divided}"
        folder = self.root / self.images.replace("{split}", split)
        return f"looked in {folder}{divided}{'' if folder.is_dir() else _nearest_entry(folder)}"

    def _find(self) -> dict[Split, list[Pair]]:
        """Finds every pair of every split."""
        if self.pairs is not None:
            every, by_column = _read_csv(self.root, self.pairs)
            if by_column is not None and self.splits:
                raise InputError(f"splits is set, but {self.pairs} has a column split: keep one")
            return by_column or self._divide(every)
        if "{split}" in self.images:
            return {
                split: self._match(
                    self.root / self.images.replace("{split}", split), self.root / self.masks.replace("{split}", split)
                )
                for split in SPLITS
            }
        return self._divide(self._match(self.root / self.images, self.root / self.masks))

    def _match(self, images: Path, masks: Path) -> list[Pair]:
        """Finds the mask of every image below a folder; a missing folder has no images.

        Masks may stand beside the images: what is the mask of another picture is no image.
        """
        stored = {path.relative_to(masks).as_posix(): path for path in _pictures(masks)}
        by_stem = {path.rsplit(".", 1)[0]: found for path, found in stored.items()}
        wanted = {image: self._mask_of(image.relative_to(images)) for image in _pictures(images)}
        matched = {
            image: by_stem.get(name[:-2]) if name.endswith(".*") else stored.get(name) for image, name in wanted.items()
        }
        taken = set(matched.values())
        pairs: list[Pair] = []
        for image, mask in matched.items():
            if image in taken:
                continue
            if mask is None:
                near = difflib.get_close_matches(wanted[image], stored, 1, cutoff=0.3)
                hint = f"; the nearest there is {near[0]}, set mask_name to fit" if near else ""
                raise InputError(f"{image}: its mask {wanted[image]} is not in {masks}{hint}")
            pairs.append(Pair(image, mask, image.relative_to(images).with_suffix("").as_posix()))
        return pairs

    def _mask_of(self, image: Path) -> str:
        return (image.parent / self.mask_name.replace("{stem}", image.stem)).as_posix()

    def _divide(self, every: list[Pair]) -> dict[Split, list[Pair]]:
        """Divides the pairs of a flat folder or a CSV as `splits` says."""
        if not self.splits:
            raise InputError(
                "splits is not set; flat folders need list files (`splits: {train: train.txt, val: val.txt}`) or "
                "shares (`splits: {val: 0.1, test: 0.2}`)"
            )
        files = {split: value for split, value in self.splits.items() if isinstance(value, str)}
        shares = {split: value for split, value in self.splits.items() if not isinstance(value, str)}
        if set(self.splits) - set(SPLITS) or (files and shares):
            raise InputError(f"splits is {self.splits}; train, val and test take list files, or val and test shares")
        return self._by_list(every, files) if files else self._by_share(every, shares)

    def _by_list(self, every: list[Pair], files: Mapping[str, str]) -> dict[Split, list[Pair]]:
        by_name = {pair.name: pair for pair in every}
        found: dict[Split, list[Pair]] = {"train": [], "val": [], "test": []}
        for split in SPLITS:
            if split not in files:
                continue
            path = self.root / files[split]
            if not path.is_file():
                raise InputError(f"splits: {split}: {path} is no file{_nearest_entry(path)}")
            names = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
            stems = [name.rsplit(".", 1)[0] if name.lower().endswith(SUFFIXES) else name for name in names]
            if lost := [stem for stem in stems if stem not in by_name]:
                near = difflib.get_close_matches(lost[0], by_name, 1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise InputError(f"{path}: {len(lost)} of its names have no image, first {lost[0]!r}{hint}")
            found[split] = [by_name[stem] for stem in stems]
        _refuse_overlap(found)
        return found

    def _by_share(self, every: list[Pair], shares: Mapping[str, float]) -> dict[Split, list[Pair]]:
        if "train" in shares or min(shares.values()) < 0 or sum(shares.values()) >= 1:
            raise InputError(f"splits is {self.splits}; val and test take shares below 1 together, train is the rest")
        drawn = sorted(every, key=lambda pair: pair.name)
        random.Random(self.split_seed).shuffle(drawn)
        val, test = (round(shares.get(split, 0) * len(drawn)) for split in ("val", "test"))
        return {"val": drawn[:val], "test": drawn[val : val + test], "train": drawn[val + test :]}


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
        rows = [(f"{path}, line {reader.line_num}", row) for row in reader]
    every = [
        Pair(
            _listed_file(root, row["image"], f"{where}: image"),
            _listed_file(root, row["mask"], f"{where}: mask"),
            Path(row["image"]).with_suffix("").as_posix(),
        )
        for where, row in rows
    ]
    if "split" not in columns:
        return every, None
    found: dict[Split, list[Pair]] = {"train": [], "val": [], "test": []}
    for (where, row), pair in zip(rows, every, strict=True):
        if row["split"] not in found:
            raise InputError(f"{where}: split is {row['split']!r}; it takes train, val or test")
        found[row["split"]].append(pair)
    _refuse_overlap(found)
    return every, found


def _listed_file(root: Path, entry: str | None, where: str) -> Path:
    """A file below `root`: what is written for a picture is named like it, and must not land elsewhere."""
    if not entry:
        raise InputError(f"{where} is empty")
    if Path(entry).is_absolute() or ".." in Path(entry).parts:
        raise InputError(f"{where} {entry} leaves the data root {root}; its paths are relative to that")
    if not (root / entry).is_file():
        raise InputError(f"{where} {root / entry}: no such file{_nearest_entry(root / entry)}")
    return root / entry


def _refuse_overlap(found: Mapping[Split, Iterable[Pair]]) -> None:
    """A pair in two splits would be trained on and scored."""
    counts = Counter(image for pairs in found.values() for image in {pair.image for pair in pairs})
    if double := [image for image, count in counts.items() if count > 1]:
        raise InputError(f"{len(double)} images stand in more than one split, first {double[0]}; keep each in one")
