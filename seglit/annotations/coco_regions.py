"""Draws the regions of COCO JSON: polygons and run-length encodings (RLE)."""

from typing import Any

import numpy as np
import numpy.typing as npt

from seglit.annotations.json_files import check_coordinates
from seglit.errors import InputError
from seglit.labels import IGNORE_INDEX


def draw_regions(regions: list[Any], height: int, width: int, fill: int, where: str) -> npt.NDArray[np.uint8]:
    """Draws regions over each other: void (crowds) first, then by falling area.

    Args:
        regions: List of [class index or void, segmentation]. A segmentation is a list of polygons [x, y, x, y, ...],
            or an RLE {"size": [height, width], "counts": list or str}.
        height: In pixels.
        width: In pixels.
        fill: Class index of the pixels in no region.
        where: File and image, for messages.

    Returns:
        (H, W) uint8 class indices, void 255.

    Raises:
        InputError: pycocotools is not installed, or a segmentation is invalid.
    """
    try:
        from pycocotools import mask as coco
    except ImportError:
        raise InputError('COCO JSON needs pycocotools: pip install "seglit[coco]"') from None
    drawn: npt.NDArray[np.uint8] = np.full((height, width), fill, np.uint8)
    ordered = []
    try:
        for value, segmentation in regions:
            if (rle := _as_rle(segmentation, height, width)) is not None:
                ordered.append((value != IGNORE_INDEX, -int(coco.area(rle)), value, rle))
        for _, _, value, rle in sorted(ordered, key=lambda entry: entry[:2]):
            drawn[coco.decode(rle) > 0] = value
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise InputError(f"{where}: a region is neither polygons nor a run-length encoding ({error})") from error
    return drawn


def _as_rle(segmentation: Any, height: int, width: int) -> dict[str, Any] | None:
    """Converts any segmentation to an RLE {"size": [height, width], "counts": bytes or str}; None if it is empty.

    Raises:
        ValueError: The size differs from the image's. Other mistakes raise the errors of pycocotools.
    """
    from pycocotools import mask as coco

    if isinstance(segmentation, dict):
        counts = segmentation["counts"]
        if segmentation["size"] != [height, width]:
            raise ValueError(f"its size is {segmentation['size']}, but the image's {[height, width]}")
        total = sum(counts) if isinstance(counts, list) else _length(counts)
        if total != height * width:  # pycocotools would leave the other pixels uninitialised
            raise ValueError(f"its counts sum to {total} pixels, but the image has {height * width}")
        if not isinstance(counts, list):
            return segmentation
        return dict(coco.frPyObjects(segmentation, height, width))
    if not isinstance(segmentation, list):
        raise TypeError(f"it is {segmentation!r:.40}")
    for polygon in segmentation:
        check_coordinates(polygon, height, width)
    # a polygon of two points is empty, and pycocotools would treat its four numbers as a box
    polygons = [polygon for polygon in segmentation if len(polygon) >= 6]
    return dict(coco.merge(coco.frPyObjects(polygons, height, width))) if polygons else None


def _length(counts: str) -> int:
    """Number of pixels that the counts of a compressed RLE sum to (pycocotools 2.0, maskApi.c, rleFrString).

    Each run is a signed number in digits of 5 bits, lowest first; from the fourth run on, it is the difference from
    the run two before it.

    Raises:
        ValueError: The string is not a compressed RLE.
    """
    codes = np.frombuffer(counts.encode(), np.uint8).astype(np.int64) - 48
    ends = np.flatnonzero((codes & 32) == 0)
    starts = np.concatenate([[0], ends[:-1] + 1])
    whole = len(codes) > 0 and ends[-1:] == len(codes) - 1
    if not whole or codes.min() < 0 or codes.max() > 63 or (ends - starts).max() > 6:
        raise ValueError(f"{counts!r:.40} is not a run-length encoding")
    digit = np.arange(len(codes)) - np.repeat(starts, ends - starts + 1)
    runs = np.add.reduceat((codes & 31) << 5 * digit, starts) - (((codes[ends] & 16) > 0) << 5 * (digit[ends] + 1))
    return int(runs[0] + runs[1::2].cumsum().sum() + runs[2::2].cumsum().sum())
