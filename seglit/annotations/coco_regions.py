"""The regions of COCO JSON, polygons and run-length codes, drawn over each other."""

from typing import Any

import numpy as np
import numpy.typing as npt

from seglit.annotations.json_files import check_coordinates
from seglit.errors import InputError
from seglit.labels import IGNORE_INDEX


def draw_regions(regions: list[Any], height: int, width: int, fill: int, where: str) -> npt.NDArray[np.uint8]:
    """Draws regions over each other: void (crowds) first, then by falling area.

    Args:
        regions: Each [class index or void, segmentation]: a list of polygons [x, y, x, y, ...], or a run-length code
            {"size": [height, width], "counts": list or str}.
        height: In pixels.
        width: In pixels.
        fill: Class index of the pixels in no region.
        where: File and image, for the message.

    Returns:
        (H, W) uint8 class indices, void 255.

    Raises:
        InputError: pycocotools is not installed, or a segmentation is none.
    """
    try:
        from pycocotools import mask as coco
    except ImportError:
        raise InputError('COCO JSON needs pycocotools: pip install "seglit[coco]"') from None
    drawn: npt.NDArray[np.uint8] = np.full((height, width), fill, np.uint8)
    codes = []
    try:
        for value, segmentation in regions:
            if (code := _run_lengths(segmentation, height, width)) is not None:
                codes.append((value != IGNORE_INDEX, -int(coco.area(code)), value, code))
        for _, _, value, code in sorted(codes, key=lambda each: each[:2]):
            drawn[coco.decode(code) > 0] = value
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise InputError(f"{where}: a region is neither polygons nor a run-length code ({error})") from error
    return drawn


def _run_lengths(segmentation: Any, height: int, width: int) -> dict[str, Any] | None:
    """Any segmentation as a run-length code {"size": [height, width], "counts": bytes or str}; None covers nothing.

    Raises:
        ValueError: It is of another size than the image. (And what pycocotools makes of other mistakes.)
    """
    from pycocotools import mask as coco

    if isinstance(segmentation, dict):
        counts = segmentation["counts"]
        if segmentation["size"] != [height, width]:
            raise ValueError(f"its size is {segmentation['size']}, the image's {[height, width]}")
        total = sum(counts) if isinstance(counts, list) else _length(counts)
        if total != height * width:  # pycocotools would leave the other pixels as memory happens to be
            raise ValueError(f"its counts come to {total} pixels, the image has {height * width}")
        if not isinstance(counts, list):
            return segmentation
        return dict(coco.frPyObjects(segmentation, height, width))
    if not isinstance(segmentation, list):
        raise TypeError(f"but {segmentation!r:.40}")
    for polygon in segmentation:
        check_coordinates(polygon, height, width)
    # with two points a polygon covers nothing, and pycocotools would take its four numbers for a box
    polygons = [polygon for polygon in segmentation if len(polygon) >= 6]
    return dict(coco.merge(coco.frPyObjects(polygons, height, width))) if polygons else None


def _length(counts: str) -> int:
    """How many pixels a compressed run-length code comes to (pycocotools 2.0, maskApi.c, rleFrString).

    Each run is a number of digits of 5 bits, the lowest first, with a sign; from the fourth on, it is what the run
    before the last has to be changed by.

    Raises:
        ValueError: It is no such code.
    """
    codes = np.frombuffer(counts.encode(), np.uint8).astype(np.int64) - 48
    ends = np.flatnonzero((codes & 32) == 0)
    starts = np.concatenate([[0], ends[:-1] + 1])
    whole = len(codes) > 0 and ends[-1:] == len(codes) - 1
    if not whole or codes.min() < 0 or codes.max() > 63 or (ends - starts).max() > 6:
        raise ValueError(f"{counts!r:.40} is no run-length code")
    digit = np.arange(len(codes)) - np.repeat(starts, ends - starts + 1)
    runs = np.add.reduceat((codes & 31) << 5 * digit, starts) - (((codes[ends] & 16) > 0) << 5 * (digit[ends] + 1))
    return int(runs[0] + runs[1::2].cumsum().sum() + runs[2::2].cumsum().sum())
