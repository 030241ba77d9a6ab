"""COCO JSON: polygons and run-length encodings, of COCO itself, Roboflow, CVAT, Label Studio and others."""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seglit.annotations.image_lookup import ListedImages
from seglit.annotations.json_files import json_errors, read_json, write_json
from seglit.annotations.predicted import Classes, PredictedMask
from seglit.annotations.rasterize import polygon_pixels, union
from seglit.annotations.reader import AnnotatedImage, Annotations, Reader, hex_color, split_paths
from seglit.annotations.regions import Bitmap, Box, Polygon, Region, Shape, coordinates
from seglit.annotations.rle import decode_columns, encode_columns, format_counts, parse_counts
from seglit.errors import InputError
from seglit.images.listing import nearest_entry
from seglit.images.pairs import AnySplit, Split


@dataclass(frozen=True)
class Coco(Reader):
    """COCO JSON: one file per split, or one for all splits.

    COCO does not order the regions of an image: larger ones are drawn first, so that objects on or inside others stay
    visible; ties keep the order of the file. Crowds (`iscrowd: 1`) outline groups roughly and are void, except under
    single objects. Images that are not where the file says, such as those with the paths of a server, are found by
    their base names. Categories of the same name are one class.

    Args:
        images: Folder of the images, which `file_name` is relative to; `{split}` stands for train, val or test, or
            another spelling, such as valid.
        annotations: The JSON file; without `{split}`, one file (or several, as in `parts/*.json`) for all splits.
    """

    images: str = "images/{split}"
    annotations: str = "annotations/{split}.json"

    format_name = "COCO's object detection format"
    in_file_order = False

    def find(self, root: Path) -> Annotations:
        """Finds the images that the JSON files list; see `Reader.find`."""
        files = split_paths(root, self.annotations)
        if not files:
            raise InputError(f"{self.searched(root, 'train').removeprefix('looked in ')}: no such file")
        folders, listed, found = split_paths(root, self.images), ListedImages(root), _Categories()
        for split, path in files.items():
            folder = root / folders.get(split, "")
            matches = sorted(root.glob(path)) if "*" in path else [root / path]
            for file in matches or [root / path]:
                with listed.reading(file):
                    self._read(file, folder, split, listed, found)
        annotations = listed.finish(found.notes)
        annotations.class_names = tuple(name for name in found.names if name not in found.parents - found.used)
        annotations.colors = found.colors
        return annotations

    def _read(self, file: Path, folder: Path, split: AnySplit, listed: ListedImages, found: "_Categories") -> None:
        data = read_json(file, "images", "annotations", "categories")
        with json_errors(file, self.format_name):
            found.add(data["categories"])
            regions = _regions_by_image(data, file, found)
            for entry in data["images"]:
                size = int(entry["height"]), int(entry["width"])
                raw = json.dumps(regions.pop(entry["id"], [])).encode()
                listed.add(str(entry["file_name"]), folder, file, split, size, raw)
        if regions:
            found.notes.append(f"{file}: annotations of {len(regions)} images that it does not list are not used")

    def regions(self, entry: AnnotatedImage, size: tuple[int, int]) -> list[Region]:
        """Returns the polygons and run-length encodings of an image; see `Reader.regions`."""
        regions = []
        for name, segmentation, crowd, box in json.loads(entry.raw):
            try:
                shape = _shape(segmentation, box, size)
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
                raise InputError(
                    f"{entry.where}: a region is neither polygons nor a run-length encoding ({error})"
                ) from error
            if shape is not None:
                regions.append(Region(name, shape, bool(crowd)))
        return regions

    def labels(self, entry: AnnotatedImage) -> list[str]:
        """Returns the category of each annotation."""
        return [name for name, *_ in json.loads(entry.raw)]

    def searched(self, root: Path, split: Split) -> str:
        """Says where the images of a split were searched, for error messages."""
        file = root / self.annotations.replace("{split}", split)
        return f"looked in {file}{'' if file.is_file() else nearest_entry(file)}"


class _Categories:
    """The categories of the JSON files, together."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.names: dict[str, None] = {}  # in order
        self.colors: dict[str, tuple[int, int, int]] = {}
        self.used: set[str] = set()
        self.parents: set[str] = set()  # Roboflow lists the name of the project as a category

    def add(self, categories: list[dict[str, Any]]) -> None:
        """Adds the categories of a file, by id."""
        for entry in sorted(categories, key=lambda entry: int(entry["id"])):
            name = str(entry["name"])
            self.names[name] = None
            if color := hex_color(entry.get("color")):
                self.colors.setdefault(name, color)
            others = {other.get("supercategory") for other in categories if other["name"] != entry["name"]}
            if entry["name"] in others and entry.get("supercategory") in (None, "", "none"):
                self.parents.add(name)


def _regions_by_image(data: dict[str, Any], file: Path, found: _Categories) -> dict[Any, list[Any]]:
    """Image id to [category name, segmentation, whether it is a crowd, box] of each annotation."""
    names = {entry["id"]: str(entry["name"]) for entry in data["categories"]}
    regions: dict[Any, list[Any]] = defaultdict(list)
    for entry in data["annotations"]:
        name = names.get(entry["category_id"])
        if name is None:
            raise InputError(f"{file}: an annotation has the category {entry['category_id']}, which is not listed")
        found.used.add(name)
        segmentation = entry.get("segmentation")
        box = None if segmentation else entry.get("bbox")
        regions[entry["image_id"]].append([name, segmentation, int(bool(entry.get("iscrowd"))), box])
    return regions


def _shape(segmentation: Any, box: Any, size: tuple[int, int]) -> Shape | None:
    """The shape of a segmentation, or of a box without one; None if it is empty.

    Raises:
        ValueError: The size differs from the image's, or a number is invalid. Other mistakes raise other errors.
    """
    if not segmentation:
        if not box:
            raise ValueError("it has neither a segmentation nor a box")
        left, top, width, height = map(float, box)
        return Box.of_edges(left, top, left + width, top + height, bounding=True)
    if isinstance(segmentation, dict):
        if list(segmentation["size"]) != list(size):
            raise ValueError(f"its size is {segmentation['size']}, but the image's {list(size)}")
        counts = segmentation["counts"]
        return Bitmap(decode_columns(parse_counts(counts) if isinstance(counts, str) else counts, *size))
    if not isinstance(segmentation, list):
        raise TypeError(f"it is {segmentation!r:.40}")
    if not any(isinstance(part, list) for part in segmentation) or all(len(part) == 2 for part in segmentation):
        segmentation = [segmentation]  # one polygon: of numbers, or of points
    # two points cover nothing
    polygons = [points for part in segmentation if len(points := coordinates(part)) > 2]
    if len(polygons) == 1:
        return Polygon(polygons[0])
    return union([polygon_pixels(polygon, size) for polygon in polygons])


def write_coco(images: Iterable[PredictedMask], classes: Classes, folder: Path) -> Path:
    """Writes `coco.json`, see `coco_content`."""
    return write_json(folder / "coco.json", coco_content(images, classes))


def coco_content(images: Iterable[PredictedMask], classes: Classes) -> dict[str, Any]:
    """Returns COCO's JSON: for each class in an image, one annotation with a compressed run-length encoding."""
    listed: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, (_, name, _, mask) in enumerate(images, 1):
        listed.append({"id": image_id, "file_name": name, "height": mask.shape[0], "width": mask.shape[1]})
        for index, pixels in classes.regions(mask):
            (rows, columns), area = (np.flatnonzero(pixels.any(axis)) for axis in (1, 0)), int(pixels.sum())
            left, top = int(columns[0]), int(rows[0])
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image_id,
                    "category_id": index,
                    "segmentation": {"size": list(mask.shape), "counts": format_counts(encode_columns(pixels))},
                    "area": area,
                    "bbox": [left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top],
                    "iscrowd": 0,
                }
            )
    categories = [{"id": index, "name": name, "supercategory": ""} for index, name in classes.foreground.items()]
    return {"info": {}, "licenses": [], "images": listed, "categories": categories, "annotations": annotations}
