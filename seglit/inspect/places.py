"""Folders of images and masks told by their names: which hold images, which masks, and of which split."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from seglit.errors import InputError
from seglit.images.listing import SUFFIXES, files_below, picture_folders, read_list
from seglit.inspect.names import SAME, SPLITS, find_endings, find_pattern, role_of, split_of, tell_apart

SHARES = {"val": 0.1, "test": 0.2}
"""Of the images that nothing splits."""

Folders = Mapping[str, tuple[Path, Path]]
"""The folders of images and masks of each split; of "all" where nothing says."""


@dataclass
class Described:
    """The settings that find a folder's pairs, and what was seen, in one line for people."""

    description: str
    settings: dict[str, Any]


def from_folders(root: Path, images: str, masks: str) -> Described:
    """The settings for folders that are given, `{split}` standing for a split.

    Raises:
        InputError: There are no such folders.
    """
    splits = ("train", "val", "test") if "{split}" in images else ("all",)
    folders = {s: (root / images.replace("{split}", s), root / masks.replace("{split}", s)) for s in splits}
    found = {s: pair for s, pair in folders.items() if pair[0].is_dir() and pair[1].is_dir()}
    if not found:
        raise InputError(f"--images {images} --masks {masks}: no such folders in {root}")
    return _name_pairs(root, f"as told: images in {images}, masks in {masks}", found)


class _Place(NamedTuple):
    """A folder that holds pictures of one role and split, sub-folders included."""

    path: Path
    role: str  # image, mask or unknown
    split: str  # train, val, test or all


def from_names(root: Path) -> Described:
    """The settings for folders whose roles and splits their names say.

    Raises:
        InputError: There are no pictures, or masks cannot be told from images.
    """
    for top in (root, root / "VOC2012", root / "VOCdevkit" / "VOC2012"):  # beside other masks, of objects
        folders = top / "JPEGImages", top / "SegmentationClass"
        if all(folder.is_dir() for folder in folders):
            return _name_pairs(root, "as Pascal VOC", {"all": folders})
    places = _places(root)
    if not places:
        raise InputError(f"{root}: no pictures ({', '.join(SUFFIXES)}) in it or below")
    masks = [place for place in places if place.role == "mask"]
    images = [place for place in places if place.role == "image"]
    # such as train/ and trainannot/: what is not called masks is the images
    images = images or ([place for place in places if place.role == "unknown"] if masks else [])
    if images and masks:
        return _from_places(root, images, masks)
    return _from_one_folder(root, places)


def _places(root: Path) -> list[_Place]:
    """Every folder with pictures, cut after the last part of its path that says a role or a split."""
    found: dict[Path, _Place] = {}
    for folder, names in picture_folders(root):
        if not names:
            continue
        parts = folder.relative_to(root).parts
        telling = [i for i, part in enumerate(parts) if role_of(part) != "unknown" or split_of(part) != "all"]
        base = root.joinpath(*parts[: telling[-1] + 1]) if telling else root
        roles = [role for part in parts if (role := role_of(part)) != "unknown"]
        splits = [split for part in parts if (split := split_of(part)) != "all"]
        found[base] = _Place(base, roles[-1] if roles else "unknown", splits[-1] if splits else "all")
    return sorted(found.values())


def _from_places(root: Path, images: list[_Place], masks: list[_Place]) -> Described:
    by_split: dict[str, dict[str, list[Path]]] = {
        "image": _group(images),
        "mask": _group(masks),
    }
    splits = [s for s in (*SPLITS, "all") if s in by_split["image"] and s in by_split["mask"]]
    if not splits and list(by_split["mask"]) == ["all"] and "all" not in by_split["image"]:
        # images split into folders, masks all in one
        splits = list(by_split["image"])
        by_split["mask"] = dict.fromkeys(splits, by_split["mask"]["all"])
    if not splits:
        raise InputError(
            f"{root}: images in {_names(root, images)} and masks in {_names(root, masks)} do not belong together; say "
            "which do with --images and --masks"
        )
    for role in ("image", "mask"):
        for split in splits:
            if len(by_split[role][split]) > 1:
                listed = ", ".join(_relative(path, root) for path in by_split[role][split][:4])
                raise InputError(
                    f"{root}: more than one folder may hold the {role}s ({listed}); say which with --images and --masks"
                )
    folders = {split: (by_split["image"][split][0], by_split["mask"][split][0]) for split in splits}
    shown = "; ".join(f"{s}: {_relative(i, root)} + {_relative(m, root)}" for s, (i, m) in folders.items())
    kind = "one folder of images, one of masks" if splits == ["all"] else "a folder for each split"
    passed = [_relative(path, root) for s, paths in by_split["image"].items() if s not in splits for path in paths]
    over = f", without masks and passed over: {', '.join(passed)}" if passed and splits != ["all"] else ""
    return _name_pairs(root, f"{kind} ({shown}{over})", folders)


def _from_one_folder(root: Path, places: list[_Place]) -> Described:
    """Images and masks side by side, told apart by the ends of their names: cat.jpg + cat_mask.png, or cat.png."""
    grouped = _group(places)
    if "all" in grouped and len(grouped) > 1:
        del grouped["all"]
    folders = {split: (paths[0], paths[0]) for split, paths in grouped.items()}
    described = _name_pairs(root, "images and masks side by side", folders)
    if not {"image_name", "mask_name"} & described.settings.keys():
        raise InputError(
            f"{root}: cannot tell masks from images; name the folders with --images and --masks, or list the pairs in "
            "a CSV with columns image and mask (--pairs)"
        )
    return described


def _name_pairs(root: Path, description: str, folders: Folders) -> Described:
    """Fills in what the folders, names and splits of images and masks are."""
    beside = all(images == masks for images, masks in folders.values())
    listed = [(files_below(images), files_below(masks)) for images, masks in folders.values()]
    if not beside:  # masks may lie in a folder below the images
        listed = [(sorted({*images} - {*masks}), masks) for images, masks in listed]
    described = Described(description, _folder_settings(root, folders))
    pattern = find_endings(listed) if beside else find_pattern(listed)
    if pattern is not None:
        image_name, mask_name = (f"{before}{{stem}}{after}.*" for before, after in (pattern[:2], pattern[2:]))
        if beside:
            described.description += f", {image_name} + {mask_name}"
        if beside and pattern == SAME:
            masks = (path for files, _ in listed for path in tell_apart(files, pattern)[1])
            mask_name = "{stem}" + Counter(path.suffix for path in masks).most_common(1)[0][0]
        names = {"image_name": image_name, "mask_name": mask_name}
        described.settings |= {key: name for key, name in names.items() if name != "{stem}.*"}
    if set(folders) == {"all"}:
        _find_lists(root, described, folders["all"][0], listed[0][0])
    elif "val" not in folders:
        described.settings["splits"] = {split: share for split, share in SHARES.items() if split not in folders}
        shares = ", ".join(f"{share:.0%} {split}" for split, share in described.settings["splits"].items())
        described.description += f"; no folder for val: {shares} of the training images"
    return described


def _find_lists(root: Path, described: Described, folder: Path, images: list[Path]) -> None:
    """Splits a flat folder by list files (train.txt, val.txt, ...) where there are any, else by shares."""
    names = {image.relative_to(folder).with_suffix("").as_posix() for image in images}
    lists: dict[str, Path] = {}
    for path in sorted(root.rglob("*.txt")):
        split = split_of(path.stem)
        if split != "all" and split not in lists and path.is_file():
            entries = read_list(path, _relative(folder, root))
            if sum(entry in names for entry in entries) * 2 > len(entries):
                lists[split] = path
    if "train" not in lists:
        described.settings["splits"] = SHARES
        described.description += f"; nothing says how to split them: {SHARES['val']:.0%} val, {SHARES['test']:.0%} test"
    else:
        described.settings["splits"] = {split: _relative(lists[split], root) for split in SPLITS if split in lists}
        described.description += f"; split by {', '.join(described.settings['splits'].values())}"


# Names


def _group(places: Iterable[_Place]) -> dict[str, list[Path]]:
    grouped: dict[str, list[Path]] = defaultdict(list)
    for place in places:
        grouped[place.split].append(place.path)
    return dict(grouped)


def _folder_settings(root: Path, folders: Folders) -> dict[str, Any]:
    """`images` and `masks`: a pattern each that the folders of all splits, and no others, fit; else each by name."""
    named = {
        role: {split: _relative(pair[place], root) for split, pair in folders.items()}
        for place, role in enumerate(("images", "masks"))
    }
    if "all" in folders:
        return {role: each["all"] for role, each in named.items()}
    patterns = {role: _template(each) for role, each in named.items()}
    others = [root / patterns["images"].replace("{split}", split) for split in SPLITS if split not in folders]
    fits = all(patterns.values()) and not any(path.is_dir() for path in others)
    return dict(patterns if fits else named)


def _template(folders: Mapping[str, str]) -> str:
    """One pattern with `{split}` where the folders differ by exactly that word, else ''."""
    split, folder = next(iter(folders.items()))
    template = folder.replace(split, "{split}", 1)
    fits = all(template.replace("{split}", each) == folder for each, folder in folders.items())
    return template if fits and "{split}" in template else ""


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _names(root: Path, places: Iterable[_Place]) -> str:
    return ", ".join(_relative(place.path, root) for place in places)
