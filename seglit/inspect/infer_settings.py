"""Infers from the names of folders and files the settings that find the pairs of images and masks."""

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from seglit.annotations.reader import split_paths
from seglit.errors import InputError
from seglit.images.listing import SUFFIXES, files_below, normalized, picture_folders, read_list
from seglit.images.pairs import SPLITS
from seglit.inspect.candidate_folders import choose_folders
from seglit.inspect.names import SAME, Pattern, count_pairs, find_endings, find_pattern, mask_suffix, role_of, split_of
from seglit.inspect.part_layout import Listed, find_class_folders, find_image_folders, find_part_names

DEFAULT_SHARES = {"val": 0.1, "test": 0.2}
"""Shares of the images that are drawn at random if no splits are defined."""


class Settings(NamedTuple):
    """The layout in one line, for people, the settings of `FolderDataModule` that find the pairs, and what to ask."""

    description: str
    settings: dict[str, Any]
    questions: tuple[str, ...] = ()


Folders = Mapping[str, tuple[Path, Path]]
"""Split, or "all" if there are none, to its folder of images and folder of masks."""


def settings_from_folders(root: Path, images: str, masks: str) -> Settings:
    """Infers the settings for given folders, with `{split}` in place of a split.

    Raises:
        InputError: The folders do not exist.
    """
    by_image, by_mask = split_paths(root, images), split_paths(root, masks)
    if "all" in by_image:  # one folder for all splits
        by_image = dict.fromkeys(by_mask, by_image["all"])
    elif "all" in by_mask:
        by_mask = dict.fromkeys(by_image, by_mask["all"])
    folders = {split: (root / path, root / by_mask[split]) for split, path in by_image.items() if split in by_mask}
    existing: Folders = {split: (i, m) for split, (i, m) in folders.items() if i.is_dir() and m.is_dir()}
    if not existing:
        raise InputError(f"--images {images} --masks {masks}: no such folders in {root}")
    return _from_folders(root, f"folders as given: images in {images}, masks in {masks}", existing)


def settings_from_names(root: Path) -> Settings:
    """Infers the settings for folders whose names state their roles and splits.

    Raises:
        InputError: There are no pictures, or masks cannot be distinguished from images or from other masks.
    """
    for top in (root, root / "VOC2012", root / "VOCdevkit" / "VOC2012"):  # they also have masks of object instances
        for name in ("JPEGImages", "images"):
            voc = top / name, top / "SegmentationClass"
            if all(folder.is_dir() for folder in voc):
                return _from_folders(root, "folders of Pascal VOC", {"all": voc})
    if own_folders := find_image_folders(root):
        return _from_folders(root, "a folder for each image", own_folders)
    if class_folders := find_class_folders(root):
        return _from_folders(root, "a folder of masks for each class", class_folders)
    folders = _picture_folders(root)
    if not folders:
        raise InputError(f"{root}: no images ({', '.join(SUFFIXES)}) in the folder or below it")
    if choice := choose_folders(root):
        return _from_two_roles(root, choice.images, choice.masks)._replace(questions=choice.questions)
    masks = _by_split(folders, "mask")
    # such as train/ and trainannot/: folders that are not named as masks contain the images
    images = _by_split(folders, "image") or _by_split(folders, "unknown")
    if masks and images == {"all": [root]}:  # the pictures beside the masks, in a folder of any name
        others = [
            folder for folder, names in picture_folders(root) if names and not _is_below(folder, masks.get("all", []))
        ]
        images = {"all": [Path(os.path.commonpath(others))]} if others else images
    if images and masks:
        return _from_two_roles(root, images, masks)
    return _from_mixed(root, _by_split(folders, "image", "mask", "unknown"))


def _is_below(path: Path, folders: Iterable[Path]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)


def has_mask_folders(root: Path) -> bool:
    """Whether folders of pictures are named as masks, and others are not."""
    roles = {role for role, _ in _picture_folders(root).values()}
    return "mask" in roles and len(roles) > 1


def _picture_folders(root: Path) -> dict[Path, tuple[str, str]]:
    """Finds every folder with pictures, up to the last part of its path that states a role or a split.

    Returns:
        Folder to its role (image, mask or unknown) and split (train, val, test or all), for it and its sub-folders.
    """
    folders: dict[Path, tuple[str, str]] = {}
    for folder, names in picture_folders(root):
        if not names:
            continue
        parts = folder.relative_to(root).parts
        roles = [role for part in parts if (role := role_of(part)) != "unknown"]
        splits = [split for part in parts if (split := split_of(part)) != "all"]
        depths = [i for i, part in enumerate(parts, 1) if role_of(part) != "unknown" or split_of(part) != "all"]
        base = root.joinpath(*parts[: depths[-1]]) if depths else root
        folders[base] = roles[-1] if roles else "unknown", splits[-1] if splits else "all"
    return folders


def _from_two_roles(root: Path, images: Mapping[str, list[Path]], masks: Mapping[str, list[Path]]) -> Settings:
    splits = [split for split in (*SPLITS, "all") if split in images and split in masks]
    if not splits and list(masks) == ["all"]:  # images in a folder per split, all masks in one
        splits = list(images)
        masks = dict.fromkeys(splits, masks["all"])
    if not splits:
        raise InputError(
            f"{root}: images in {_join(root, images.values())} and masks in {_join(root, masks.values())} have no "
            "split in common; name the folders with --images and --masks"
        )
    for role, by_split in (("images", images), ("masks", masks)):
        for split in splits:
            if len(by_split[split]) > 1:
                paths = _join(root, [by_split[split][:4]])
                raise InputError(
                    f"{root}: more than one folder may contain the {role} ({paths}); choose with --images and --masks"
                )
    folders = {split: (images[split][0], masks[split][0]) for split in splits}
    shown = "; ".join(f"{s}: {_relative(i, root)} + {_relative(m, root)}" for s, (i, m) in folders.items())
    if splits == ["all"]:
        return _from_folders(root, f"one folder of images, one of masks ({shown})", folders)
    skipped = _join(root, [paths for split, paths in images.items() if split not in splits])
    without_masks = f", skipped because they have no masks: {skipped}" if skipped else ""
    return _from_folders(root, f"one folder per split ({shown}{without_masks})", folders)


def _from_mixed(root: Path, by_split: dict[str, list[Path]]) -> Settings:
    """Distinguishes images and masks in one folder by their endings: cat.jpg + cat_mask.png, or cat.png."""
    if len(by_split) > 1:
        by_split.pop("all", None)
    folders = {split: (paths[0], paths[0]) for split, paths in by_split.items()}
    found = _from_folders(root, "images and masks side by side", folders)
    if not {"image_name", "mask_name"} & found.settings.keys():
        raise InputError(
            f"{root}: cannot tell masks from images; name the folders with --images and --masks, or list the pairs in "
            "a CSV with columns image and mask (--pairs)"
        )
    return found


def _from_folders(root: Path, description: str, folders: Folders) -> Settings:
    """Infers names and splits from the files in the folders."""
    mixed = all(images == masks for images, masks in folders.values())
    listed = [_list_files(images, masks) for images, masks in folders.values()]
    settings = _folder_settings(root, folders)
    pairs = zip(folders.values(), listed, strict=True)
    parts = find_part_names([Listed(images, files, masks, others) for (images, masks), (files, others) in pairs])
    pattern = None if parts else find_endings(listed) if mixed else find_pattern(listed)
    if parts:
        settings |= {"image_name": parts[0]} if parts[0] != "{stem}.*" else {}
        settings["mask_name"] = parts[1]
        description += f", several masks per image: {parts[1]}"
    elif pattern is not None:
        image_name, mask_name = (f"{name}.*" for name in pattern)
        if mixed:
            description += f", {image_name} + {mask_name}"
        if mixed and pattern == SAME:
            mask_name = "{stem}" + mask_suffix([path for files, _ in listed for path in files])
        names: dict[str, Any] = {"image_name": image_name, "mask_name": mask_name}
        by_split = dict(zip(folders, listed, strict=True))
        if not mixed and len(by_split) > 1 and (of_splits := _patterns_of_splits(by_split, pattern)):
            names = of_splits
        settings |= {key: name for key, name in names.items() if name != "{stem}.*"}
    if set(folders) == {"all"}:
        lists = _find_lists(root, folders["all"][0], listed[0][0])
        shares = {} if "val" in lists else {split: s for split, s in DEFAULT_SHARES.items() if split not in lists}
        settings["splits"] = lists | shares
        if lists:
            drawn = f"; no list for val: {percentages(shares)} of the training images" if shares else ""
            description += f"; split by {', '.join(lists.values())}{drawn}"
        else:
            description += f"; no splits defined: {percentages(shares)}"
    elif "val" not in folders:
        settings["splits"] = {split: share for split, share in DEFAULT_SHARES.items() if split not in folders}
        description += f"; no folder for val: {percentages(settings['splits'])} of the training images"
    return Settings(description, settings)


def _list_files(images: Path, masks: Path) -> tuple[list[Path], list[Path]]:
    """The files of both folders, of which one may be below the other."""
    image_files, mask_files = files_below(images), files_below(masks)
    if images == masks:
        return image_files, mask_files
    if images.is_relative_to(masks):
        return image_files, sorted({*mask_files} - {*image_files})
    return sorted({*image_files} - {*mask_files}), mask_files


def _patterns_of_splits(listed: Mapping[str, tuple[list[Path], list[Path]]], common: Pattern) -> dict[str, Any] | None:
    """The names in each split, if those of a split are of another pattern: 21_training.tif, but 01_test.tif."""
    patterns = {split: find_pattern([files]) or common for split, files in listed.items()}
    if all(count_pairs([files], patterns[s]) <= count_pairs([files], common) for s, files in listed.items()):
        return None
    by_role = ({split: f"{pattern[role]}.*" for split, pattern in patterns.items()} for role in (0, 1))
    names = dict(zip(("image_name", "mask_name"), by_role, strict=True))
    return {key: next(iter(by.values())) if len({*by.values()}) == 1 else by for key, by in names.items()}


def _find_lists(root: Path, folder: Path, images: list[Path]) -> dict[str, str]:
    """Finds the list file of each split (train.txt, val.txt, ...) of a flat folder; none if there is none for train."""
    files = sorted(path for path in root.rglob("*.txt") if split_of(path.stem) != "all")
    names = {normalized(image.relative_to(folder).with_suffix("").as_posix()) for image in images if files}
    lists: dict[str, str] = {}
    for path in files:
        split = split_of(path.stem)
        if split not in lists and path.is_file():
            entries = read_list(path, _relative(folder, root))
            if sum(entry in names for entry in entries) * 2 > len(entries):
                lists[split] = _relative(path, root)
    return {split: lists[split] for split in SPLITS if split in lists} if "train" in lists else {}


def _by_split(folders: Mapping[Path, tuple[str, str]], *roles: str) -> dict[str, list[Path]]:
    """Sorts the folders with these roles by split."""
    by_split: dict[str, list[Path]] = defaultdict(list)
    for path, (role, split) in sorted(folders.items()):
        if role in roles:
            by_split[split].append(path)
    return by_split


def _folder_settings(root: Path, folders: Folders) -> dict[str, Any]:
    """`images` and `masks`: patterns that match the folders of these splits and no others, else a folder per split."""
    images, masks = ({split: _relative(pair[i], root) for split, pair in folders.items()} for i in (0, 1))
    if "all" in folders:
        return {"images": images["all"], "masks": masks["all"]}
    patterns = {"images": _template(images), "masks": _template(masks)}
    others = [root / patterns["images"].replace("{split}", split) for split in SPLITS if split not in folders]
    if all(patterns.values()) and not any(path.is_dir() for path in others):
        return dict(patterns)
    return {"images": images, "masks": masks}


def _template(folders: Mapping[str, str]) -> str:
    """Returns a pattern with `{split}` if the folders differ only by the name of the split, else ''."""
    split, folder = next(iter(folders.items()))
    template = folder.replace(split, "{split}", 1)
    fits = all(template.replace("{split}", name) == path for name, path in folders.items())
    return template if fits and "{split}" in template else ""


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _join(root: Path, groups: Iterable[list[Path]]) -> str:
    return ", ".join(_relative(path, root) for paths in groups for path in paths)


def percentages(shares: Mapping[str, float]) -> str:
    """Returns shares in words."""
    return ", ".join(f"{share:.0%} {split}" for split, share in shares.items())
