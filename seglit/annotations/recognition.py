"""Tells which label format a folder is in, by the names and the beginnings of its files."""

import json
import mmap
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from seglit.annotations.coco import Coco
from seglit.annotations.cvat import Cvat
from seglit.annotations.json_files import read_any_json
from seglit.annotations.label_studio import LabelStudio, base_name, without_prefix
from seglit.annotations.labelme import Labelme
from seglit.annotations.reader import Reader
from seglit.annotations.supervisely import Supervisely
from seglit.annotations.via import Via
from seglit.annotations.yolo import Yolo
from seglit.errors import InputError
from seglit.images.listing import files_below
from seglit.images.pairs import SPLIT_WORDS

_HEAD = 2**16
_PER_FOLDER = 20  # files of a folder that are looked at
_SPELLINGS = "|".join(word for words in SPLIT_WORDS.values() for word in words)
_SPLIT_WORD = re.compile(rf"(?<![a-z])({_SPELLINGS})(?![a-z])")
_COCO_KEYS = [re.compile(rb'"%s"\s*:\s*\[' % key) for key in (b"images", b"annotations", b"categories")]
_FILE_NAME = re.compile(r'"(?:file_name|filename)"\s*:\s*("(?:[^"\\]|\\.)+")')
_CVAT_IMAGE = re.compile(r'<image\s[^>]*?\bname="([^"]+)"')
_ADDRESS = re.compile(r'"data"\s*:\s*\{[^{}]*?:\s*("(?:[^"\\]|\\.)+\.\w{3,4}(?:\?[^"]*)?")')


def recognise(root: Path) -> Reader | None:
    """Returns a reader of the annotations in a folder, with its paths; None if there are none.

    Looks at names, and at the beginnings of a few files of each folder; COCO files are searched for their keys.

    Raises:
        InputError: A folder cannot be read.
    """
    for find in (_yolo, _supervisely, _cvat, _json, _csv):
        if reader := find(root):
            return reader
    return None


def _yolo(root: Path) -> Reader | None:
    for file in sorted([*root.glob("*.yaml"), *root.glob("*.yml"), *root.glob("classes.txt"), *root.glob("*.names")]):
        try:
            found = Yolo(file.name).find(root)
        except (InputError, OSError):  # another YAML
            continue
        if any(entry.annotations.is_file() for entry in found.images):
            return Yolo(file.name)
    return None


def _supervisely(root: Path) -> Reader | None:
    files = (file for folder in sorted(root.rglob("ann")) for file in sorted(folder.glob("*.json"))[:1])
    found = any('"objects"' in _head(file) and (file.parent.parent / "img").is_dir() for file in files)
    return Supervisely() if found else None


def _cvat(root: Path) -> Reader | None:
    heads = {file: _head(file) for file in files_below(root, (".xml",))[:100]}
    files = [file for file, head in heads.items() if re.search(r"<annotations[\s>]", head)]
    if not files:
        return None
    known = {file.name for file in files}
    files += [file for file in heads if file.name in known and file not in files]  # such as an empty one of a task
    names = [image[1] for file in files if (image := _CVAT_IMAGE.search(heads[file]))]
    return Cvat(_pattern(root, files, splits=False)[0], _image_folder(root, files[0], names))


def _json(root: Path) -> Reader | None:
    kinds: dict[str, list[Path]] = defaultdict(list)
    for file in _sample(files_below(root, (".json",))):
        kinds[_kind(file)].append(file)
    for kind in ("coco", "via", "label_studio"):
        if not kinds[kind]:
            continue
        annotations, file = _pattern(root, kinds[kind] + _truncated(kinds[""], kinds[kind]))
        names = _stated_names(file, kind)
        folder = _image_folder(root, file, names)
        if "{split}" in annotations:
            folder = _SPLIT_WORD.sub("{split}", folder, count=1)
        if kind == "coco":
            return Coco(folder, annotations)
        return Via(annotations, folder) if kind == "via" else LabelStudio(annotations, folder)
    return _labelme(root, kinds["labelme"]) if kinds["labelme"] else None


def _csv(root: Path) -> Reader | None:
    files = [file for file in files_below(root, (".csv",))[:100] if "region_shape_attributes" in _head(file)]
    return Via(_pattern(root, files)[0]) if files else None


def _labelme(root: Path, files: list[Path]) -> Reader:
    """The folders of labelme files and of their images."""
    folders = {file.parent for file in files}
    annotations = _common(root, folders)
    images = files_below(root)
    if any(image.parent in folders for image in images):
        return Labelme(annotations)
    stems = {file.stem for file in files}
    others = {image.parent for image in images if image.stem in stems}
    return Labelme(_common(root, others or {root}), annotations)


def _common(root: Path, folders: Iterable[Path]) -> str:
    """The folder above some folders, with `{split}` if these are named like splits."""
    relative = [folder.relative_to(root).as_posix() for folder in folders]
    patterns = {_SPLIT_WORD.sub("{split}", path, count=1) for path in relative}
    if len(patterns) == 1 and "{split}" in (pattern := patterns.pop()):
        return pattern
    parts = [PurePosixPath(path).parts for path in relative]
    shared = [level[0] for level in zip(*parts, strict=False) if len(set(level)) == 1]
    return "/".join(shared) or "."


def _sample(files: Iterable[Path]) -> Iterator[Path]:
    """The first files of each folder."""
    seen: Counter[Path] = Counter()
    for file in files:
        seen[file.parent] += 1
        if seen[file.parent] <= _PER_FOLDER or file.stat().st_size > _HEAD:
            yield file


def _head(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return stream.read(_HEAD).decode("utf-8", "replace")
    except OSError:
        return ""


def _kind(file: Path) -> str:
    """The label format of a JSON file; empty for another."""
    head = _head(file)
    if '"shapes"' in head and re.search('"(imagePath|imageData|imageHeight|shape_type|version)"', head):
        return "labelme"
    if re.search('"(_via_settings|_via_img_metadata|shape_attributes|file_attributes)"', head):
        return "via"
    if head.lstrip()[:1] == "[" and re.search('"(original_width|annotation_id|completed_by|was_cancelled)"', head):
        return "label_studio"
    return "coco" if head.lstrip()[:1] == "{" and _has_coco_keys(file) else ""


def _has_coco_keys(file: Path) -> bool:
    try:
        with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return all(key.search(content) for key in _COCO_KEYS)
    except (OSError, ValueError):  # ValueError: empty
        return False


def _truncated(unknown: list[Path], recognised: list[Path]) -> list[Path]:
    """The files of no known format that are beside recognised ones, or in a folder of another split, and not JSON."""
    folders = {_without_splits(file.parent) for file in recognised}
    return [file for file in unknown if _without_splits(file.parent) in folders and not _is_json(file)]


def _without_splits(folder: Path) -> str:
    return _SPLIT_WORD.sub("{split}", folder.as_posix())


def _is_json(file: Path) -> bool:
    try:
        read_any_json(file)
    except InputError:
        return False
    return True


def _pattern(root: Path, files: list[Path], splits: bool = True) -> tuple[str, Path]:
    """The setting that names annotation files: the most, with `{split}`, else all of a folder; and the first file."""
    groups: dict[str, list[Path]] = defaultdict(list)
    for file in files:
        groups[_SPLIT_WORD.sub("{split}", file.relative_to(root).as_posix(), count=1)].append(file)
    # of equally many, such as instances and key points of COCO, those that are named for what is needed
    pattern, chosen = max(groups.items(), key=lambda group: (len(group[1]), "instances" in group[0]))
    if splits and "{split}" in pattern and (len(chosen) > 1 or len(files) == 1):
        return (pattern, chosen[0]) if len(chosen) > 1 else (chosen[0].relative_to(root).as_posix(), chosen[0])
    if len(files) == 1:
        return files[0].relative_to(root).as_posix(), files[0]
    if len({file.parent for file in files}) > 1 and len({file.name for file in files}) == 1:  # a folder for each task
        levels = zip(*(file.relative_to(root).parts for file in files), strict=False)
        return "/".join(level[0] if len(set(level)) == 1 else "*" for level in levels), files[0]
    folder = files[0].parent.relative_to(root).as_posix()
    return f"{folder}/*{files[0].suffix}".removeprefix("./"), files[0]


def _stated_names(file: Path, kind: str) -> list[str]:
    """The names of the first images in an annotation file."""
    pattern = _ADDRESS if kind == "label_studio" else _FILE_NAME
    texts = [json.loads(match[1], strict=False) for match in pattern.finditer(_head(file))]
    return [base_name(text) for text in texts] if kind == "label_studio" else texts


def _image_folder(root: Path, file: Path, names: list[str]) -> str:
    """The folder that the names in an annotation file are relative to; that of the first image that is found."""
    for name in names[:20]:
        path = PurePosixPath(name.replace("\\", "/"))
        for folder in (file.parent, root / "images", root):
            if not path.is_absolute() and ".." not in path.parts and (folder / path).is_file():
                return folder.relative_to(root).as_posix()
        matches = [image for image in files_below(root) if image.name in (path.name, without_prefix(path.name))]
        near = [image for image in matches if _SPLIT_WORD.findall(str(image)) == _SPLIT_WORD.findall(str(file))]
        if matches:
            below = (near or matches)[0].relative_to(root)
            inner = path.parts if tuple(below.parts[-len(path.parts) :]) == path.parts else below.parts[-1:]
            return below.parents[len(inner) - 1].as_posix()
    return "."
