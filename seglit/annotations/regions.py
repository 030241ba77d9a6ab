"""Regions of an image as labelling tools state them: a label and a shape, in pixels of the upright image."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Coordinates = npt.NDArray[np.float64]
"""Points (N, 2): x, y in pixels."""


def coordinates(points: Any) -> Coordinates:
    """Converts a sequence of points, or of alternating x and y, to an array (N, 2).

    Raises:
        ValueError: The values are not numbers, or not pairs.
        TypeError: Likewise.
    """
    array = np.asarray(points, np.float64)
    if array.ndim == 1 and array.size % 2:
        raise ValueError(f"a shape has {array.size} coordinates, not pairs of x and y")
    if array.ndim == 2 and array.shape[1] != 2:
        raise ValueError(f"a point has {array.shape[1]} coordinates, not x and y")
    return array.reshape(-1, 2)


def rotated(points: Coordinates, degrees: float, center: Coordinates) -> Coordinates:
    """Returns points rotated clockwise about a centre.

    Raises:
        ValueError: The angle is not a number.
    """
    if not np.isfinite(degrees):
        raise ValueError(f"a shape is rotated by {degrees} degrees")
    sine, cosine = np.sin(np.deg2rad(degrees)), np.cos(np.deg2rad(degrees))
    turned: Coordinates = (points - center) @ np.array([[cosine, sine], [-sine, cosine]]) + center
    return turned


@dataclass(frozen=True, slots=True, eq=False)
class Polygon:
    """A polygon; `holes` do not belong to it."""

    exterior: Coordinates
    holes: tuple[Coordinates, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Box:
    """A rectangle, possibly rotated, by its four corners.

    Args:
        corners: In drawing order.
        bounding: Whether it only bounds an object whose outline is not stated.
    """

    corners: Coordinates
    bounding: bool = False

    @classmethod
    def of_edges(cls, left: float, top: float, right: float, bottom: float, bounding: bool = False) -> Self:
        """Creates an upright box."""
        return cls(coordinates([(left, top), (right, top), (right, bottom), (left, bottom)]), bounding)


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """Connected line segments, without area."""

    points: Coordinates


@dataclass(frozen=True, slots=True, eq=False)
class Dots:
    """Single points, without area."""

    points: Coordinates


@dataclass(frozen=True, slots=True, eq=False)
class Ellipse:
    """An ellipse or circle.

    Args:
        center: x and y.
        radii: Half axes, before the rotation horizontal and vertical.
        angle: Clockwise rotation in degrees.
    """

    center: tuple[float, float]
    radii: tuple[float, float]
    angle: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Bitmap:
    """Pixels, such as of a brush, a run-length encoding or a drawn shape.

    Args:
        pixels: bool (h, w).
        left: Column of the image where they start; may be negative.
        top: Row likewise.
    """

    pixels: npt.NDArray[np.bool_]
    left: int = 0
    top: int = 0


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A shape that has no pixels in an image, such as a cuboid; `kind` as the tool names it."""

    kind: str


Shape = Polygon | Box | Line | Dots | Ellipse | Bitmap | Unsupported
_KINDS: dict[type, str] = {
    Polygon: "polygon",
    Box: "box",
    Line: "line",
    Dots: "point",
    Ellipse: "ellipse",
    Bitmap: "bitmap",
}


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """A labelled shape.

    Args:
        label: As the tool's user named it.
        shape: Where it is.
        crowd: Whether it outlines a group of objects roughly, and so is void.
        z: Regions of larger values are drawn later, in formats that order regions.
    """

    label: str
    shape: Shape
    crowd: bool = False
    z: int = 0

    @property
    def kind(self) -> str:
        """The kind of shape, as the setting `skip_shapes` names it."""
        return self.shape.kind if isinstance(self.shape, Unsupported) else _KINDS[type(self.shape)]
