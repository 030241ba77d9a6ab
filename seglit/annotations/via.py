"""VGG Image Annotator (VIA) 1 and 2: JSON of a project or of its annotations, and CSV."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seglit.annotations.image_lookup import ListedImages
from seglit.annotations.json_files import json_errors, read_json
from seglit.annotations.reader import AnnotatedImage, Annotations, Reader, split_paths
from seglit.annotations.regions import Box, Dots, Ellipse, Line, Polygon, Region, Shape, Unsupported, coordinates
from seglit.errors import InputError, did_you_mean
from seglit.images.listing import nearest_entry, reading_table
from seglit.images.pairs import Split

UNNAMED = "object"
"""Label of the regions of a file in which regions have no attributes."""
_COLUMNS = ("filename", "region_shape_attributes", "region_attributes")


@dataclass(frozen=True)
class Via(Reader):
    """VIA: a project (`via_project.json`), its annotations as JSON, or as CSV; one file per split, or one for all.

    VIA does not order regions: larger ones are drawn first. An image without regions is all background.

    Args:
        annotations: The JSON or CSV file; `{split}` stands for train, val or test.
        images: Folder of the images; `{split}` likewise.
        attribute: The region attribute that names the class; None takes the only one.
    """

    annotations: str = "via_project.json"
    images: str = "."
    attribute: str | None = None

    format_name = "VIA's format"
    in_file_order = False

    def find(self, root: Path) -> Annotations:
        """Finds the images that the files list; see `Reader.find`."""
        files, folders = split_paths(root, self.annotations), split_paths(root, self.images)
        if not files:
            file = root / self.annotations.replace("{split}", "train")
            raise InputError(f"{file}: no such file{nearest_entry(file)}")
        listed, options = ListedImages(root), dict[str, None]()
        for split, path in files.items():
            file = root / path
            with listed.reading(file), json_errors(file, self.format_name):
                entries, attributes = _read_csv(file) if file.suffix.lower() == ".csv" else _read_via_json(file)
                attribute = self._attribute(entries, attributes, file)
                declared = attributes.get(attribute or "", {}).get("options")
                options |= dict.fromkeys(map(str, declared)) if isinstance(declared, dict) else {}
                for name, regions in entries:
                    raw = [[_label(region, attribute), region["shape_attributes"]] for region in regions]
                    listed.add(name, root / folders.get(split, ""), file, split, None, json.dumps(raw).encode())
        found = listed.finish()
        found.class_names = tuple(options) or None
        return found

    def _attribute(self, entries: "Entries", declared: Mapping[str, Any], file: Path) -> str | None:
        """The attribute that names the class; None if regions have none."""
        all_regions = [region for _, regions in entries for region in regions]
        names = list(dict.fromkeys(name for region in all_regions for name in region["region_attributes"]))
        names = names or list(declared)
        if self.attribute is None and len(names) > 1:
            raise InputError(
                f"{file}: regions have the attributes {', '.join(names)}; set the reader's `attribute: {names[0]}`, or "
                "another, to the one that names the class"
            )
        if self.attribute is not None and self.attribute not in names:
            raise InputError(
                f"{file}: regions have no attribute {self.attribute!r}{did_you_mean(self.attribute, names)}"
            )
        return self.attribute or next(iter(names), None)

    def regions(self, entry: AnnotatedImage, size: tuple[int, int]) -> list[Region]:
        """Returns the regions of an image; see `Reader.regions`."""
        with json_errors(entry.where, self.format_name):
            return [Region(label, _shape(attributes)) for label, attributes in json.loads(entry.raw)]

    def labels(self, entry: AnnotatedImage) -> list[str]:
        """Returns the label of each region."""
        return [label for label, _ in json.loads(entry.raw)]

    def searched(self, root: Path, split: Split) -> str:
        """Says where the images of a split were searched, for error messages."""
        return f"looked in {root / self.annotations.replace('{split}', split)}"


Entries = list[tuple[str, list[dict[str, Any]]]]
"""File name and regions of each image."""


def _read_via_json(file: Path) -> tuple[Entries, dict[str, Any]]:
    """The images of a project or an export, and the region attributes that a project declares."""
    data = read_json(file)
    with json_errors(file, Via.format_name):
        attributes = dict(data.get("_via_attributes", {}).get("region", {}))
        entries: Entries = []
        for entry in data.get("_via_img_metadata", data).values():
            regions: Iterable[Any] = entry["regions"]
            # version 1 numbers the regions
            regions = regions.values() if isinstance(regions, dict) else regions
            entries.append((str(entry["filename"]), [dict(region) for region in regions]))
    return entries, attributes


def _read_csv(file: Path) -> tuple[Entries, dict[str, Any]]:
    """The images of a CSV; it declares no attributes."""
    if not file.is_file():
        raise InputError(f"{file}: no such file{nearest_entry(file)}")
    images: dict[str, list[dict[str, Any]]] = {}
    with reading_table(file) as table:
        table.fieldnames = [name.lstrip("#") for name in table.fieldnames or ()]
        if missing := [column for column in _COLUMNS if column not in table.fieldnames]:
            raise InputError(f"{file}: no column {missing[0]!r}; its columns are {', '.join(table.fieldnames)}")
        for row in table:
            regions = images.setdefault(row["filename"], [])
            with json_errors(f"{file}, line {table.line_num}", Via.format_name):
                shape = json.loads(row["region_shape_attributes"] or "{}")
                if shape:
                    attributes = json.loads(row["region_attributes"] or "{}")
                    regions.append({"shape_attributes": dict(shape), "region_attributes": dict(attributes)})
    return list(images.items()), {}


def _label(region: Mapping[str, Any], attribute: str | None) -> str:
    """The class of a region; of a check box, the ticked option."""
    if attribute is None:
        return UNNAMED
    value = region["region_attributes"].get(attribute, "")
    if isinstance(value, dict):
        return ", ".join(str(option) for option, ticked in value.items() if ticked)
    return str(value).strip()


def _shape(attributes: Mapping[str, Any]) -> Shape:
    kind = str(attributes["name"])
    match kind:
        case "polygon" | "polyline":
            points = coordinates(list(zip(attributes["all_points_x"], attributes["all_points_y"], strict=True)))
            return Polygon(points) if kind == "polygon" else Line(points)
        case "rect":
            left, top, width, height = (float(attributes[key]) for key in ("x", "y", "width", "height"))
            return Box.of_edges(left, top, left + width, top + height)
        case "circle" | "ellipse":
            x, y = float(attributes["cx"]), float(attributes["cy"])
            angle = math.degrees(float(attributes.get("theta", 0)))
            radii = (attributes["r"], attributes["r"]) if kind == "circle" else (attributes["rx"], attributes["ry"])
            return Ellipse((x, y), (float(radii[0]), float(radii[1])), angle)
        case "point":
            return Dots(coordinates([(attributes["cx"], attributes["cy"])]))
        case _:
            return Unsupported(kind)
