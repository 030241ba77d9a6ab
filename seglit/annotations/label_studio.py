"""Label Studio: JSON and JSON-MIN exports."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import numpy as np

from seglit.annotations.brush_rle import decode_brush, encode_brush
from seglit.annotations.image_lookup import ListedImages
from seglit.annotations.json_files import json_errors, read_any_json, write_json
from seglit.annotations.predicted import Classes, PredictedMask
from seglit.annotations.reader import AnnotatedImage, Annotations, Reader, split_paths
from seglit.annotations.regions import (
    Bitmap,
    Box,
    Dots,
    Ellipse,
    Line,
    Polygon,
    Region,
    Shape,
    Unsupported,
    coordinates,
    rotated,
)
from seglit.errors import InputError
from seglit.images.listing import SUFFIXES, nearest_entry
from seglit.images.pairs import Split

_SHAPES = ("polygon", "rectangle", "ellipse", "brush", "keypoint", "vector")
_UPLOAD_PREFIX = re.compile(r"[0-9a-f]{8}-")


@dataclass(frozen=True)
class LabelStudio(Reader):
    """Label Studio's JSON or JSON-MIN: polygons, rectangles, ellipses, brushes, key points.

    Regions are drawn in the order of the file. Tasks that nobody has annotated are ignored; of several annotations of a
    task, the ground truth counts, else the latest. Images are found by their base names, with or without the prefix
    that an upload gets.

    Args:
        annotations: The JSON file (or several, as in `exports/*.json`); `{split}` stands for train, val or test.
        images: Folder of the images.
    """

    annotations: str = "annotations.json"
    images: str = "."

    format_name = "Label Studio's JSON"

    def find(self, root: Path) -> Annotations:
        """Finds the annotated images of the tasks; see `Reader.find`."""
        files = split_paths(root, self.annotations)
        if not files:
            file = root / self.annotations.replace("{split}", "train")
            raise InputError(f"{file}: no such file{nearest_entry(file)}")
        listed, notes = ListedImages(root), list[str]()
        for split, path in files.items():
            for file in (sorted(root.glob(path)) if "*" in path else []) or [root / path]:
                unannotated, several = 0, 0
                with listed.reading(file), json_errors(file, self.format_name):
                    tasks = read_any_json(file)
                    for task in [tasks] if isinstance(tasks, dict) else tasks:
                        name, results, count = _task(task)
                        unannotated, several = unannotated + (count == 0), several + (count > 1)
                        if count:
                            size, raw = _compact(results)
                            base = base_name(name)
                            plain = without_prefix(base)
                            listed.add(base, root / self.images, file, split, size, raw, plain)
                if unannotated:
                    notes.append(f"{file}: {unannotated} tasks are not annotated, and not used")
                if several:
                    notes.append(f"{file}: {several} tasks have several annotations; the ground truth or latest counts")
        return listed.finish(notes)

    def regions(self, entry: AnnotatedImage, size: tuple[int, int]) -> list[Region]:
        """Returns the regions of an image; see `Reader.regions`."""
        with json_errors(entry.where, self.format_name):
            return [Region(label, _shape(kind, value, size)) for label, kind, value in json.loads(entry.raw)]

    def labels(self, entry: AnnotatedImage) -> list[str]:
        """Returns the label of each region."""
        return [label for label, *_ in json.loads(entry.raw)]

    def searched(self, root: Path, split: Split) -> str:
        """Says where the images of a split were searched, for error messages."""
        return f"looked in {root / self.annotations.replace('{split}', split)}"


def _task(task: Mapping[str, Any]) -> tuple[str, Sequence[Mapping[str, Any]], int]:
    """The image, the results of the annotation that counts, and the number of annotations of a task."""
    if "data" not in task:  # JSON-MIN: the results are beside the image
        entries = [entry for value in task.values() if isinstance(value, list) for entry in value]
        results = [{**entry, "value": entry} for entry in entries if "original_width" in entry]
        return _image_name(task), results, int("annotation_id" in task or bool(results))
    annotations = [
        entry for entry in task.get("annotations", task.get("completions", ())) if not entry.get("was_cancelled")
    ]
    if not annotations:
        return _image_name(task["data"]), [], 0
    ordered = sorted(annotations, key=lambda entry: (bool(entry.get("ground_truth")), str(entry.get("updated_at", ""))))
    results = [result for result in ordered[-1]["result"] if "value" in result]  # not the relations of regions
    return _image_name(task["data"]), results, len(annotations)


def _image_name(data: Mapping[str, Any]) -> str:
    """The path of a task's image, in a data field of any name."""
    texts = [value for value in data.values() if isinstance(value, str)]
    images = [text for text in texts if base_name(text).lower().endswith(SUFFIXES)]
    return (images or texts)[0]


def without_prefix(name: str) -> str:
    """Returns the name that a file had before it was uploaded."""
    return _UPLOAD_PREFIX.sub("", name, count=1)


def base_name(address: str) -> str:
    """Returns the file name in a path, a URL, or the address of a local file (`/data/local-files/?d=folder/a.jpg`)."""
    parts = urlsplit(address.replace("\\", "/"))
    local = parse_qs(parts.query).get("d")
    return (local[0] if local else unquote(parts.path)).rpartition("/")[2]


def _compact(results: Sequence[Mapping[str, Any]]) -> tuple[tuple[int, int] | None, bytes]:
    """Size of the image, if stated, and JSON of [label, kind, value] of each region."""
    labels = {result.get("id"): label for result in results for label in [_label(result["value"])] if label}
    sizes = {(int(r["original_height"]), int(r["original_width"])) for r in results if "original_width" in r}
    regions, seen = [], set()
    for result in results:
        kind = next((kind for kind in _kinds(result) if kind in _SHAPES), None)
        if kind is None or (result.get("id") in seen and "id" in result):
            continue
        if float(result.get("image_rotation") or 0):
            raise ValueError("an image is rotated in Label Studio, which is not supported; rotate the file")
        seen.add(result.get("id"))
        value = {**result["value"], "rle": result["value"].get("rle", result.get("rle"))}
        kept = {k: v for k, v in value.items() if k in _VALUES and v is not None}
        regions.append([_label(result["value"]) or labels.get(result.get("id"), ""), kind, kept])
    return (sizes.pop() if len(sizes) == 1 else None), json.dumps(regions).encode()


_VALUES = ("points", "x", "y", "width", "height", "rotation", "radiusX", "radiusY", "rle", "vertices")


def _kinds(result: Mapping[str, Any]) -> Iterator[str]:
    """What the type of a result, or the name of its labels, says about its shape."""
    for name in (str(result.get("type", "")), *result["value"]):
        yield name.lower().removesuffix("labels")
    by_key = {"points": "polygon", "rle": "brush", "radiusX": "ellipse", "height": "rectangle"}
    yield from (kind for key, kind in by_key.items() if key in result["value"])


def _label(value: Mapping[str, Any]) -> str:
    """The first label of a value; empty if it has none."""
    lists = (entry for key, entry in value.items() if key.lower().endswith("labels") and isinstance(entry, list))
    return next((str(entry[0]) for entry in lists if entry), "")


def _shape(kind: str, value: Mapping[str, Any], size: tuple[int, int]) -> Shape:
    scale = np.array(size[::-1]) / 100  # values are percentages
    match kind:
        case "polygon":
            return Polygon(coordinates(value["points"]) * scale)
        case "rectangle":
            x, y, width, height = (float(value[key]) for key in ("x", "y", "width", "height"))
            corners = Box.of_edges(x, y, x + width, y + height).corners * scale
            return Box(rotated(corners, float(value.get("rotation", 0)), corners[0]))
        case "ellipse":
            x, y = (float(value[key]) * scale[axis] for axis, key in enumerate("xy"))
            radii = float(value["radiusX"]) * scale[0], float(value["radiusY"]) * scale[1]
            return Ellipse((x, y), radii, float(value.get("rotation", 0)))
        case "brush":
            return Bitmap(decode_brush(value["rle"], *size))
        case "keypoint":
            return Dots(coordinates([(value["x"], value["y"])]) * scale)
        case "vector":
            return Line(coordinates([(point["x"], point["y"]) for point in value["vertices"]]) * scale)
        case _:
            return Unsupported(kind)


def write_label_studio(images: Iterable[PredictedMask], classes: Classes, folder: Path) -> Path:
    """Writes `label-studio.json`: a task for each image, whose prediction has one brush for each class.

    The control and the image are named as in the template "Semantic segmentation with masks":
    `<BrushLabels name="tag" toName="image">`. Images are local files, relative to the document root.
    """
    tasks = []
    for _, name, _, mask in images:
        results = [
            {
                "id": f"class{index}",
                "type": "brushlabels",
                "from_name": "tag",
                "to_name": "image",
                "original_width": mask.shape[1],
                "original_height": mask.shape[0],
                "image_rotation": 0,
                "value": {"format": "rle", "rle": encode_brush(pixels), "brushlabels": [classes.names[index]]},
            }
            for index, pixels in classes.regions(mask)
        ]
        address = f"/data/local-files/?d={quote(name)}"
        tasks.append({"data": {"image": address}, "predictions": [{"model_version": "seglit", "result": results}]})
    return write_json(folder / "label-studio.json", tasks)
