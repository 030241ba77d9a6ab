"""Pairs of images and masks: the settings that find them, what is found, and how it is split."""

import random
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from seglit.errors import InputError, did_you_mean
from seglit.images.listing import files_below

Split = Literal["train", "val", "test"]
AnySplit = Split | Literal["all"]
"""A split, or "all" where nothing has told which yet."""
SPLITS: tuple[Split, ...] = ("train", "val", "test")


class Pair(NamedTuple):
    """An image file and its mask file.

    Args:
        image: The image.
        mask: The mask, or the annotation file it is drawn from.
        name: The name that the two go by: the image's path below its folder, without suffix.
        split: The split that its folder, list file or table row states; "all" where none does.
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

    def __post_init__(self) -> None:
        """Checks what can be known without looking at the disk."""
        if isinstance(self.images, str) != isinstance(self.masks, str):
            raise InputError("images and masks must both be patterns, or both name the folder of each split")
        if self.in_split_folders and self.lists:
            raise InputError(
                f"splits names list files, but images is {self.images!r}, a folder for each split; for flat folders "
                "say `images: images` and `masks: masks`"
            )
        if set(self.splits or {}) - set(SPLITS) or (self.lists and self.shares and "train" not in self.lists):
            raise InputError(f"splits is {self.splits}; train, val and test take list files, or val and test shares")
        if self.shares and ("train" in self.shares or min(self.shares.values()) < 0 or sum(self.shares.values()) >= 1):
            raise InputError(f"splits is {self.splits}; val and test take shares below 1 together, train is the rest")

    @property
    def in_split_folders(self) -> bool:
        """Whether each split has folders of its own."""
        return self.pairs is None and (not isinstance(self.images, str) or "{split}" in self.images)

    @property
    def lists(self) -> dict[Split, str]:
        """The list file of each split that has one."""
        return {split: file for split in SPLITS if isinstance(file := (self.splits or {}).get(split), str)}

    @property
    def shares(self) -> dict[str, float]:
        """The share of each split that is drawn."""
        return {split: share for split, share in (self.splits or {}).items() if not isinstance(share, str)}

    def folders(self, root: Path) -> dict[AnySplit, tuple[Path, Path]]:
        """The folders of images and masks of each split that the settings name; flat folders are those of "all"."""
        if not self.in_split_folders:
            return {"all": (root / str(self.images), root / str(self.masks))}
        images, masks = _by_split(self.images), _by_split(self.masks)
        known = [split for split in SPLITS if split in images.keys() & masks]
        return {split: (root / images[split], root / masks[split]) for split in known}


class Missing(NamedTuple):
    """What one list file, or one row of a table, names and is not there.

    Args:
        images: The images.
        error: Makes the line that says so; it looks for the nearest name, which takes a while.
    """

    images: list[Path]
    error: Callable[[], str]


@dataclass
class Pairing:
    """What `find_pairs` found.

    Args:
        pairs: Every image with its mask, in order; an image that is listed in two splits stands in both.
        images_alone: Images without a mask, each with the mask's name and the folder it was looked for in.
        masks_alone: Masks without an image.
        missing: What lists and tables name and is not there.
    """

    pairs: list[Pair] = field(default_factory=list)
    images_alone: dict[Path, tuple[str, Path]] = field(default_factory=dict)
    masks_alone: list[Path] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)

    @property
    def twice(self) -> list[Path]:
        """Images that stand in more than one split: they would be trained on and scored."""
        splits: dict[Path, set[str]] = defaultdict(set)
        for pair in self.pairs:
            splits[pair.image].add(pair.split)
        return [image for image, found in splits.items() if len(found) > 1]

    def refuse_problems(self) -> None:
        """Refuses what cannot be trained on as it is.

        Raises:
            InputError: A listed file or a mask is missing, or an image stands in more than one split.
        """
        if self.missing:
            raise InputError(self.missing[0].error())
        for image, (mask, folder) in self.images_alone.items():
            names = [path.relative_to(folder).as_posix() for path in files_below(folder)]
            hint = did_you_mean(mask, names)
            fit = "; set mask_name to fit" if hint and mask.endswith(".*") else ""  # else it was set already
            raise InputError(f"{image}: its mask {mask} is not in {folder}{hint}{fit}")
        if twice := self.twice:
            raise InputError(f"{len(twice)} images stand in more than one split, first {twice[0]}; keep each in one")


def divide(pairs: Iterable[Pair], settings: PairSettings) -> dict[Split, list[Pair]]:
    """The pairs of each split; the shares that the settings ask for are drawn from the names alone.

    Raises:
        InputError: Nothing says how to split the pairs, or a share is asked for of a split that has its own folder.
    """
    found: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        found[pair.split].append(pair)
    if taken := [split for split in settings.shares if found[split]]:
        raise InputError(
            f"splits is {settings.splits}, but images is {settings.images!r}, a folder for each split, and {taken[0]} "
            "has images: only a split without them takes a share of train"
        )
    if settings.shares:
        found |= _draw(found["all"] or found["train"], settings.shares, settings.split_seed)
    elif found["all"]:
        raise InputError(
            "splits is not set; flat folders need list files (`splits: {train: train.txt, val: val.txt}`) or shares "
            "(`splits: {val: 0.1, test: 0.2}`)"
        )
    return {split: found[split] for split in SPLITS}


def _draw(pairs: Iterable[Pair], shares: Mapping[str, float], seed: int) -> dict[str, list[Pair]]:
    drawn = sorted(pairs, key=lambda pair: pair.name)
    random.Random(seed).shuffle(drawn)
    least = len(drawn) > len(shares)  # of a few images, too, a share is one
    counts = {split: max(share > 0 and least, round(share * len(drawn))) for split, share in shares.items()}
    found: dict[str, list[Pair]] = {}
    for split in SPLITS[1:]:
        if split in counts:
            found[split], drawn = drawn[: counts[split]], drawn[counts[split] :]
    return {**found, "train": drawn}


def _by_split(folders: str | Mapping[str, str]) -> Mapping[str, str]:
    return {split: folders.replace("{split}", split) for split in SPLITS} if isinstance(folders, str) else folders
