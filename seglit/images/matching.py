"""Pairs images with masks by names, list files or tables; used by the data modules and `seglit inspect`."""

import posixpath
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from seglit.errors import InputError, did_you_mean
from seglit.images.listing import SUFFIXES, files_below, is_file, nearest_entry, normalized, read_list, reading_table
from seglit.images.name_patterns import has_parts, key_of, stem_of
from seglit.images.pairs import SPLITS, AnySplit, Missing, Pair, Pairing, PairSettings, split_named
from seglit.images.part_matching import match_parts
from seglit.images.stacks import divide_stacks


def find_pairs(root: Path, settings: PairSettings) -> Pairing:
    """Finds all images and their masks.

    Args:
        root: The folder that the paths in the settings are relative to.
        settings: The layout.

    Raises:
        InputError: A list or table is missing or cannot be read, or names a file outside the root.
    """
    if settings.pairs is not None:
        pairing = _read_table(root, settings)
    else:
        pairing = Pairing()
        for split, (images, masks) in settings.folders(root).items():
            match = match_parts if has_parts(settings.names_in(split)[1]) else _match
            match(pairing, root, split, images, masks, settings)
        used = {file for pair in pairing.pairs for file in pair.files}  # one folder may hold the masks of all splits
        pairing.masks_without_image = sorted({*pairing.masks_without_image} - used)
    if settings.mask_suffixes == SUFFIXES:  # else masks are drawn from annotations
        divide_stacks(pairing, root, settings)
    if settings.lists:
        apply_lists(pairing, root, settings)
    return pairing


def apply_lists(pairing: Pairing, root: Path, settings: PairSettings) -> None:
    """Assigns pairs to splits by the list files, in the order of the lists.

    A list replaces the folder of its split. Pairs of a flat folder that are in no list are dropped if train has a list,
    else they are left to it and to shares. A list may name a TIFF stack, for all of its slices, or a slice.

    Raises:
        InputError: A list file is missing.
    """
    folder = "" if settings.pairs is not None or settings.in_split_folders else str(settings.images)
    base = root / folder

    def name_of(image: Path) -> str:
        number = "".join(image.suffix.partition("[")[1:])  # of a slice, as in .tif[3]
        return (
            normalized(image.relative_to(base if image.is_relative_to(base) else root).with_suffix("").as_posix())
            + number
        )

    paired = _by_name(pairing.pairs, name_of, rename=settings.in_split_folders)
    unpaired = {name_of(image): image for image in (*pairing.images_without_mask, *pairing.uneven_stacks)}
    excluded = {name_of(root / path) for path in settings.exclude if (root / path).is_relative_to(base)}
    names = paired.keys() | unpaired.keys()
    pairs: list[Pair] = []
    listed_unpaired: set[Path] = set()
    for split, file in settings.lists.items():
        path = Path(file) if not (root / file).is_file() and is_file(Path(file)) else root / file
        if not path.is_file():
            raise InputError(f"splits: {split}: {path} is not a file{nearest_entry(path)}")
        missing: list[str] = []
        for line in read_list(path, folder):
            first = line.split()[0]  # some lists have columns after the name, such as a class
            name = first if first in names and line not in names else line
            if name in paired:
                pairs += [pair._replace(split=split) for pair in paired[name]]
            elif name in unpaired:
                listed_unpaired.add(unpaired[name])
            elif name not in excluded:
                missing.append(name)
        if missing:
            message = f"{path}: {len(missing)} of its names have no image, first {missing[0]!r}"
            hint = partial(did_you_mean, missing[0], sorted(names))
            pairing.missing.append(Missing([base / f"{name}.*" for name in missing], message, hint))
    listed = {pair.image for pair in pairs}
    others = [pair for pair in pairing.pairs if pair.image not in listed and pair.split not in settings.lists]
    pairing.pairs = pairs + [pair for pair in others if pair.split != "all" or "train" not in settings.lists]
    if "train" in settings.lists:
        _keep(pairing.images_without_mask, listed_unpaired)
        _keep(pairing.uneven_stacks, listed_unpaired)
    pairing.masks_without_image = []


def _by_name(pairs: list[Pair], name_of: Callable[[Path], str], rename: bool) -> dict[str, list[Pair]]:
    """Returns the pairs that each name in a list stands for: one, or those of all slices of a stack."""
    by_name: dict[str, list[Pair]] = {}
    for pair in pairs:
        name = name_of(pair.numbered(pair.image))
        named = pair._replace(name=name) if rename else pair
        by_name[name] = [named]
        if pair.page is not None:
            by_name.setdefault(name_of(pair.image), []).append(named)
    return by_name


def _keep(images: dict[Path, Any], kept: set[Path]) -> None:
    for image in images.keys() - kept:
        del images[image]


def listed_file(root: Path, entry: str | None, where: str) -> Path:
    """Returns the path that a table or annotation file names; the file may not exist.

    Raises:
        InputError: The entry is empty, or outside the root: outputs for an image are named after its path.
    """
    if not entry:
        raise InputError(f"{where} is empty")
    if "\\" in entry and not is_file(root / entry):  # written on Windows
        entry = entry.replace("\\", "/")
    if Path(entry).is_absolute() or ".." in Path(entry).parts:
        raise InputError(f"{where} {entry} leaves the data root {root}; paths must be relative to it")
    return root / entry


def missing_file(image: Path, path: Path, where: str) -> Missing:
    """Returns the record for an image of which a file does not exist."""
    return Missing([image], f"{where} {path}: no such file", partial(nearest_entry, path))


def _read_table(root: Path, settings: PairSettings) -> Pairing:
    path = root / str(settings.pairs)
    if not path.is_file():
        raise InputError(f"pairs: {path} is not a file{nearest_entry(path)}")
    excluded = {root / image for image in settings.exclude}
    pairing = Pairing()
    with reading_table(path) as table:
        columns = table.fieldnames or ()
        if absent := {"image", "mask"} - set(columns):
            raise InputError(f"{path}: no column {min(absent)!r}; its columns are {', '.join(columns)}")
        if "split" in columns and settings.splits:
            raise InputError(f"splits is set, but {settings.pairs} has a column split: keep one")
        for row in table:
            if root / row["image"] in excluded:
                continue
            where = f"{path}, line {table.line_num}"
            image, split = listed_file(root, row["image"], f"{where}: image"), row.get("split", "all")
            if "split" in columns and (split := split_named(split)) not in SPLITS:
                raise InputError(f"{where}: split is {row['split']!r}; expected train, val or test")
            if not row["mask"]:
                pairing.missing.append(Missing([image], f"{where}: mask is empty"))
                continue
            mask = listed_file(root, row["mask"], f"{where}: mask")
            if missing := [(column, file) for column, file in (("image", image), ("mask", mask)) if not is_file(file)]:
                column, file = missing[0]
                pairing.missing.append(missing_file(image, file, f"{where}: {column}"))
            else:
                name = image.relative_to(root).with_suffix("").as_posix()
                group = row.get(settings.group or "", "")
                pairing.pairs.append(Pair(image, mask, name, split, group))  # type: ignore[arg-type]  # one of SPLITS
    return pairing


def _mask_of(image: str, image_name: str, mask_name: str) -> str | None:
    """The mask's path, both relative to their folders; None if the file name does not match `image_name`."""
    key = key_of(image, image_name)
    if key is None:
        return None
    folder, stem = posixpath.split(key)
    return normalized(posixpath.join(folder, mask_name.replace("{stem}", stem)))


def _is_mask(file: Path, mask_name: str) -> bool:
    """Whether a file in a folder of both images and masks is named like a mask."""
    is_distinct = mask_name.removesuffix(".*") != "{stem}"
    return is_distinct and stem_of(file.name, mask_name) is not None


def _match(pairing: Pairing, root: Path, split: AnySplit, images: Path, masks: Path, settings: PairSettings) -> None:
    """Matches the images below a folder with the masks below another or the same folder; either may be missing."""
    image_name, mask_name = settings.names_in(split)
    mask_files = {
        normalized(path.relative_to(masks).as_posix()): path for path in files_below(masks, settings.mask_suffixes)
    }
    by_stem = {name.rsplit(".", 1)[0]: path for name, path in mask_files.items()}
    masks_are_below = masks != images and masks.is_relative_to(images)
    excluded = {root / path for path in settings.exclude}
    names = {
        image: image.relative_to(images).as_posix()
        for image in files_below(images)
        if image not in excluded and not (masks_are_below and image.is_relative_to(masks))
    }
    mask_names = {
        image: expected for image, name in names.items() if (expected := _mask_of(name, image_name, mask_name))
    }
    matches = {
        image: by_stem.get(expected[:-2]) if expected.endswith(".*") else mask_files.get(expected)
        for image, expected in mask_names.items()
    }
    matched = set(matches.values())
    for image, mask in matches.items():
        if image in matched or (mask is None and images == masks and _is_mask(image, mask_name)):
            pairing.masks_without_image.append(image)
        elif mask is None:
            pairing.images_without_mask[image] = mask_names[image], masks
        else:
            pairing.pairs.append(Pair(image, mask, posixpath.splitext(names[image])[0], split))
    others = (mask for mask in mask_files.values() if mask not in mask_names)
    pairing.masks_without_image += [mask for mask in others if images != masks or _is_mask(mask, mask_name)]
