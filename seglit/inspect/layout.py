"""How a folder of images and masks is laid out: which file is the mask of which image, and in which split."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from seglit.errors import InputError
from seglit.images.listing import SUFFIXES, files_below, is_file, picture_folders, read_list, reading_table
from seglit.inspect.names import (
    SAME,
    SPLITS,
    Pattern,
    core_of,
    find_endings,
    find_pattern,
    role_of,
    split_of,
    tell_apart,
)

_SHARES = {"val": 0.1, "test": 0.2}


class Pair(NamedTuple):
    """An image file and its mask file, and the split they are in ('all' where nothing says)."""

    image: Path
    mask: Path
    split: str


@dataclass
class Layout:
    """How the folder was read.

    Args:
        description: One line for people.
        class_path: The data module that reads it.
        settings: What that data module has to be told beside the root.
        pairs: Every image with its mask, in order.
        images_alone: Images that no mask was found for.
        masks_alone: Masks that no image was found for.
        missing: Images that a list or table names, but that are not there, or whose mask is not.
        twice: Images that stand in more than one split.
        data_root: The folder that the data module is given, where it is another than the one that was inspected.
    """

    description: str
    class_path: str = "seglit.data.FolderDataModule"
    settings: dict[str, Any] = field(default_factory=dict)
    pairs: list[Pair] = field(default_factory=list)
    images_alone: list[Path] = field(default_factory=list)
    masks_alone: list[Path] = field(default_factory=list)
    missing: list[Path] = field(default_factory=list)
    twice: list[Path] = field(default_factory=list)
    data_root: Path | None = None

    @property
    def public(self) -> bool:
        """Whether it is a public data set, whose data module knows the classes."""
        return self.class_path != "seglit.data.FolderDataModule"


def find_layout(root: Path, images: str | None = None, masks: str | None = None, pairs: str | None = None) -> Layout:
    """Finds how the images and masks below `root` are laid out.

    Args:
        root: The folder.
        images: Folder of the images relative to the root, `{split}` standing for a split; None finds it.
        masks: The same of the masks.
        pairs: A CSV with columns image and mask; None finds it.

    Raises:
        InputError: There is no such folder, or no masks can be told from the images.
    """
    if not root.is_dir():
        raise InputError(f"{root}: {'a file; give the folder that it is in' if root.exists() else 'no such folder'}")
    if (images is None) != (masks is None):
        raise InputError("--images and --masks belong together: give both, or neither")
    if pairs is not None:
        return _from_csv(root, root / pairs)
    if images is not None and masks is not None:
        return _from_folders(root, images, masks)
    for known in (_voc, _cityscapes, _ade20k):
        if layout := known(root):
            return layout
    for table in sorted(root.glob("[!.]*.csv")):
        if table.is_file() and {"image", "mask"} <= set(_columns(table)):
            return _from_csv(root, table)
    return _from_names(root)


# Trees as public data sets unpack


_ADE20K = "ADEChallengeData2016"


def _voc(root: Path) -> Layout | None:
    for top in (root, root / "VOC2012", root / "VOCdevkit" / "VOC2012"):
        images, masks = top / "JPEGImages", top / "SegmentationClass"
        if not (images.is_dir() and masks.is_dir()):
            continue
        if top.parts[-2:] != ("VOCdevkit", "VOC2012"):  # folders named so hold anyone's classes
            folders = {"all": (images, masks)}
            return _pair_folders(root, Layout("as Pascal VOC", settings=_settings(root, folders)), folders)
        layout = Layout("Pascal VOC 2012", "seglit.data.VOCDataModule", data_root=top.parent.parent)
        stored = {path.stem: path for path in files_below(masks)}
        for split in ("train", "val"):
            path = top / "ImageSets" / "Segmentation" / f"{split}.txt"
            names = read_list(path) if path.is_file() else []
            layout.pairs += [Pair(images / f"{name}.jpg", stored[name], split) for name in names if name in stored]
            layout.images_alone += [images / f"{name}.jpg" for name in names if name not in stored]
        return layout if layout.pairs else None
    return None


def _cityscapes(root: Path) -> Layout | None:
    images, masks = root / "leftImg8bit", root / "gtFine"
    if not (images.is_dir() and masks.is_dir()):
        return None
    layout = Layout("Cityscapes tree: leftImg8bit + gtFine, *_labelIds.png", "seglit.data.CityscapesDataModule")
    for split in ("train", "val"):
        for image in files_below(images / split):
            stem = image.name.removesuffix("_leftImg8bit.png")
            mask = masks / split / image.parent.name / f"{stem}_gtFine_labelIds.png"
            if mask.is_file():
                layout.pairs.append(Pair(image, mask, split))
            else:
                layout.images_alone.append(image)
    return layout if layout.pairs else None


def _ade20k(root: Path) -> Layout | None:
    top = root if root.name == _ADE20K else root / _ADE20K
    if not ((top / "annotations" / "training").is_dir() and (top / "images" / "training").is_dir()):
        return None
    layout = Layout("ADE20K of the scene parsing challenge", "seglit.data.ADE20KDataModule", data_root=top.parent)
    for split, folder in (("train", "training"), ("val", "validation")):
        images, masks = (files_below(top / kind / folder) for kind in ("images", "annotations"))
        _take(layout, _match(images, masks, SAME), split)
    return layout


# CSV and given folders


def _columns(table: Path) -> list[str]:
    with reading_table(table) as rows:
        return list(rows.fieldnames or ())


def _from_csv(root: Path, table: Path) -> Layout:
    if not table.is_file():
        raise InputError(f"--pairs {table}: no such file")
    columns = _columns(table)
    if missing := {"image", "mask"} - set(columns):
        raise InputError(f"{table}: no column {min(missing)!r}; its columns are {', '.join(columns)}")
    settings: dict[str, Any] = {"pairs": os.path.relpath(table, root)}
    if "split" not in columns:
        settings["splits"] = _SHARES
    layout = Layout(f"table of pairs: {table.name}, columns {', '.join(columns)}", settings=settings)
    splits: dict[Path, set[str]] = defaultdict(set)
    with reading_table(table) as rows:
        for row in rows:
            where = f"{table}, line {rows.line_num}"
            named = [Path(row[column] or "") for column in ("image", "mask")]
            if not row["image"] or any(path.is_absolute() or ".." in path.parts for path in named):
                raise InputError(f"{where}: image is empty, or a path leaves {root}; paths are relative to that")
            pair = Pair(root / named[0], root / named[1], row.get("split", "all"))
            if pair.split not in (*SPLITS, "all"):
                raise InputError(f"{where}: split is {pair.split!r}; it takes train, val or test")
            splits[pair.image].add(pair.split)
            if len(splits[pair.image]) > 1:
                continue
            if not (is_file(pair.image) and is_file(pair.mask)):
                layout.missing.append(pair.image)
            else:
                layout.pairs.append(pair)
    layout.twice = [path for path, found in splits.items() if len(found) > 1]
    return layout


def _from_folders(root: Path, images: str, masks: str) -> Layout:
    splits = ("train", "val", "test") if "{split}" in images else ("all",)
    folders = {s: (root / images.replace("{split}", s), root / masks.replace("{split}", s)) for s in splits}
    found = {s: pair for s, pair in folders.items() if pair[0].is_dir() and pair[1].is_dir()}
    if not found:
        raise InputError(f"--images {images} --masks {masks}: no such folders in {root}")
    layout = Layout(f"as told: images in {images}, masks in {masks}", settings=_settings(root, found))
    return _pair_folders(root, layout, found)


# Folders told by their names


class _Place(NamedTuple):
    """A folder that holds pictures of one role and split, sub-folders included."""

    path: Path
    role: str  # image, mask or unknown
    split: str  # train, val, test or all


def _from_names(root: Path) -> Layout:
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


def _from_places(root: Path, images: list[_Place], masks: list[_Place]) -> Layout:
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
    return _pair_folders(root, Layout(f"{kind} ({shown}{over})", settings=_settings(root, folders)), folders)


def _from_one_folder(root: Path, places: list[_Place]) -> Layout:
    """Images and masks side by side, told apart by the ends of their names: cat.jpg + cat_mask.png, or cat.png."""
    grouped = _group(places)
    if "all" in grouped and len(grouped) > 1:
        del grouped["all"]
    folders = {split: (paths[0], paths[0]) for split, paths in grouped.items()}
    layout = Layout("images and masks side by side", settings=_settings(root, folders))
    layout = _pair_folders(root, layout, folders)
    if not layout.pairs:
        raise InputError(
            f"{root}: cannot tell masks from images; name the folders with --images and --masks, or list the pairs in "
            "a CSV with columns image and mask (--pairs)"
        )
    return layout


def _pair_folders(root: Path, layout: Layout, folders: Mapping[str, tuple[Path, Path]]) -> Layout:
    """Matches the files of image and mask folders by name and fills in the layout."""
    beside = all(i == m for i, m in folders.values())
    folders = {split: folders[split] for split in (*SPLITS, "all") if split in folders}
    listed = {split: (files_below(i), files_below(m)) for split, (i, m) in folders.items()}
    if not beside:  # masks may lie in a folder below the images
        listed = {split: (sorted({*i} - {*m}), m) for split, (i, m) in listed.items()}
    every = list(listed.values())
    pattern = find_endings(every) if beside else find_pattern(every)
    if pattern is None:
        return layout
    image_name, mask_name = (f"{before}{{stem}}{after}.*" for before, after in (pattern[:2], pattern[2:]))
    if beside:
        layout.description += f", {image_name} + {mask_name}"
    if image_name != "{stem}.*":
        layout.settings["image_name"] = image_name
    if mask_name != "{stem}.*":
        layout.settings["mask_name"] = mask_name
    for split, files in listed.items():
        images, masks = tell_apart(files[0], pattern) if beside else files
        if beside and pattern == SAME:
            layout.settings["mask_name"] = "{stem}" + Counter(path.suffix for path in masks).most_common(1)[0][0]
        _take(layout, _match(images, masks, pattern, *folders[split]), split)
    used = {pair.mask for pair in layout.pairs}  # masks of all splits may lie in one folder
    layout.masks_alone = sorted({*layout.masks_alone} - used)
    if set(folders) == {"all"}:
        _divide(root, layout, folders["all"][0])
    elif "val" not in folders:
        layout.settings["splits"] = {split: share for split, share in _SHARES.items() if split not in folders}
        shares = ", ".join(f"{share:.0%} {split}" for split, share in layout.settings["splits"].items())
        layout.description += f"; no folder for val: {shares} of the training images"
    return layout


class _Matched(NamedTuple):
    pairs: list[tuple[Path, Path]]
    images_alone: list[Path]
    masks_alone: list[Path]


def _take(layout: Layout, matched: _Matched, split: str) -> None:
    layout.pairs += [Pair(image, mask, split) for image, mask in matched.pairs]
    layout.images_alone += matched.images_alone
    layout.masks_alone += matched.masks_alone


def _match(
    images: Iterable[Path], masks: Iterable[Path], pattern: Pattern, image_root: Path = Path(), mask_root: Path = Path()
) -> _Matched:
    image_before, image_after, mask_before, mask_after = pattern
    masks = list(masks)
    stored = {core: path for path in masks if (core := _core(path, mask_root, mask_before, mask_after))}
    pairs, alone = [], []
    for image in images:
        mask = stored.pop(_core(image, image_root, image_before, image_after) or "", None)
        if mask is None:
            alone.append(image)
        else:
            pairs.append((image, mask))
    taken = {mask for _, mask in pairs}
    return _Matched(pairs, alone, [mask for mask in masks if mask not in taken])


def _core(path: Path, root: Path, before: str, after: str) -> str | None:
    """The part of a path that those of an image and its mask share; None where its name has not the pattern's ends."""
    folder = path.parent.relative_to(root).as_posix() if root != Path() else ""
    core = core_of(path.stem, before, after)
    return None if core is None else f"{folder}/{core}"


def _divide(root: Path, layout: Layout, folder: Path) -> None:
    """Splits a flat folder by list files (train.txt, val.txt, ...) where there are any, else by shares."""

    def name(image: Path) -> str:
        return image.relative_to(folder).with_suffix("").as_posix()

    names = {name(image) for image in (*(pair.image for pair in layout.pairs), *layout.images_alone)}
    lists: dict[str, tuple[Path, list[str]]] = {}
    for path in sorted(root.rglob("*.txt")):
        split = split_of(path.stem)
        if split != "all" and split not in lists and path.is_file():
            entries = read_list(path, _relative(folder, root))
            if sum(entry in names for entry in entries) * 2 > len(entries):
                lists[split] = path, entries
    if "train" not in lists:
        layout.settings["splits"] = _SHARES
        layout.description += f"; nothing says how to split them: {_SHARES['val']:.0%} val, {_SHARES['test']:.0%} test"
        return
    files = {split: _relative(lists[split][0], root) for split in SPLITS if split in lists}
    layout.settings["splits"] = files
    layout.description += f"; split by {', '.join(files.values())}"
    splits: dict[str, list[str]] = defaultdict(list)
    for split in files:
        for entry in dict.fromkeys(lists[split][1]):
            splits[entry].append(split)
    layout.missing = [folder / f"{entry}.*" for entry in splits if entry not in names]
    layout.twice = [pair.image for pair in layout.pairs if len(splits[name(pair.image)]) > 1]
    layout.pairs = [
        pair._replace(split=split)
        for split in files
        for pair in layout.pairs
        if splits[name(pair.image)][:1] == [split]
    ]
    # what no list names is not read
    layout.images_alone = [image for image in layout.images_alone if splits[name(image)]]
    layout.masks_alone = []


# Names


def _group(places: Iterable[_Place]) -> dict[str, list[Path]]:
    grouped: dict[str, list[Path]] = defaultdict(list)
    for place in places:
        grouped[place.split].append(place.path)
    return dict(grouped)


def _settings(root: Path, folders: Mapping[str, tuple[Path, Path]]) -> dict[str, Any]:
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
