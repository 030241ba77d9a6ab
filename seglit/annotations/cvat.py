"""CVAT for images 1.1: one XML file."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.parsers import expat  # a DOCTYPE, and so every entity, is refused
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from seglit.annotations.image_lookup import ListedImages
from seglit.annotations.json_files import json_errors
from seglit.annotations.predicted import Classes, PredictedMask
from seglit.annotations.reader import AnnotatedImage, Annotations, Reader, hex_color, split_in
from seglit.annotations.regions import (
    Bitmap,
    Box,
    Coordinates,
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
from seglit.annotations.rle import decode_runs, encode_runs
from seglit.errors import InputError
from seglit.images.listing import nearest_entry
from seglit.images.pairs import Split
from seglit.images.replacing import replacing
from seglit.labels import Color


@dataclass(frozen=True)
class Cvat(Reader):
    """CVAT's own XML, exported as "CVAT for images 1.1".

    Regions are drawn by `z_order`, then in the order of the file. An image without regions is all background. Subsets
    of a project that are named like splits are splits.

    Args:
        annotations: The XML file; or several, as in `*/annotations.xml`, one for each task of a project.
        images: Folder of the images.
    """

    annotations: str = "annotations.xml"
    images: str = "images"

    format_name = "CVAT's XML for images 1.1"

    def find(self, root: Path) -> Annotations:
        """Finds the images that the XML lists; see `Reader.find`."""
        listed, labels = ListedImages(root), dict[str, Color | None]()
        files = sorted(root.glob(self.annotations)) if "*" in self.annotations else []
        for file in files or [root / self.annotations]:
            with listed.reading(file), json_errors(file, self.format_name):
                content = _parse(file)
                for image, shapes in content.images:
                    size = int(image["height"]), int(image["width"])
                    split = split_in([image.get("subset", "")])
                    listed.add(image["name"], root / self.images, file, split, size, json.dumps(shapes).encode())
                labels |= content.labels
        found = listed.finish()
        if any(entry.split == "all" for entry in found.images):  # subsets are not the splits
            found.images = [entry._replace(split="all") for entry in found.images]
        found.class_names = tuple(labels) or None
        found.colors = {name: color for name, color in labels.items() if color is not None}
        return found

    def regions(self, entry: AnnotatedImage, size: tuple[int, int]) -> list[Region]:
        """Returns the shapes of an image; see `Reader.regions`."""
        with json_errors(entry.where, self.format_name):
            return [
                Region(shape["label"], _shape(tag, shape, size), z=int(shape.get("z_order", 0)))
                for tag, shape in json.loads(entry.raw)
            ]

    def labels(self, entry: AnnotatedImage) -> list[str]:
        """Returns the label of each shape."""
        return [str(shape.get("label")) for _, shape in json.loads(entry.raw)]

    def searched(self, root: Path, split: Split) -> str:
        """Says where the images of a split were searched, for error messages."""
        return f"looked for the subset {split!r} in {root / self.annotations}"


class _Content:
    """Handlers of the XML parser, and what they collect."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.images: list[tuple[dict[str, str], list[tuple[str, dict[str, str]]]]] = []
        self.labels: dict[str, Color | None] = {}
        self._open: list[str] = []
        self._label: dict[str, str] = {}

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Handles the start of an element."""
        self._open.append(tag)
        if len(self._open) == 1 and tag != "annotations":
            raise InputError(f"{self.file}: is not in {Cvat.format_name}: its root is <{tag}>, not <annotations>")
        if tag == "track":
            raise InputError(
                f'{self.file}: contains tracks of a video; export it as "CVAT for images 1.1", which has every frame'
            )
        if self._open == ["annotations", "image"]:
            self.images.append((attributes, []))
        elif len(self._open) == 3 and self._open[1] == "image" and tag != "tag":
            self.images[-1][1].append((tag, attributes))
        elif tag == "label":
            self._label = {}

    def end(self, tag: str) -> None:
        """Handles the end of an element."""
        self._open.pop()
        # a label with a parent is a part of a skeleton
        if tag == "label" and "meta" in self._open and "name" in self._label and "parent" not in self._label:
            self.labels[self._label["name"].strip()] = hex_color(self._label.get("color"))

    def text(self, text: str) -> None:
        """Handles text, which may come in parts."""
        if len(self._open) > 2 and self._open[-2] == "label":
            self._label[self._open[-1]] = self._label.get(self._open[-1], "") + text

    def refuse(self, *_: object) -> None:
        """Handles a DOCTYPE."""
        raise InputError(f"{self.file}: contains a DOCTYPE, which CVAT does not write; it is not read")


def _parse(file: Path) -> _Content:
    if not file.is_file():
        raise InputError(f"{file}: no such file{nearest_entry(file)}")
    content = _Content(file)
    parser = expat.ParserCreate()
    parser.StartElementHandler = content.start
    parser.EndElementHandler = content.end
    parser.CharacterDataHandler = content.text
    parser.StartDoctypeDeclHandler = content.refuse
    try:
        with file.open("rb") as stream:
            parser.ParseFile(stream)
    except (expat.ExpatError, LookupError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{file}: is not valid XML ({error})") from error
    return content


def _points(text: str) -> Coordinates:
    return coordinates([[float(number) for number in pair.split(",")] for pair in text.split(";") if pair])


def _shape(tag: str, shape: Mapping[str, Any], size: tuple[int, int]) -> Shape:
    def number(key: str) -> float:
        return float(shape.get(key, 0) if key == "rotation" else shape[key])

    match tag:
        case "polygon":
            return Polygon(_points(shape["points"]))
        case "polyline":
            return Line(_points(shape["points"]))
        case "points":
            return Dots(_points(shape["points"]))
        case "box":
            box = Box.of_edges(number("xtl"), number("ytl"), number("xbr"), number("ybr"))
            return Box(rotated(box.corners, number("rotation"), box.corners.mean(0)))
        case "ellipse":
            return Ellipse((number("cx"), number("cy")), (number("rx"), number("ry")), number("rotation"))
        case "mask":
            left, top, width, height = (int(number(key)) for key in ("left", "top", "width", "height"))
            if not 0 < height <= size[0] or not 0 < width <= size[1]:
                raise ValueError(f"a mask is {height} x {width} pixels, larger than the image")
            counts = [int(count) for count in shape["rle"].split(",")]
            return Bitmap(decode_runs(counts, height * width).reshape(height, width), left, top)
        case _:
            return Unsupported(tag)


def write_cvat(images: Iterable[PredictedMask], classes: Classes, folder: Path) -> Path:
    """Writes `cvat.xml`: for each class in an image, one mask."""
    file = folder / "cvat.xml"
    with replacing(file) as part, part.open("w", encoding="utf-8") as stream:
        stream.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n')
        stream.write("  <meta><task><labels>\n")
        for index, name in classes.foreground.items():
            color = classes.hex_color(index)
            stream.write(f"    <label><name>{escape(name)}</name><color>{color}</color><type>mask</type></label>\n")
        stream.write("  </labels></task></meta>\n")
        for number, (_, name, _, mask) in enumerate(images):
            height, width = mask.shape
            stream.write(f'  <image id="{number}" name={quoteattr(name)} width="{width}" height="{height}">\n')
            for index, pixels in classes.regions(mask):
                rows, columns = (np.flatnonzero(pixels.any(axis)) for axis in (1, 0))
                top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
                runs = ", ".join(map(str, encode_runs(pixels[top:bottom, left:right].ravel()).tolist()))
                stream.write(
                    f'    <mask label={quoteattr(classes.names[index])} source="auto" occluded="0" rle="{runs}" '
                    f'left="{left}" top="{top}" width="{right - left}" height="{bottom - top}" z_order="0"/>\n'
                )
            stream.write("  </image>\n")
        stream.write("</annotations>\n")
    return file
