"""COCO JSON: finds the regions of each image."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from seglit.annotations.json_files import read_json
from seglit.errors import InputError, did_you_mean
from seglit.labels import IGNORE_INDEX

FORMAT = "COCO's object detection format"


class Annotated(NamedTuple):
    """Size and regions of an image in a COCO file.

    Args:
        height: In pixels.
        width: In pixels.
        regions: JSON of a list of [class index or void, segmentation]. Kept as text, because workers share its memory;
            Python lists would be copied into each worker, page by page, when accessed.
    """

    height: int
    width: int
    regions: bytes


def read_coco(file: Path) -> dict[str, Any]:
    """Reads a COCO file; see `read_json`."""
    return read_json(file, "images", "annotations", "categories")


def category_names(data: dict[str, Any], background: str | None) -> list[str]:
    """Returns the background, unless it is None or a category, and the categories by id, without duplicate names."""
    names = [str(entry["name"]) for entry in sorted(data["categories"], key=lambda entry: int(entry["id"]))]
    first = [] if background is None or background in names else [background]
    return list(dict.fromkeys([*first, *names]))


def find_regions(data: dict[str, Any], file: Path, class_names: Sequence[str], fill: int) -> dict[int, list[Any]]:
    """Returns the regions of each image id, as a list of [class index or void, segmentation].

    Args:
        data: The content of the file, see `read_coco`.
        file: The file, for messages.
        class_names: The classes; regions of other categories are skipped.
        fill: Class index of the pixels in no region; it needs no category.

    Raises:
        InputError: A class is not a category, or an annotation has no segmentation.
    """
    names = {entry["id"]: entry["name"] for entry in data["categories"]}
    required = [name for index, name in enumerate(class_names) if index != fill]
    if missing := [name for name in required if name not in names.values()]:
        raise InputError(f"{file}: has no category {missing[0]!r}{did_you_mean(missing[0], list(names.values()))}")
    regions: dict[int, list[Any]] = {}
    for entry in data["annotations"]:
        name = names.get(entry["category_id"])
        if name is None:
            raise InputError(f"{file}: an annotation has the category {entry['category_id']}, which is not listed")
        if name not in class_names:
            continue
        if not entry.get("segmentation"):
            raise InputError(f"{file}: annotation {entry.get('id')} ({name}) has no segmentation, at most a box")
        value = IGNORE_INDEX if entry.get("iscrowd") else class_names.index(name)
        regions.setdefault(entry["image_id"], []).append([value, entry["segmentation"]])
    return regions
