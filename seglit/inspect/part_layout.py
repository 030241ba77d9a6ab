"""Recognises masks in several files per image by their names and contents, and infers the names that join them."""

import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seglit.errors import InputError
from seglit.images.listing import files_below, normalized, picture_folders
from seglit.images.name_patterns import has_parts, key_of
from seglit.images.picture import open_picture
from seglit.inspect.facts import LOSSY
from seglit.inspect.mask_edges import outlines
from seglit.inspect.names import IMAGE_WORDS, MASK_WORDS, role_of, split_of

_CLASS_WORDS = {"class", "cls", "category", "cat", "label"}
_OTHER_WORDS = "color colour instance instances overlay edge boundary contour"
_NO_CLASSES = IMAGE_WORDS | MASK_WORDS | {*_OTHER_WORDS.split()}
_TASK = re.compile(r"task-\d+-annotation-\d+-by-.+-tag-.+-\d+")
_NUMBERED = re.compile(r"(.+?)([\W_])(\d+)")
_MANY_NAMES = 20  # more different names, most of them in one image only, are not those of classes
_MOST = 0.9  # share of the masks that have an image
_FIRST = 500  # masks of a split
_SAMPLES = 24
_BLURRED = 0.2  # most pixels between two values that blurring or JPEG explain

Names = tuple[str, str]
"""`image_name` and `mask_name`."""


class Listed(NamedTuple):
    """The folder of images and that of masks of a split, which may be the same, with their files."""

    images: Path
    image_files: list[Path]
    masks: Path
    mask_files: list[Path]


class _Part(NamedTuple):
    """A mask file, and its path before and after the key of its image, without suffix."""

    path: Path
    key: str
    before: str
    after: str


def find_part_names(listed: Sequence[Listed]) -> Names | None:
    """Infers the names of images and masks, if images have several masks, in each of which what is not 0 is a class.

    Raises:
        InputError: The masks' names do not state which image they are of.
    """
    _refuse_tasks([mask for folders in listed for mask in folders.mask_files])
    for image_name in _image_names(listed):
        first = _find_parts(listed, image_name, _FIRST)  # enough to recognise most masks of one file per image
        parts = _find_parts(listed, image_name) if _mask_name(first) else []
        mask_name = _mask_name(parts)
        if mask_name and _are_of_classes(parts, mask_name) and _are_binary(parts):
            return image_name, mask_name
    return None


def find_image_folders(root: Path) -> dict[str, tuple[Path, Path]] | None:
    """Finds the folder, or those of the splits, in which every image has a folder of its own with its masks."""
    files = files_below(root)
    folders = {file.parent for file in files} - {root}
    tops = sorted({root / folder.relative_to(root).parts[0] for folder in folders})
    by_split = {split: top for top in tops if (split := split_of(top.name)) != "all"}
    candidates: list[dict[str, Path]] = [{"all": root}, by_split, {"all": tops[0]} if len(tops) == 1 else {}]
    for candidate in candidates:
        listed: dict[str, Listed] = {}
        for split, folder in candidate.items():
            below = [file for file in files if file.is_relative_to(folder)]
            both = Listed(folder, below, folder, below)
            if _image_in_each_folder(folder, below) and find_part_names([both]):
                listed[split] = both
        if listed and find_part_names([*listed.values()]):
            return {split: (both.images, both.masks) for split, both in listed.items()}
    return None


def find_class_folders(root: Path) -> dict[str, tuple[Path, Path]] | None:
    """Finds the images, and the folder with a folder of masks for each class, such as tree_masks/ beside car_masks/."""
    by_split: dict[str, list[Path]] = defaultdict(list)
    of_classes: dict[Path, list[Path]] = defaultdict(list)
    for folder, _ in filter(itemgetter(1), picture_folders(root)):
        if role_of(folder.name) == "mask" and not {*_words(folder.name)} <= _NO_CLASSES:
            of_classes[folder.parent].append(folder)
        else:
            by_split[_split_of(folder, root)].append(folder)
    listed: dict[str, Listed] = {}
    for parent, masks in of_classes.items():
        images = by_split[split := _split_of(parent, root)]
        if len(masks) > 1 and len(images) == 1 and images[0] != parent:
            files = [file for mask in masks for file in files_below(mask)]
            listed[split] = Listed(images[0], files_below(images[0]), parent, files)
    names = find_part_names([*listed.values()]) if listed else None
    if names is None or "{class}" not in names[1] or "*" in names[1].removesuffix(".*"):
        return None
    return {split: (both.images, both.masks) for split, both in listed.items()}


def _split_of(folder: Path, root: Path) -> str:
    return next((split for part in folder.relative_to(root).parts if (split := split_of(part)) != "all"), "all")


def has_task_names(root: Path) -> bool:
    """Whether there are masks that Label Studio named by its tasks, not by images."""
    return any(_TASK.fullmatch(file.stem) for file in files_below(root))


def _refuse_tasks(masks: Sequence[Path]) -> None:
    by_task = [mask for mask in masks if _TASK.fullmatch(mask.stem)]
    if by_task and len(by_task) * 2 > len(masks):
        raise InputError(
            f"{by_task[0].parent}: {len(by_task)} masks are named by the tasks of Label Studio, as {by_task[0].name}, "
            "which does not tell their images: export the same tasks as JSON into this folder, which is read instead, "
            "or rename the masks to IMAGE-LABEL-NUMBER.png"
        )


def _keys(folders: Listed, image_name: str) -> dict[Path, str]:
    """The images and their keys; beside masks, without files that are named like another with an ending."""
    keys: dict[Path, str] = {}
    for file in folders.image_files:
        key = key_of(normalized(file.relative_to(folders.images).as_posix()), image_name)
        if key is not None:
            keys[file] = key
    if folders.images != folders.masks:
        return keys
    known = {*keys.values()}

    def is_part(key: str) -> bool:
        return any(key[: mark.start()] in known for mark in re.finditer(r"[\W_]", key))

    return {file: key for file, key in keys.items() if not is_part(key)}


def _image_names(listed: Iterable[Listed]) -> Iterator[str]:
    """Yields possible names of images: one per folder, those with a word for images, any."""
    endings: Counter[str] = Counter()
    inner: set[str] = set()
    for folders in listed:
        if folders.images == folders.masks:
            inner.add(_image_in_each_folder(folders.images, folders.image_files))
        for file in folders.image_files:
            if (match := re.search(r"[\W_]+([^\W_]+)$", file.stem)) and match[1].lower() in IMAGE_WORDS:
                endings[match[0]] += 1
    if len(inner) == 1 and (name := inner.pop()):
        yield name
        return
    yield from (f"{{stem}}{ending}.*" for ending, _ in endings.most_common(1))
    yield "{stem}.*"


def _image_in_each_folder(base: Path, files: Iterable[Path]) -> str:
    """Returns the pattern of the only image in each sub-folder, if they are called alike; else ''."""
    stems: dict[Path, list[str]] = defaultdict(list)
    for file in files:
        stems[file.parent].append(file.stem)
    if base in stems:
        return ""
    folders: dict[str, Counter[str]] = defaultdict(Counter)
    for folder, names in stems.items():
        top, *inner = folder.relative_to(base).parts
        above = "".join(f"{'{stem}' if part == top else part}/" for part in inner)
        folders[top].update(above + ("{stem}" if name == top else name) for name in names)
    if len(folders) < 2:
        return ""
    common = set.intersection(*({name for name, number in each.items() if number == 1} for each in folders.values()))
    images = [name for name in common if _is_image(name)]
    return f"{{stem}}/{images[0]}.*" if len(images) == 1 else ""


def _is_image(name: str) -> bool:
    """Whether a path below an image's own folder is that of the image: by a folder's name, else by the file's."""
    *above, last = name.split("/")
    roles = {role_of(part) for part in above}
    return "image" in roles or ("mask" not in roles and (last == "{stem}" or role_of(last) == "image"))


def _find_parts(listed: Iterable[Listed], image_name: str, most: int | None = None) -> list[_Part]:
    """Returns the masks, or about as many as asked for, if most of them have names with the key of an image."""
    parts: list[_Part] = []
    number = 0
    for folders in listed:
        keys = _keys(folders, image_name)
        masks = [file for file in folders.mask_files if file not in keys]
        masks = random.Random(0).sample(masks, most) if most and most < len(masks) else masks
        parts += _parts_of(masks, folders.masks, {*keys.values()})
        number += len(masks)
    return parts if len(parts) >= _MOST * number else []


def _parts_of(files: Iterable[Path], folder: Path, keys: set[str]) -> Iterator[_Part]:
    """Yields the files whose path contains a key as a whole word, each with the longest one."""
    lengths = sorted({len(key) for key in keys}, reverse=True)
    for file in files:
        name = normalized(file.relative_to(folder).with_suffix("").as_posix())
        places = ((start, start + length) for length in lengths for start in range(len(name) - length + 1))
        for start, end in places:
            is_word = not name[max(0, start - 1) : start].isalnum() and not name[end : end + 1].isalnum()
            if is_word and name[start:end] in keys:
                yield _Part(file, name[start:end], name[:start], name[end:])
                break


def _mask_name(parts: Sequence[_Part]) -> str:
    """Returns the pattern of the masks if their names differ beside those of the images, else ''."""
    before, after = _pattern([part.before for part in parts]), _pattern([part.after for part in parts])
    if before is None or after is None:
        return ""
    suffixes = {part.path.suffix for part in parts}
    suffix = suffixes.pop() if after.endswith("*") and len(suffixes) == 1 else ".*"
    name = f"{before}{{stem}}{after}{suffix}"
    is_clear = name.count("{class}") < 2 and not re.search(r"\}[{*]|\*\{", name)
    return name if is_clear and has_parts(name) else ""


def _are_of_classes(parts: Sequence[_Part], mask_name: str) -> bool:
    """Whether an image has several masks, or the names of masks have the word class."""
    several = max(Counter(part.key for part in parts).values()) > 1
    return several or not _CLASS_WORDS.isdisjoint(_words(mask_name.replace("{class}", "")))


def _pattern(texts: Sequence[str]) -> str | None:
    """Returns the pattern of texts: with `{class}`, `*` or both if they differ; None if they mean something else."""
    if len({*texts}) < 2:
        return "".join({*texts})
    prefix = re.sub(r"[^\W_]*$", "", _beginning(texts))
    texts = [text.removeprefix(prefix) for text in texts]
    suffix = re.sub(r"[^\W_]*$", "", _beginning([text[::-1] for text in texts]))[::-1]
    texts = [text.removesuffix(suffix) for text in texts]
    word = (_words(prefix) or [""])[-1]
    if all(text.isdecimal() for text in texts):
        if word in _CLASS_WORDS:
            return f"{prefix}{{class}}{suffix}"
        if word and word not in _NO_CLASSES and prefix.lower().endswith(f"{word}{prefix[-1]}"):
            return f"{prefix[: -len(word) - 1]}{{class}}{prefix[-1]}*{suffix}"
        return f"{prefix}*{suffix}"
    numbered = [_NUMBERED.fullmatch(text) for text in texts]
    marks = {match[2] for match in numbered if match}
    number = f"{marks.pop()}*" if all(numbered) and len(marks) == 1 else ""
    classes = Counter(match[1] if match and number else text for match, text in zip(numbered, texts, strict=True))
    if len(classes) * 2 > len(texts) and (len(classes) > _MANY_NAMES or all(map(_has_digit, classes))):
        return f"{prefix}*{suffix}"
    if any({*_words(name)} <= _NO_CLASSES for name in classes) or all(split_of(name) != "all" for name in classes):
        return None
    return f"{prefix}{{class}}{number}{suffix}"


def _beginning(texts: Sequence[str]) -> str:
    """The longest common prefix."""
    low, high = min(texts), max(texts)
    same = takewhile(lambda pair: pair[0] == pair[1], zip(low, high, strict=False))
    return "".join(character for character, _ in same)


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[\W_]+", text.lower()) if word]


def _has_digit(text: str) -> bool:
    return any(character.isdecimal() for character in text)


def _are_binary(parts: Sequence[_Part]) -> bool:
    """Whether no mask of a sample has more than one value beside 0."""
    by_name = sorted(parts, key=lambda part: (part.before, part.after))
    return all(_is_binary(part.path) for part in by_name[:: max(1, len(parts) // _SAMPLES)])


def _is_binary(path: Path) -> bool:
    try:
        picture = open_picture(path)
        stored = np.ma.getdata(picture.stored_values())
    except InputError:  # the survey reports it
        return True
    levels = stored if stored.ndim == 2 else stored.astype(np.int64) @ np.array([1 << 16, 1 << 8, 1])
    if len(np.unique(levels)) <= 2:
        return True
    grey = stored if stored.ndim == 2 else stored.max(-1)
    between = (grey > grey.max() // 8) & (grey < grey.max() - grey.max() // 8)
    is_edge = picture.file_format in LOSSY or outlines(stored)[between].all()
    return bool(grey.max() > 127 and is_edge and between.mean() < _BLURRED)
