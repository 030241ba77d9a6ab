"""Draws regions to class indices: one function for all label formats."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seglit.annotations.rasterize import (
    Size,
    clipped,
    ellipse_pixels,
    outlined_ellipse,
    outlined_polygon,
    polygon_pixels,
    stroke_pixels,
    union,
    window,
)
from seglit.annotations.reader import Reader
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
)
from seglit.errors import InputError, did_you_mean
from seglit.labels import IGNORE_INDEX


@dataclass(frozen=True)
class DrawSettings:
    """How regions become class indices.

    Args:
        classes: Label to class index or void; None skips regions of the label. Any other label is an error.
        fill: Class index of the pixels in no region.
        in_file_order: Draws regions in their order, by `z`, not the larger ones first.
        outlined: A shape covers every pixel that its outline touches, and whole coordinates are pixels.
        line_width: Width of lines, and diameter of points, in pixels; None makes them errors.
        draw_boxes: Draws bounding boxes as rectangles; if not, they are errors.
        skip_shapes: Kinds of shapes that are not drawn.
    """

    classes: Mapping[str, int | None]
    fill: int
    in_file_order: bool = True
    outlined: bool = False
    line_width: float | None = None
    draw_boxes: bool = False
    skip_shapes: tuple[str, ...] = ()


def draw_settings(
    reader: Reader,
    declared: Sequence[str] | None,
    class_names: Sequence[str],
    fill: int,
    ignore_labels: Collection[str] = (),
    strokes: tuple[float | None, bool, tuple[str, ...]] = (None, False, ()),
) -> DrawSettings:
    """Returns how the regions of a format become class indices.

    Args:
        reader: The format.
        declared: The classes that it lists, of which those without index are not drawn; None if it lists none.
        class_names: The classes, in the order of their indices.
        fill: Class index of the pixels in no region.
        ignore_labels: Labels that are void.
        strokes: `line_width`, `draw_boxes` and `skip_shapes`, see `DrawSettings`.
    """
    classes: dict[str, int | None] = dict.fromkeys(declared or ())
    classes |= dict.fromkeys(reader.background_labels, fill)
    classes |= dict.fromkeys(reader.void_labels, IGNORE_INDEX)
    classes |= {name: index for index, name in enumerate(class_names)}
    classes |= dict.fromkeys(ignore_labels, IGNORE_INDEX)
    return DrawSettings(classes, fill, reader.in_file_order, reader.outlined, *strokes)


def draw(regions: Iterable[Region], size: Size, settings: DrawSettings, where: str) -> npt.NDArray[np.uint8]:
    """Draws regions over each other: crowds first, then the others in the order of the settings.

    Args:
        regions: The regions, in the order of the format.
        size: Height and width of the image in pixels.
        settings: How to draw them.
        where: Annotation file and image, for messages.

    Returns:
        (H, W) uint8 class indices, void 255.

    Raises:
        InputError: A label is unknown, or a shape is invalid or cannot be drawn with these settings.
    """
    drawn: list[tuple[bool, int, int, Bitmap]] = []
    for region in regions:
        if region.kind in settings.skip_shapes:
            continue
        if region.label not in settings.classes:
            known = [label for label, index in settings.classes.items() if index is not None]
            raise InputError(
                f"{where}: the label {region.label!r} is neither a class nor in ignore_labels"
                f"{did_you_mean(region.label, known)}"
            )
        if (value := settings.classes[region.label]) is None:
            continue
        try:
            pixels = clipped(_pixels(region.shape, size, settings, where), size)
        except ValueError as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{where}: {error}") from error
        order = region.z if settings.in_file_order else -int(pixels.pixels.sum())
        drawn.append((not region.crowd, order, IGNORE_INDEX if region.crowd else value, pixels))
    mask: npt.NDArray[np.uint8] = np.full(size, settings.fill, np.uint8)
    for _, _, value, pixels in sorted(drawn, key=lambda entry: entry[:2]):
        window(mask, pixels)[pixels.pixels] = value
    return mask


def _pixels(shape: Shape, size: Size, settings: DrawSettings, where: str) -> Bitmap:
    """Draws one shape."""
    match shape:
        case Bitmap():
            return shape
        case Polygon(exterior, holes):
            return _polygon(exterior, size, settings, holes)
        case Box(corners, bounding):
            if bounding and not settings.draw_boxes:
                raise InputError(
                    f"{where}: contains a bounding box without an outline; set `draw_boxes: true` to draw boxes, or "
                    "`skip_shapes: [box]` to skip them"
                )
            return _polygon(corners, size, settings)
        case Ellipse(center, radii, angle):
            if settings.outlined:
                return outlined_ellipse(center, radii, size)
            return ellipse_pixels(center, radii, angle, size)
        case Unsupported(kind):
            raise InputError(
                f"{where}: contains a {kind}, which cannot be drawn; set `skip_shapes: [{kind}]` to skip it"
            )
        case Line(points):
            return stroke_pixels(*_stroke(points, settings, "line", where), size)
        case Dots(points):
            shifted, width = _stroke(points, settings, "point", where)
            return union([stroke_pixels(point[None], width, size) for point in shifted])


def _polygon(exterior: Coordinates, size: Size, settings: DrawSettings, holes: tuple[Coordinates, ...] = ()) -> Bitmap:
    if len(exterior) < 3:
        raise ValueError(f"a polygon has {len(exterior)} points")
    draw_ring = outlined_polygon if settings.outlined else polygon_pixels
    return draw_ring(exterior, size, [hole for hole in holes if len(hole) > 2])


def _stroke(points: Coordinates, settings: DrawSettings, kind: str, where: str) -> tuple[Coordinates, float]:
    """Returns the points in continuous coordinates, and the width."""
    if settings.line_width is None:
        raise InputError(
            f"{where}: contains a {kind}, which has no area; set `line_width: 3` to draw lines and points 3 pixels "
            f"wide, or `skip_shapes: [{kind}]` to skip them"
        )
    return points + 0.5 * settings.outlined, settings.line_width
