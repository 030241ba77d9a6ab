"""Draws the shapes of labelme JSON, as labelme's own export draws them."""

import base64
import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from seglit.annotations.json_files import check_coordinates, json_errors, read_json
from seglit.errors import InputError, did_you_mean


def draw_shapes(
    file: Path, size: tuple[int, ...], values: Mapping[str, int], fill: int, image_name: str
) -> npt.NDArray[np.uint8]:
    """Draws the shapes of a labelme file over each other, in the order of the file.

    Args:
        file: The JSON.
        size: Height and width of its image, upright, as labelme shows it.
        values: Label of a shape to its class index, or void.
        fill: Class index of the pixels in no shape.
        image_name: Name of the image, for messages.

    Returns:
        (H, W) uint8 class indices, void 255.

    Raises:
        InputError: The image size differs, or a shape has an unsupported type or unknown label.
    """
    height, width = size
    data = read_json(file, "shapes")
    stated = (data.get("imageHeight") or height, data.get("imageWidth") or width)
    if stated != (height, width):
        raise InputError(
            f"{file}: was drawn on {stated[0]} x {stated[1]} pixels (height x width), but its "
            f"image {image_name} has {height} x {width}"
        )
    canvas = Image.new("L", (width, height), fill)
    with json_errors(file, "labelme's format"):
        for shape in data["shapes"]:
            label = str(shape.get("label"))
            if label not in values:
                hint = did_you_mean(label, values)
                raise InputError(f"{file}: the label {label!r} is neither a class nor in ignore_labels{hint}")
            _draw(canvas, shape, values[label], file)
    return np.array(canvas)


def _draw(canvas: Image.Image, shape: dict[str, Any], value: int, file: Path) -> None:
    """Draws one shape. Lines and points are unsupported, since they have no area."""
    kind = shape.get("shape_type") or "polygon"  # the only type in labelme's first versions
    points = [(float(x), float(y)) for x, y in shape.get("points", [])]
    check_coordinates([value for point in points for value in point], canvas.height, canvas.width)
    draw = ImageDraw.Draw(canvas)
    if kind == "polygon" and len(points) > 2:
        draw.polygon(points, fill=value, outline=value)
    elif kind == "rectangle" and len(points) == 2:
        (left, right), (top, bottom) = (sorted(ends) for ends in zip(*points, strict=True))
        draw.rectangle((left, top, right, bottom), fill=value)
    elif kind == "circle" and len(points) == 2:
        (x, y), rim = points
        radius = math.dist((x, y), rim)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=value)
    elif kind == "mask" and points:
        canvas.paste(value, (int(points[0][0]), int(points[0][1])), _decode(shape, file))
    else:
        raise InputError(
            f"{file}: contains a shape {kind!r} of {len(points)} points; supported are polygons (3 or more), "
            "rectangles and circles (2), and masks"
        )


def _decode(shape: dict[str, Any], file: Path) -> Image.Image:
    """Decodes the mask of a shape of type mask: of the size of its bounding box, 255 inside and 0 outside."""
    try:
        with Image.open(io.BytesIO(base64.b64decode(shape["mask"])), formats=["PNG"]) as part:
            return part.convert("L").point(lambda grey: 255 * (grey > 0))
    # OSError: not an image
    except (KeyError, OSError, SyntaxError, TypeError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{file}: contains a shape 'mask' that is not an image ({type(error).__name__})") from error
