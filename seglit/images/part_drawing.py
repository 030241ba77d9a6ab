"""Draws masks in several files to class indices: what is not 0 in a file is of its class.

- Parts of more pixels lie below those of fewer.
- `{class}` in `mask_name` is a name in `class_names`, or an integer in `mask_values` (or `ignore_values`). Without it,
  the two classes are the background and the foreground.
- Pixels in no part are of the class that no file names, of which there may be one; void if all classes have files.
- An image without parts is background if there is a folder for its parts alone (`{stem}/masks`), else its mask is
  missing.
- A part may be black and white, grey, coloured, of a palette, or transparent. In JPEG, 0 to 127 count as 0; in other
  formats, 0 to `mask_tolerance` do.
- Predicted masks contain class indices (or `mask_values`), as a mask in one file does.
"""

from collections.abc import Iterable
from itertools import chain
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from seglit.errors import InputError, did_you_mean
from seglit.images.listing import normalized
from seglit.images.pairs import MaskPart, Pair
from seglit.images.picture import Picture
from seglit.labels import IGNORE_INDEX, Labels

_JPEG = ("JPEG", "MPO")
_JPEG_LEVEL = 127  # compression changes 0 and 255, but hardly ever beyond their middle


class DrawnParts(NamedTuple):
    """A mask drawn from its parts.

    Args:
        indices: Class indices (H, W), void 255.
        disputed: Number of pixels in parts of two or more classes.
    """

    indices: npt.NDArray[np.uint8]
    disputed: int


def draw_parts(
    parts: Iterable[tuple[Picture, int]], size: tuple[int, int], fill: int, tolerance: int = 0
) -> DrawnParts:
    """Draws parts over each other, those of more pixels below those of fewer.

    Args:
        parts: Upright files of one size, each with its class index.
        size: Height and width of the mask in pixels if it has no parts.
        fill: Class index of the pixels in no part.
        tolerance: Largest value that counts as 0.

    Raises:
        InputError: The sizes of the parts differ.
    """
    pictures = iter(parts)
    first = next(pictures, None)
    size = size if first is None else first[0].size
    indices: npt.NDArray[np.uint8] = np.full(size, fill, np.uint8)
    unclaimed = np.iinfo(np.int64).max
    areas = np.full(size, unclaimed)  # of the part that is on top
    disputed = np.zeros(size, bool)
    for picture, index in chain([first] if first else [], pictures):
        if picture.size != size:
            raise InputError(
                f"{picture.path}: is {picture.size[0]} x {picture.size[1]} pixels (height x width), but other files of "
                f"this mask are {size[0]} x {size[1]}"
            )
        marked = marked_pixels(picture, tolerance)
        disputed |= marked & (areas != unclaimed) & (indices != index)
        on_top = marked & (areas >= (area := int(np.count_nonzero(marked))))
        indices[on_top], areas[on_top] = index, area
    return DrawnParts(indices, int(np.count_nonzero(disputed)))


def marked_pixels(picture: Picture, tolerance: int = 0) -> npt.NDArray[np.bool_]:
    """Marks the pixels (H, W) of which any colour channel is not 0.

    Transparent pixels are not marked. If the others are all black, the opacity is the mask.
    """
    stored = np.ma.filled(picture.stored_values(in_color=picture.mode in ("1", "P")), 0)
    level = max(tolerance, _JPEG_LEVEL) if picture.file_format in _JPEG else tolerance
    marked: npt.NDArray[np.bool_] = (stored if stored.ndim == 2 else stored.max(-1)) > level
    visible = None if picture.transparent is None else ~picture.transparent
    if picture.has_alpha:
        visible = picture.pixels[..., -1] > 0
    if visible is None or visible.all() or not visible.any():
        return marked
    return marked & visible if (marked & visible).any() else visible


def class_index(part: MaskPart, labels: Labels) -> int:
    """Returns the class index of a part: that of its class name, or of an integer in `mask_values`; void is 255.

    Raises:
        InputError: There is no such class, or not one foreground class.
    """
    names, name = [*map(normalized, labels.class_names)], part.class_name
    if name in names:
        return names.index(name)
    if not name and len(names) <= 2:
        return len(names) - 1
    if name.isdecimal() and int(name) in labels.values:
        return labels.values[int(name)]
    if not name:
        raise InputError(
            f"{part.path}: mask_name has no `{{class}}`, so that masks have one foreground class, but class_names has "
            f"{len(names)} names; expected two: the background, and this class"
        )
    raise InputError(f"{part.path}: its class is {name!r}, which is not among class_names{did_you_mean(name, names)}")


def with_fill(pairs: list[Pair], labels: Labels) -> list[Pair]:
    """Sets the class of pixels in no part: the one that no file names, void if there is a file of every class.

    Raises:
        InputError: There are no files of several classes, or a file is of no class.
    """
    in_parts = [pair for pair in pairs if pair.parts is not None]
    if not in_parts:
        return pairs
    first = {part.class_name: part for pair in in_parts for part in pair.parts or ()}
    named = {class_index(part, labels) for part in first.values()}
    others = [index for index in range(labels.num_classes) if index not in named]
    if len(others) > 1:
        raise InputError(
            f"class_names: there are no mask files of {', '.join(labels.class_names[index] for index in others)}; only "
            "one class, that of the pixels in no file, may have none: remove the others"
        )
    fill = others[0] if others else IGNORE_INDEX
    return [pair if pair.parts is None else pair._replace(fill=fill) for pair in pairs]
