"""Pairs of images and masks: settings and results. `matching.py` finds them, `splitting.py` divides them by split."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from seglit.errors import InputError, did_you_mean
from seglit.images.listing import SUFFIXES, files_below
from seglit.images.name_patterns import check_patterns
from seglit.labels import IGNORE_INDEX

Split = Literal["train", "val", "test"]
AnySplit = Split | Literal["all"]
"""A split, or "all" before pairs are split."""
SPLITS: tuple[Split, ...] = ("train", "val", "test")
SPLIT_WORDS: dict[Split, tuple[str, ...]] = {
    "train": ("train", "training", "trainset", "trn"),
    "val": ("val", "valid", "validation", "valset", "dev", "eval"),
    "test": ("test", "testing", "testset", "tst"),
}
"""Spellings of the splits in the names of folders and list files, and in tables."""


class MaskPart(NamedTuple):
    """One of several mask files of an image, in which what is not 0 is of one class.

    Args:
        path: The file.
        class_name: The class that its name states; empty for the one foreground class.
    """

    path: Path
    class_name: str


class Pair(NamedTuple):
    """An image file and its mask file, or files.

    Args:
        image: The image.
        mask: The mask, the first of its parts, or the annotation file that it is drawn from.
        name: The image's path below its folder, without suffix.
        split: The split that the folder, list file or table row determines; "all" if none does.
        group: The group that a table states; empty without one.
        parts: The files of a mask in several files; empty if the image shows no object, and `mask` is the folder of its
            parts. None for a mask in one file.
        fill: Class index of the pixels in no part.
        page: Number of the slice, of both files, if they are TIFF stacks; their slices have names like `stack0[3]`.
    """

    image: Path
    mask: Path
    name: str
    split: AnySplit = "all"
    group: str = ""
    parts: tuple[MaskPart, ...] | None = None
    fill: int = IGNORE_INDEX
    page: int | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are read."""
        return self.image, *((self.mask,) if self.parts is None else (part.path for part in self.parts))

    def slice(self, page: int) -> "Pair":
        """Returns the pair of a slice of this pair of stacks."""
        return self._replace(name=f"{self.name}[{page}]", page=page)

    def numbered(self, file: Path) -> Path:
        """Returns a file of this pair with the number of the slice, as lists and messages name it: `stack0.tif[3]`."""
        return file if self.page is None else file.with_name(f"{file.name}[{self.page}]")

    @property
    def file_name(self) -> str:
        """The name without the number of the slice."""
        return self.name if self.page is None else self.name.removesuffix(f"[{self.page}]")


class AssumedPages(NamedTuple):
    """How the pages of a file are read that may be slices, or bands of one image."""

    num_pages: int
    as_slices: bool


@dataclass(frozen=True)
class PairSettings:
    """How images, masks and splits are found below a root; `seglit.data.FolderDataModule` documents each setting.

    Raises:
        InputError: A setting contradicts another.
    """

    images: str | Mapping[str, str] = "images/{split}"
    masks: str | Mapping[str, str] = "masks/{split}"
    image_name: str | Mapping[str, str] = "{stem}.*"
    mask_name: str | Mapping[str, str] = "{stem}.*"
    splits: Mapping[str, float | str] | None = None
    split_seed: int = 0
    group: str | None = None
    pairs: str | None = None
    exclude: Collection[str] = ()
    mask_suffixes: tuple[str, ...] = SUFFIXES
    class_names: Collection[str] = ()

    def __post_init__(self) -> None:
        """Checks what does not depend on the disk."""
        if isinstance(self.images, str) != isinstance(self.masks, str):
            raise InputError("images and masks must both be patterns, or both name the folder of each split")
        for key, name in (("image_name", self.image_name), ("mask_name", self.mask_name)):
            if not isinstance(name, str) and (set(name) - {*SPLITS} or not self.in_split_folders):
                raise InputError(f"{key} is {dict(name)}; a name for each split is for folders of train, val and test")
        for split in SPLITS:
            check_patterns(*self.names_in(split))
        folds = {"folds", "fold"} & set(self.splits or {})
        if set(self.splits or {}) - {*SPLITS, *folds}:
            raise InputError(f"splits is {self.splits}; expected list files (train, val, test) or shares (val, test)")
        if self.shares and ("train" in self.shares or min(self.shares.values()) < 0 or sum(self.shares.values()) >= 1):
            raise InputError(f"splits is {self.splits}; val and test are shares >= 0 with a sum < 1, train is the rest")
        if folds:
            count, fold = (self.splits or {}).get("folds", 0), (self.splits or {}).get("fold", -1)
            whole = all(isinstance(value, int | float) and value == int(value) for value in (count, fold))
            if not whole or not 0 <= int(fold) < int(count) or int(count) < 2 or "val" in (self.splits or {}):
                raise InputError(f"splits is {self.splits}; expected {{folds: K, fold: 0 to K - 1}} without val")

    @property
    def in_split_folders(self) -> bool:
        """Whether each split has its own folders."""
        return self.pairs is None and (not isinstance(self.images, str) or "{split}" in self.images)

    def names_in(self, split: AnySplit) -> tuple[str, str]:
        """`image_name` and `mask_name` of a split."""
        image, mask = (
            name if isinstance(name, str) else name.get(split, "{stem}.*") for name in (self.image_name, self.mask_name)
        )
        return image, mask

    @property
    def lists(self) -> dict[Split, str]:
        """The list file of each split that has one."""
        return {split: file for split in SPLITS if isinstance(file := (self.splits or {}).get(split), str)}

    @property
    def shares(self) -> dict[str, float]:
        """The share of each split that is drawn at random."""
        splits = self.splits or {}
        return {split: share for split in SPLITS if isinstance(share := splits.get(split), int | float)}

    @property
    def fold(self) -> tuple[int, int] | None:
        """Number of folds, and the one that is val; None without folds."""
        splits = self.splits or {}
        return (int(splits["folds"]), int(splits["fold"])) if "folds" in splits else None

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
        uneven_stacks: TIFF stacks left out because their masks have another number of slices, and both numbers.
        assumed_pages: Files that do not state whether their pages are slices, and how they are read.
    """

    pairs: list[Pair] = field(default_factory=list)
    images_without_mask: dict[Path, tuple[str, Path]] = field(default_factory=dict)
    masks_without_image: list[Path] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    uneven_stacks: dict[Path, str] = field(default_factory=dict)
    assumed_pages: dict[Path, AssumedPages] = field(default_factory=dict)

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
            InputError: A listed file or a mask is missing, a stack and its mask differ in slices, or an image is in
                more than one split.
        """
        if self.missing:
            raise InputError(self.missing[0].message + self.missing[0].hint())
        for image, (mask, folder) in self.images_without_mask.items():
            names = [path.relative_to(folder).as_posix() for path in files_below(folder)]
            hint = did_you_mean(mask, names)
            fit = "; set mask_name to fit" if hint and mask.endswith(".*") else ""  # not if it is set already
            raise InputError(f"{image}: its mask {mask} is not in {folder}{hint}{fit}")
        for image, why in self.uneven_stacks.items():
            raise InputError(f"{image}: {why}")
        if images := self.in_several_splits:
            raise InputError(f"{len(images)} images are in more than one split, first {images[0]}; keep each in one")


def split_named(word: str) -> str:
    """Returns the split that a word spells; the word itself if it is none."""
    return next((split for split, words in SPLIT_WORDS.items() if word.strip().lower() in words), word)


def _by_split(folders: str | Mapping[str, str]) -> Mapping[str, str]:
    return {split: folders.replace("{split}", split) for split in SPLITS} if isinstance(folders, str) else folders
