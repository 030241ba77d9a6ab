"""Crop and batch size that suit images, for those who do not state them."""

import math
from collections.abc import Iterable

import numpy as np

from seglit.images.scaling import Size

_BATCH_PIXELS = 8 * 256 * 256  # with these, a step of the default network needs about 4 GB


def low_size(sizes: Iterable[Size]) -> Size:
    """Returns the 10th percentiles of heights and widths."""
    height, width = (int(np.percentile(sides, 10)) for sides in zip(*sizes, strict=True))
    return height, width


def choose_crop(low: Size) -> Size:
    """Returns a multiple of 32, at most 512, that fits into images of the size."""
    height, width = (min(512, max(32, side // 32 * 32)) for side in low)
    return height, width


def choose_batch(crop: Size, num_images: int) -> int:
    """Returns a power of 2 that leaves several steps per epoch, even with few images."""
    batch = max(2, min(32, num_images / 4, _BATCH_PIXELS / (crop[0] * crop[1])))
    return 1 << round(math.log2(batch))
