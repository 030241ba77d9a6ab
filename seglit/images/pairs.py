"""Which mask belongs to which image, and in which split: the one engine that training and `seglit inspect` share."""

import random
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from seglit.errors import InputError, did_you_mean
from seglit.images.listing import SUFFIXES, files_below, is_file, nearest_entry, read_list, reading_table

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


def find_pairs(root: Path, settings: PairSettings, mask_suffixes: tuple[str, ...] = SUFFIXES) -> Pairing:
    """Finds every image and its mask.

    Args:
        root: The folder that the settings' paths are relative to.
        settings: The layout.
        mask_suffixes: What the names of masks end in.

    Raises:
        InputError: A list or table is missing or cannot be read, or an entry leaves the root.
    """
    if settings.pairs is not None:
        found = _read_table(root, settings)
    else:
        found = Pairing()
        for split, folders in settings.folders(root).items():
            _match(found, split, *folders, _Names(root, settings), mask_suffixes)
        used = {pair.mask for pair in found.pairs}  # masks of all splits may lie in one folder
        found.masks_alone = sorted({*found.masks_alone} - used)
    if settings.lists:
        apply_lists(found, root, settings)
    return found


def apply_lists(found: Pairing, root: Path, settings: PairSettings) -> None:
    """Puts the pairs that the list files name into their splits, in the order of the lists, and drops all others.

    Raises:
        InputError: A list file is missing.
    """
    folder = "" if settings.pairs is not None else str(settings.images)
    base = root / folder
    known = {pair.name: pair for pair in found.pairs}
    alone = {image.relative_to(base).with_suffix("").as_posix(): image for image in found.images_alone}
    excluded = {(root / path).with_suffix("") for path in settings.exclude}
    named = known.keys() | alone.keys()
    pairs: list[Pair] = []
    listed_alone: set[Path] = set()
    for split, file in settings.lists.items():
        path = root / file
        if not path.is_file():
            raise InputError(f"splits: {split}: {path} is no file{nearest_entry(path)}")
        lost: list[str] = []
        for line in read_list(path, folder):
            first = line.split()[0]  # some lists have more after the name, such as a class
            name = first if first in named and line not in named else line
            if name in known:
                pairs.append(known[name]._replace(split=split))
            elif name in alone:
                listed_alone.add(alone[name])
            elif base / name not in excluded:
                lost.append(name)
        if lost:
            found.missing.append(_missing_names(path, base, lost, sorted(named)))
    found.pairs = pairs
    found.images_alone = {image: where for image, where in found.images_alone.items() if image in listed_alone}
    found.masks_alone = []


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


def listed_file(root: Path, entry: str | None, where: str) -> Path:
    """The path that a table or annotation file names, which may be that of no file.

    Raises:
        InputError: The entry is empty or leaves the root: what is written for an image is named like it.
    """
    if not entry:
        raise InputError(f"{where} is empty")
    if Path(entry).is_absolute() or ".." in Path(entry).parts:
        raise InputError(f"{where} {entry} leaves the data root {root}; its paths are relative to that")
    return root / entry


def missing_file(image: Path, path: Path, where: str) -> Missing:
    """An image of which a file is not there."""
    return Missing([image], lambda: f"{where} {path}: no such file{nearest_entry(path)}")


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


def _read_table(root: Path, settings: PairSettings) -> Pairing:
    path = root / str(settings.pairs)
    if not path.is_file():
        raise InputError(f"pairs: {path} is no file{nearest_entry(path)}")
    excluded = {root / each for each in settings.exclude}
    found = Pairing()
    with reading_table(path) as table:
        columns = table.fieldnames or ()
        if missing := {"image", "mask"} - set(columns):
            raise InputError(f"{path}: no column {min(missing)!r}; its columns are {', '.join(columns)}")
        if "split" in columns and settings.splits:
            raise InputError(f"splits is set, but {settings.pairs} has a column split: keep one")
        for row in table:
            if root / row["image"] in excluded:
                continue
            where = f"{path}, line {table.line_num}"
            image, split = listed_file(root, row["image"], f"{where}: image"), row.get("split", "all")
            if "split" in columns and split not in SPLITS:
                raise InputError(f"{where}: split is {split!r}; it takes train, val or test")
            if not row["mask"]:
                found.missing.append(Missing([image], f"{where}: mask is empty".__str__))
                continue
            mask = listed_file(root, row["mask"], f"{where}: mask")
            if lost := [(column, file) for column, file in (("image", image), ("mask", mask)) if not is_file(file)]:
                found.missing.append(missing_file(image, lost[0][1], f"{where}: {lost[0][0]}"))
            else:
                name = Path(row["image"]).with_suffix("").as_posix()
                found.pairs.append(Pair(image, mask, name, split))  # type: ignore[arg-type]  # it is one of SPLITS
    return found


def _missing_names(path: Path, base: Path, lost: list[str], known: list[str]) -> Missing:
    """Names of a list file that no image has."""

    def error() -> str:
        return f"{path}: {len(lost)} of its names have no image, first {lost[0]!r}{did_you_mean(lost[0], known)}"

    return Missing([base / f"{name}.*" for name in lost], error)


def _by_split(folders: str | Mapping[str, str]) -> Mapping[str, str]:
    return {split: folders.replace("{split}", split) for split in SPLITS} if isinstance(folders, str) else folders


class _Names:
    """What the settings say of names: which picture is an image, and what its mask is called."""

    def __init__(self, root: Path, settings: PairSettings) -> None:
        self.image_name = settings.image_name
        self.mask_name = settings.mask_name
        self.excluded = {root / path for path in settings.exclude}

    def mask_of(self, image: Path) -> str | None:
        """The mask's path, both relative to their folders; None where the picture is not named like an image."""
        stem = _stem(image.name, self.image_name)
        return None if stem is None else (image.parent / self.mask_name.replace("{stem}", stem)).as_posix()

    def is_mask(self, picture: Path) -> bool:
        """Whether a picture that lies among images is named like a mask."""
        told = self.mask_name.removesuffix(".*") != "{stem}"
        return told and _stem(picture.name, self.mask_name) is not None


def _stem(name: str, pattern: str) -> str | None:
    """What stands for `{stem}` in a name of the pattern; None where it is not of it."""
    before, _, after = pattern.partition("{stem}")
    if after.endswith(".*"):
        after = after.removesuffix(".*") + Path(name).suffix
    fits = name.startswith(before) and name.removeprefix(before).endswith(after)
    return name[len(before) : len(name) - len(after)] if fits else None


def _match(
    found: Pairing,
    split: AnySplit,
    images: Path,
    masks: Path,
    names: _Names,
    mask_suffixes: tuple[str, ...],
) -> None:
    """Matches the images below a folder with the masks below another, or the same; a missing folder has none."""
    stored = {path.relative_to(masks).as_posix(): path for path in files_below(masks, mask_suffixes)}
    by_stem = {name.rsplit(".", 1)[0]: path for name, path in stored.items()}
    below = masks != images and masks.is_relative_to(images)
    wanted = {
        image: mask
        for image in files_below(images)
        if image not in names.excluded
        and not (below and image.is_relative_to(masks))
        and (mask := names.mask_of(image.relative_to(images)))
    }
    matched: dict[Path, Path | None] = {
        image: by_stem.get(mask[:-2]) if mask.endswith(".*") else stored.get(mask) for image, mask in wanted.items()
    }
    taken = set(matched.values())
    for image, found_mask in matched.items():
        if image in taken or (found_mask is None and images == masks and names.is_mask(image)):
            found.masks_alone.append(image)
        elif found_mask is None:
            found.images_alone[image] = wanted[image], masks
        else:
            found.pairs.append(Pair(image, found_mask, image.relative_to(images).with_suffix("").as_posix(), split))
    others = (mask for mask in stored.values() if mask not in wanted)
    found.masks_alone += [mask for mask in others if images != masks or names.is_mask(mask)]
