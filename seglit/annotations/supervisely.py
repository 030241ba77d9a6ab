"""Supervisely: one JSON file for each image, in `ann` beside the images in `img`."""

import base64
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seglit.annotations.embedded_png import decode_png
from seglit.annotations.image_lookup import way_on
from seglit.annotations.json_files import json_errors, read_json
from seglit.annotations.reader import AnnotatedImage, Annotations, Reader, hex_color, split_in
from seglit.annotations.regions import (
    Bitmap,
    Box,
    Dots,
    Line,
    Polygon,
    Region,
    Shape,
    Unsupported,
    coordinates,
)
from seglit.errors import InputError
from seglit.images.listing import files_below, is_file
from seglit.images.pairs import Missing, Split


@dataclass(frozen=True)
class Supervisely(Reader):
    """Supervisely: `DATASET/img/NAME.jpg` and `DATASET/ann/NAME.jpg.json`, and the classes in `meta.json`.

    Objects are drawn in the order of the file, and cover every pixel that their outline touches. Data sets that are
    named like splits are splits. Images without a JSON file are ignored.

    Args:
        meta: The file of class names and colours.
    """

    meta: str = "meta.json"

    format_name = "Supervisely's format"
    outlined = True

    def find(self, root: Path) -> Annotations:
        """Finds the images that have a JSON file; see `Reader.find`."""
        folders = [folder.parent for folder in sorted(root.rglob("ann")) if (folder.parent / "img").is_dir()]
        if not folders:
            raise InputError(f"{root}: no folders img and ann beside each other, as in {self.format_name}")
        found = Annotations()
        for folder in folders:
            split = split_in(folder.relative_to(root).parts)
            for file in files_below(folder / "ann", (".json",)):
                name = file.relative_to(folder / "ann").with_suffix("")
                image = folder / "img" / name
                if not is_file(image):
                    message = f"{file}: its image {image} does not exist{way_on(image, root)}"
                    found.missing.append(Missing([image], message))
                    continue
                below = (folder.relative_to(root) / name).with_suffix("").as_posix()
                found.images.append(AnnotatedImage(image, file, below, split))
        if is_file(root / self.meta):
            meta = read_json(root / self.meta)
            with json_errors(root / self.meta, self.format_name):
                classes = {str(entry["title"]): hex_color(entry.get("color")) for entry in meta.get("classes", ())}
            found.class_names = tuple(classes) or None
            found.colors = {name: color for name, color in classes.items() if color is not None}
        return found

    def regions(self, entry: AnnotatedImage, size: tuple[int, int]) -> list[Region]:
        """Returns the objects of the JSON file; see `Reader.regions`."""
        data = read_json(entry.annotations, "objects")
        with json_errors(entry.annotations, self.format_name):
            stated = data.get("size", {})
            entry.check_size(size, (int(stated.get("height", size[0])), int(stated.get("width", size[1]))))
            return [Region(str(item["classTitle"]), _shape(item, size)) for item in data["objects"]]

    def labels(self, entry: AnnotatedImage) -> list[str]:
        """Returns the class of each object."""
        data = read_json(entry.annotations, "objects")
        with json_errors(entry.annotations, self.format_name):
            return [str(item["classTitle"]) for item in data["objects"]]

    def searched(self, root: Path, split: Split) -> str:
        """Says where the images of a split were searched, for error messages."""
        return f"looked for a data set {split!r} in {root}"


def _shape(item: Mapping[str, Any], size: tuple[int, int]) -> Shape:
    kind = str(item.get("geometryType", "bitmap" if item.get("bitmap") else "polygon"))
    exterior = coordinates((item.get("points") or {}).get("exterior", ()))
    match kind:
        case "polygon":
            return Polygon(exterior, tuple(coordinates(hole) for hole in item["points"].get("interior", ()) if hole))
        case "rectangle":
            (left, top), (right, bottom) = exterior.min(0).tolist(), exterior.max(0).tolist()
            return Box.of_edges(left, top, right, bottom)
        case "line" | "polyline":
            return Line(exterior)
        case "point":
            return Dots(exterior)
        case "bitmap":
            left, top = (int(number) for number in item["bitmap"]["origin"])
            return Bitmap(_decode(item["bitmap"]["data"], size), left, top)
        case _:
            return Unsupported(kind)


def _decode(text: str, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Decodes a compressed PNG.

    Raises:
        ValueError: It is not one, or larger than the image.
    """
    limit = 8 * size[0] * size[1] + 2**16  # more than any PNG of this size
    inflate = zlib.decompressobj()
    try:
        content = inflate.decompress(base64.b64decode(text), limit)
    except zlib.error as error:
        raise ValueError(f"a bitmap is not compressed data: {error}") from error
    if inflate.unconsumed_tail:
        raise ValueError("a bitmap is larger than the image")
    return decode_png(content, size)
