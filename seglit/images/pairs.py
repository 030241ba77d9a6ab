"""Pairs of images and masks: the settings that find them, the result of a search, and splitting."""

import random
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from seglit.errors import InputError, did_you_mean
from seglit.images.listing import SUFFIXES, files_below

Split = Literal["train", "val", "test"]
AnySplit = Split | Literal["all"]
"""A split, or "all" before pairs are split."""
SPLITS: tuple[Split, ...] = ("train", "val", "test")


class Pair(NamedTuple):
    """An image file and its mask file.

    Args:
        image: The image.
        mask: The mask, or the annotation file that it is drawn from.
        name: The image's path below its folder, without suffix.
        split: The split that the folder, list file or table row determines; "all" if none does.
    """

    image: Path
    mask: Path
    name: str
    split: AnySplit = "all"


@dataclass(frozen=True)
class PairSettings:
    """How images, masks and splits are found below a root; `seglit.data.FolderDataModule` documents each setting.

    Raises:
        InputError: A setting contradicts another.
    """

    images: str | Mapping[str, str] = "images/{split}"
    masks: str | Mapping[str, str] = "masks/{split}"
    image_name: str = "{stem}.*"
    mask_name: str = "{stem}.*"
    splits: Mapping[str, float | str] | None = None
    split_seed: int = 0
    pairs: str | None = None
    exclude: Collection[str] = ()
    mask_suffixes: tuple[str, ...] = SUFFIXES

    def __post_init__(self) -> None:
        """Checks what does not depend on the disk."""
        if isinstance(self.images, str) != isinstance(self.masks, str):
            raise InputError("images and masks must both be patterns, or both name the folder of each split")
        if self.in_split_folders and self.lists:
            raise InputError(
                f"splits names list files, but images is {self.images!r}, a folder for each split; for flat folders "
                "set `images: images` and `masks: masks`"
            )
        if set(self.splits or {}) - set(SPLITS) or (self.lists and self.shares and "train" not in self.lists):
            raise InputError(f"splits is {self.splits}; expected list files (train, val, test) or shares (val, test)")
        if self.shares and ("train" in self.shares or min(self.shares.values()) < 0 or sum(self.shares.values()) >= 1):
            raise InputError(f"splits is {self.splits}; val and test are shares >= 0 with a sum < 1, train is the rest")

    @property
    def in_split_folders(self) -> bool:
        """Whether each split has its own folders."""
        return self.pairs is None and (not isinstance(self.images, str) or "{split}" in self.images)

    @property
    def lists(self) -> dict[Split, str]:
        """The list file of each split that has one."""
        return {split: file for split in SPLITS if isinstance(file := (self.splits or {}).get(split), str)}

    @property
    def shares(self) -> dict[str, float]:
        """The share of each split that is drawn at random."""
        return {split: share for split, share in (self.splits or {}).items() if not isinstance(share, str)}

    def folders(self, root: Path) -> dict[AnySplit, tuple[Path, Path]]:
        """The image and mask folder of each split in the settings; flat folders are those of "all"."""
        if not self.in_split_folders:
            return {"all": (root / str(self.images), root / str(self.masks))}
        images, masks = _by_split(self.images), _by_split(self.masks)
        splits = [split for split in SPLITS if split in images.keys() & masks]
        return {split: (root / images[split], root / masks[split]) for split in splits}


class Missing(NamedTuple):
    """Files that a list file or a table row names, but that do not exist.

    Args:
        images: The images.
        message: The error message.
        hint: Returns the end of the message; a function, because finding the nearest name is slow.
    """

    images: list[Path]
    message: str
    hint: Callable[[], str] = str


@dataclass
class Pairing:
    """The result of `find_pairs`.

    Args:
        pairs: All images with masks, in order; an image that is listed in two splits occurs twice.
        images_without_mask: Images without a mask, each with the expected mask name and the folder searched.
        masks_without_image: Masks without an image.
        missing: Files that lists and tables name, but that do not exist.
    """

    pairs: list[Pair] = field(default_factory=list)
    images_without_mask: dict[Path, tuple[str, Path]] = field(default_factory=dict)
    masks_without_image: list[Path] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)

    @property
    def in_several_splits(self) -> list[Path]:
        """Images in more than one split, which would be both trained on and scored."""
        splits: dict[Path, set[str]] = defaultdict(set)
        for pair in self.pairs:
            splits[pair.image].add(pair.split)
        return [image for image, names in splits.items() if len(names) > 1]

    def check(self) -> None:
        """Checks that the pairs can be trained on.

        Raises:
            InputError: A listed file or a mask is missing, or an image is in more than one split.
        """
        for missing in self.missing:
            raise InputError(missing.message + missing.hint())
        for image, (mask, folder) in self.images_without_mask.items():
            names = [path.relative_to(folder).as_posix() for path in files_below(folder)]
            hint = did_you_mean(mask, names)
            fit = "; set mask_name to fit" if hint and mask.endswith(".*") else ""  # not if it is set already
            raise InputError(f"{image}: its mask {mask} is not in {folder}{hint}{fit}")
        if images := self.in_several_splits:
            raise InputError(f"{len(images)} images are in more than one split, first {images[0]}; keep each in one")


def split_pairs(pairs: Iterable[Pair], settings: PairSettings) -> dict[Split, list[Pair]]:
    """Returns the pairs of each split; shares are drawn at random from the sorted names.

    Raises:
        InputError: The settings do not determine the split, or ask for a share of a split that has its own folder.
    """
    by_split: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        by_split[pair.split].append(pair)
    if occupied := [split for split in settings.shares if by_split[split]]:
        raise InputError(
            f"splits is {settings.splits}, but images is {settings.images!r}, a folder for each split, and "
            f"{occupied[0]} has images: only a split without images can be a share of train"
        )
    if settings.shares:
        by_split |= _draw(by_split["all"] or by_split["train"], settings.shares, settings.split_seed)
    elif by_split["all"]:
        raise InputError(
            "splits is not set; flat folders need list files (`splits: {train: train.txt, val: val.txt}`) or shares "
            "(`splits: {val: 0.1, test: 0.2}`)"
        )
    return {split: by_split[split] for split in SPLITS}


def _draw(pairs: Iterable[Pair], shares: Mapping[str, float], seed: int) -> dict[str, list[Pair]]:
    remaining = sorted(pairs, key=lambda pair: pair.name)
    random.Random(seed).shuffle(remaining)
    minimum = len(remaining) > len(shares)  # with few images, too, a share has at least one
    counts = {split: max(share > 0 and minimum, round(share * len(remaining))) for split, share in shares.items()}
    drawn: dict[str, list[Pair]] = {}
    for split in SPLITS[1:]:
        if split in counts:
            drawn[split], remaining = remaining[: counts[split]], remaining[counts[split] :]
    return {**drawn, "train": remaining}


def _by_split(folders: str | Mapping[str, str]) -> Mapping[str, str]:
    return {split: folders.replace("{split}", split) for split in SPLITS} if isinstance(folders, str) else folders
