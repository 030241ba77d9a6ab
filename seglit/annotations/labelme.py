"""labelme JSON, one file for each image."""

import base64
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from seglit.annotations.contours import layers
from seglit.annotations.embedded_png import decode_png
from seglit.annotations.image_lookup import ImageLookup, way_on
from seglit.annotations.json_files import json_errors, read_json, write_json
from seglit.annotations.predicted import Classes, PredictedMask
from seglit.annotations.reader import AnnotatedImage, Annotations, Reader, split_paths
from seglit.annotations.regions import Bitmap, Box, Dots, Ellipse, Line, Polygon, Region, Shape, coordinates
from seglit.errors import InputError, did_you_mean
from seglit.images.matching import find_pairs
from seglit.images.pairs import AnySplit, Missing, PairSettings, Split


@dataclass(frozen=True)
class Labelme(Reader):
    """labelme JSON, beside the images or in a folder of their own.

    As in labelme's own export, shapes are drawn in the order of the file, later ones over earlier ones, and cover every
    pixel that their outline touches; `_background_` cuts holes, and `_ignore_` is void. Images without a JSON file are
    ignored, since nobody has annotated them. (An image that shows no object has a JSON file without shapes.)

    Args:
        images: Folder of the images, sub-folders included; `{split}` stands for train, val or test, or another
            spelling, such as valid.
        annotations: Folder of the JSON files; None finds them beside the images.
    """

    images: str = "images/{split}"
    annotations: str | None = None

    format_name = "labelme's format"
    outlined = True
    background_labels = ("_background_",)
    void_labels = ("_ignore_", "__ignore__")

    def find(self, root: Path) -> Annotations:
        """Finds the images that have a JSON file; see `Reader.find`."""
        images = split_paths(root, self.images)
        folders = images if self.annotations is None else split_paths(root, self.annotations)
        found, lookup = Annotations(), ImageLookup(root)
        for split in [split for split in images if split in folders]:
            self._add(found, root, split, images[split], folders[split], lookup)
        found.notes = lookup.notes()
        return found

    def _add(
        self, found: Annotations, root: Path, split: AnySplit, images: str, annotations: str, lookup: ImageLookup
    ) -> None:
        settings = PairSettings(images, annotations, mask_name="{stem}.json", mask_suffixes=(".json",))
        pairing = find_pairs(root, settings)
        found.images += [AnnotatedImage(pair.image, pair.mask, pair.name, split) for pair in pairing.pairs]
        for file in pairing.masks_without_image:
            stated = PurePosixPath(str(read_json(file).get("imagePath", "")).replace("\\", "/")).name
            image = lookup.find(stated, root / images, file) if stated else None
            if not isinstance(image, Path):
                stems = [*(pair.image.stem for pair in pairing.pairs), *(x.stem for x in pairing.images_without_mask)]
                hint = did_you_mean(file.stem, stems)
                message = f"{file}: its image {file.stem}.* does not exist{hint}{way_on(file, root)}"
                found.missing.append(Missing([file], message))
                continue
            name = image.relative_to(root / images if image.is_relative_to(root / images) else root)
            found.images.append(AnnotatedImage(image, file, name.with_suffix("").as_posix(), split))

    def regions(self, entry: AnnotatedImage, size: tuple[int, int]) -> list[Region]:
        """Returns the shapes of the JSON file; see `Reader.regions`."""
        file = entry.annotations
        data = read_json(file, "shapes")
        entry.check_size(size, (data.get("imageHeight") or size[0], data.get("imageWidth") or size[1]))
        with json_errors(file, self.format_name):
            return [Region(str(shape.get("label")), _shape(shape, size, file)) for shape in data["shapes"]]

    def labels(self, entry: AnnotatedImage) -> list[str]:
        """Returns the labels of the shapes."""
        data = read_json(entry.annotations, "shapes")
        with json_errors(entry.annotations, self.format_name):
            return [str(shape.get("label")) for shape in data["shapes"]]

    def searched(self, root: Path, split: Split) -> str:
        """Says where the images of a split were searched, for error messages."""
        return f"looked for images with a JSON file in {root / self.images.replace('{split}', split)}"


def _shape(shape: Mapping[str, Any], size: tuple[int, int], file: Path) -> Shape:
    kind = shape.get("shape_type") or "polygon"  # the only type in labelme's first versions
    points = coordinates(shape.get("points", []))
    match kind, len(points):
        case "polygon", count if count > 2:
            return Polygon(points)
        case "rectangle", 2:
            (left, top), (right, bottom) = points.min(0).tolist(), points.max(0).tolist()
            return Box.of_edges(left, top, right, bottom)
        case "circle", 2:
            radius = math.dist(*points.tolist())
            return Ellipse((float(points[0, 0]), float(points[0, 1])), (radius, radius))
        case "line" | "linestrip", count if count > 1:
            return Line(points)
        case "point" | "points", count if count > 0:
            return Dots(points)
        case "mask", count if count > 0:
            return Bitmap(_decode(shape, size, file), int(points[0, 0]), int(points[0, 1]))
        case _:
            raise InputError(
                f"{file}: contains a shape {kind!r} of {len(points)} points; supported are polygons (3 or more), "
                "rectangles and circles (2), lines, points and masks"
            )


def _decode(shape: Mapping[str, Any], size: tuple[int, int], file: Path) -> Any:
    """Decodes the mask of a shape of type mask, of the size of its bounding box."""
    try:
        return decode_png(base64.b64decode(shape["mask"]), size)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{file}: contains a shape 'mask' that is not an image ({type(error).__name__})") from error


def write_labelme(images: Iterable[PredictedMask], classes: Classes, folder: Path) -> Path:
    """Writes a JSON file for each image, with polygons in drawing order.

    A hole is a later polygon of the class in it, or of `_background_`, since labelme's polygons have none.
    """
    for image, _, output, mask in images:
        file = folder / f"{output}.json"
        shapes = [
            {
                "label": classes.foreground.get(index, Labelme.background_labels[0]),
                "points": points.tolist(),
                "group_id": None,
                "description": "",
                "shape_type": "polygon",
                "flags": {},
            }
            for index, points in layers(mask, classes.background)
        ]
        content = {
            "version": "5.5.0",
            "flags": {},
            "shapes": shapes,
            "imagePath": os.path.relpath(image, file.parent),
            "imageData": None,
            "imageHeight": mask.shape[0],
            "imageWidth": mask.shape[1],
        }
        write_json(file, content)
    return folder
