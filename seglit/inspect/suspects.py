"""Repeated values far outside the rest of their band, which probably mark pixels without data."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

_FAR = 3  # a suspect lies more than this many times the range of all other values beyond them

Range = tuple[float, float]


@dataclass
class Suspects:
    """The suspects of images with the same number of channels.

    Args:
        pixels: (band, value) to its number of pixels.
        ranges: Band to the lowest and highest of the other values.
    """

    pixels: Counter[tuple[int, float]] = field(default_factory=Counter)
    ranges: dict[int, Range] = field(default_factory=dict)

    def add(self, other: "Suspects") -> None:
        """Adds the suspects of another image."""
        self.pixels.update(other.pixels)
        for band, (low, high) in other.ranges.items():
            lowest, highest = self.ranges.get(band, (low, high))
            self.ranges[band] = min(low, lowest), max(high, highest)

    def confirmed(self) -> dict[int, float]:
        """Returns band to suspect: the most frequent one that is far outside the values of all images."""
        found: dict[int, float] = {}
        for (band, value), _ in self.pixels.most_common():
            if _is_far(value, self.ranges[band]):
                found.setdefault(band, value)
        return found


def find_suspects(image: npt.NDArray[Any]) -> Suspects:
    """Finds the suspects of an image (H, W, C); 8 bits are too few for a value to be far outside.

    Bands with fewer than four distinct values are left out: nothing can be said of them.
    """
    suspects = Suspects()
    if image.dtype == np.uint8:
        return suspects
    for band in range(image.shape[2]):
        values = np.ma.compressed(image[..., band])
        if not values.size:
            continue
        low, high = values.min(), values.max()
        inner = values[(values != low) & (values != high)]
        if not inner.size or inner.min() == inner.max():
            continue
        inner_range = float(inner.min()), float(inner.max())
        far = [end for end in (low, high) if _is_far(float(end), inner_range)]
        for end in far:
            if (pixels := int((values == end).sum())) > 1:
                suspects.pixels[band, float(end)] = pixels
        rest = values[~np.isin(values, far)] if far else values
        suspects.ranges[band] = float(rest.min()), float(rest.max())
    return suspects


def _is_far(value: float, others: Range) -> bool:
    low, high = others
    return max(low - value, value - high) > _FAR * (high - low)
