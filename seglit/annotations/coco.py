"""COCO JSON (polygons and run-length codes): which regions each image has."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from seglit.annotations.json_files import read_json
from seglit.errors import InputError, did_you_mean
from seglit.labels import IGNORE_INDEX

FORMAT = "COCO's format for objects"


class Annotated(NamedTuple):
    """What a COCO file says of an image.

    Args:
        height: In pixels.
        width: In pixels.
        regions: JSON of a list of [class index or void, segmentation]. As text, because reading processes share it:
            Python's own lists would be copied into each, page by page, as soon as they are looked at.
    """

    height: int
    width: int
    regions: bytes


def read_coco(file: Path) -> dict[str, Any]:
    """Reads a COCO file.

    Raises:
        InputError: It is missing, no JSON, or not in COCO's format.
    """
    return read_json(file, "images", "annotations", "categories")


def category_names(data: dict[str, Any], background: str | None) -> list[str]:
    """The background, unless it is a category or void, and the categories by id; several ids may share a name."""
    names = [str(entry["name"]) for entry in sorted(data["categories"], key=lambda entry: int(entry["id"]))]
    first = [] if background is None or background in names else [background]
    return list(dict.fromkeys([*first, *names]))


def find_regions(data: dict[str, Any], file: Path, class_names: Sequence[str], fill: int) -> dict[int, list[Any]]:
    """Image id to its regions, each [class index or void, segmentation].

    Args:
        data: What `read_coco` gave.
        file: For messages.
        class_names: The classes; regions of other categories are left out.
        fill: Class index of the pixels in no region.

    Raises:
        InputError: A class is no category, or an annotation has no segmentation.
    """
    names = {entry["id"]: entry["name"] for entry in data["categories"]}
    wanted = [name for index, name in enumerate(class_names) if index != fill]
    if lost := [name for name in wanted if name not in names.values()]:
        raise InputError(f"{file}: has no category {lost[0]!r}{did_you_mean(lost[0], list(names.values()))}")
    regions: dict[int, list[Any]] = {}
    for entry in data["annotations"]:
        name = names.get(entry["category_id"])
        if name is None:
            raise InputError(f"{file}: an annotation is of the category {entry['category_id']}, which is not listed")
        if name not in class_names:
            continue
        if not entry.get("segmentation"):
            raise InputError(f"{file}: annotation {entry.get('id')} ({name}) has no segmentation, but a box at most")
        value = IGNORE_INDEX if entry.get("iscrowd") else class_names.index(name)
        regions.setdefault(entry["image_id"], []).append([value, entry["segmentation"]])
    return regions
