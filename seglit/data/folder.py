"""A folder of images and masks, in whichever of the usual layouts."""

import difflib
import random
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seglit.data.augment import Augment, Pipeline
from seglit.data.base import SegmentationDataModule, SegmentationDataset
from seglit.data.cache import Cache, Source
from seglit.errors import InputError, did_you_mean
from seglit.images.listing import nearest_entry, pictures_below, read_list
from seglit.images.pairs import SPLITS, Pair, Split, read_csv, refuse_overlap
from seglit.images.picture import read_pair
from seglit.labels import Labels


class FolderDataset(SegmentationDataset):
    """Pairs of image and mask files.

    Args:
        pairs: The files, in order.
        labels: Which stored value is which class.
        in_channels: See `seglit.images.picture.read_image`.
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


class FolderDataModule(SegmentationDataModule):
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
        in_channels: Channels of every image. 3 reads 8-bit images as RGB and 1 as grey; others must have as many bands.
        batch_size: See `SegmentationDataModule`.
        crop_size: See `SegmentationDataModule`.
        augment: See `SegmentationDataModule`.
        num_workers: See `SegmentationDataModule`.
        seed: See `SegmentationDataModule`.
        mean: See `SegmentationDataModule`.
        std: See `SegmentationDataModule`.
        cache: See `SegmentationDataModule`.

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
        in_channels: int = 3,
        batch_size: int = 8,
        crop_size: tuple[int, int] | None = None,
        augment: Augment | None = None,
        num_workers: int | None = None,
        seed: int = 0,
        mean: list[float] | None = None,
        std: list[float] | None = None,
        cache: Cache | None = None,
    ) -> None:
        labels = Labels.create(class_names, mask_values, mask_colors, ignore_values or [], palette, mask_tolerance)
        super().__init__(labels, in_channels, batch_size, crop_size, augment, num_workers, seed, mean, std, cache)
        self.root = Path(root)
        self.images = images
        self.masks = masks
        self.image_name = image_name
        self.mask_name = mask_name
        self.splits = splits
        self.split_seed = split_seed
        self.pairs = pairs
        self.exclude = {self.root / path for path in exclude or ()}
        if not self.root.is_dir():
            raise InputError(f"data root {root}: no such folder{nearest_entry(self.root)}")
        if isinstance(images, str) != isinstance(masks, str):
            raise InputError("images and masks must both be patterns, or both name the folder of each split")
        in_split_folders = pairs is None and (isinstance(images, dict) or "{split}" in images)
        if in_split_folders and any(isinstance(file, str) for file in (splits or {}).values()):
            raise InputError(
                f"splits names list files, but images is {images!r}, a folder for each split; for flat folders say "
                "`images: images` and `masks: masks`"
            )

    def dataset(self, split: Split, pipeline: Pipeline | None = None) -> FolderDataset:
        """Makes the data set of a split."""
        return FolderDataset(self.pairs_of(split), self.labels, self.in_channels, pipeline, self.seed)

    def pairs_of(self, split: Split) -> list[Pair]:
        """The pairs of a split.

        Raises:
            InputError: The split has none, or a file is missing.
        """
        if not self.has_split(split):
            raise InputError(f"{self.root}: no images for the split {split!r} ({self._where(split)})")
        return self._every[split]

    def has_split(self, split: Split) -> bool:
        """Whether the split has any pair."""
        return bool(self._every[split])

    @cached_property
    def _every(self) -> dict[Split, list[Pair]]:
        return self._find()

    def _where(self, split: Split) -> str:
        divided = f", splits is {self.splits}" if self.splits else ""
        if self.pairs is not None:
            return f"looked in {self.pairs}{divided}"
        folders = self._folders(split)
        if folders is None:
            return f"images is {self.images}"
        return f"looked in {folders[0]}{divided}{'' if folders[0].is_dir() else nearest_entry(folders[0])}"

    def _folders(self, split: Split) -> tuple[Path, Path] | None:
        """The folders of a split's images and masks; None where each split is named and this one is not."""
        if isinstance(self.images, str) and isinstance(self.masks, str):
            return self.root / self.images.replace("{split}", split), self.root / self.masks.replace("{split}", split)
        if isinstance(self.images, dict) and isinstance(self.masks, dict) and split in self.images.keys() & self.masks:
            return self.root / self.images[split], self.root / self.masks[split]
        return None

    def _find(self) -> dict[Split, list[Pair]]:
        """Finds every pair of every split."""
        if self.pairs is not None:
            every, by_column = read_csv(self.root, self.pairs, self.exclude)
            if by_column is not None and self.splits:
                raise InputError(f"splits is set, but {self.pairs} has a column split: keep one")
            return by_column or self._divide(every)
        flat = isinstance(self.images, str) and "{split}" not in self.images
        wanted = SPLITS[:1] if flat else SPLITS  # flat folders are the same for every split
        found = {split: self._match(*folders) for split in wanted if (folders := self._folders(split))}
        return self._divide(found["train"]) if flat else self._fill({split: found.get(split, []) for split in SPLITS})

    def _match(self, images: Path, masks: Path) -> list[Pair]:
        """Finds the mask of every image below a folder; a missing folder has no images.

        Masks may stand beside the images: what is the mask of another picture is no image. Where list files name the
        images, the others need no mask.
        """
        listed = {name for names in self._lists.values() for name in names}
        stored = {path.relative_to(masks).as_posix(): path for path in pictures_below(masks)}
        by_stem = {path.rsplit(".", 1)[0]: found for path, found in stored.items()}
        wanted = {
            image: name
            for image in pictures_below(images)
            if image not in self.exclude and (name := self._mask_of(image.relative_to(images)))
        }
        matched = {
            image: by_stem.get(name[:-2]) if name.endswith(".*") else stored.get(name) for image, name in wanted.items()
        }
        taken = set(matched.values())
        pairs: list[Pair] = []
        for image, mask in matched.items():
            name = image.relative_to(images).with_suffix("").as_posix()
            if image in taken or (mask is None and listed and name not in listed):
                continue
            if mask is None:
                near = difflib.get_close_matches(wanted[image], stored, 1, cutoff=0.3)
                hint = f"; the nearest there is {near[0]}, set mask_name to fit" if near else ""
                raise InputError(f"{image}: its mask {wanted[image]} is not in {masks}{hint}")
            pairs.append(Pair(image, mask, name))
        return pairs

    def _mask_of(self, image: Path) -> str | None:
        """The mask's path, both relative to their folders; None where the picture is not named like an image."""
        before, _, after = self.image_name.partition("{stem}")
        if after.endswith(".*"):
            after = after.removesuffix(".*") + image.suffix
        if not (image.name.startswith(before) and image.name.endswith(after)):
            return None
        stem = image.name[len(before) : len(image.name) - len(after)]
        return (image.parent / self.mask_name.replace("{stem}", stem)).as_posix()

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
        return self._by_list(every) if files else self._by_share(every, shares)

    def _fill(self, found: dict[Split, list[Pair]]) -> dict[Split, list[Pair]]:
        """Draws from train what has no folder of its own, as `splits` says."""
        shares = {split: value for split, value in (self.splits or {}).items() if not isinstance(value, str)}
        if set(shares) - {split for split in SPLITS if not found[split]}:
            raise InputError(
                f"splits is {self.splits}, but images is {self.images!r}, a folder for each split: only val or test "
                "takes a share of train, where it has no images"
            )
        drawn = self._by_share(found["train"], shares) if shares else {}
        return found | {split: pairs for split, pairs in drawn.items() if split == "train" or split in shares}

    @cached_property
    def _lists(self) -> dict[Split, list[str]]:
        """The names in the list file of each split that has one."""
        base = str(self.images) if self.pairs is None else ""
        named: dict[Split, list[str]] = {}
        for split in SPLITS:
            file = (self.splits or {}).get(split)
            if isinstance(file, str):
                path = self.root / file
                if not path.is_file():
                    raise InputError(f"splits: {split}: {path} is no file{nearest_entry(path)}")
                named[split] = read_list(path, base)
        return named

    def _by_list(self, every: list[Pair]) -> dict[Split, list[Pair]]:
        by_name = {pair.name: pair for pair in every}
        base = self.root if self.pairs is not None else self.root / str(self.images)
        left_out = {path.with_suffix("") for path in self.exclude}
        found: dict[Split, list[Pair]] = {"train": [], "val": [], "test": []}
        for split, listed in self._lists.items():
            names = [name for name in listed if base / name not in left_out]
            if lost := [name for name in names if name not in by_name]:
                hint = did_you_mean(lost[0], by_name)
                raise InputError(
                    f"{self.root / str((self.splits or {})[split])}: {len(lost)} of its names have no image, first "
                    f"{lost[0]!r}{hint}"
                )
            found[split] = [by_name[name] for name in names]
        refuse_overlap(found)
        return found

    def _by_share(self, every: list[Pair], shares: Mapping[str, float]) -> dict[Split, list[Pair]]:
        if "train" in shares or min(shares.values()) < 0 or sum(shares.values()) >= 1:
            raise InputError(f"splits is {self.splits}; val and test take shares below 1 together, train is the rest")
        drawn = sorted(every, key=lambda pair: pair.name)
        random.Random(self.split_seed).shuffle(drawn)
        least = len(drawn) > len(shares)  # of a few images, too, a share is one
        given = shares.get("val", 0), shares.get("test", 0)
        val, test = (max(share > 0 and least, round(share * len(drawn))) for share in given)
        return {"val": drawn[:val], "test": drawn[val : val + test], "train": drawn[val + test :]}
