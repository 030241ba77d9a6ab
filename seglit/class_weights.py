"""Class weights against class imbalance, from the pixel counts of the training masks."""

from dataclasses import dataclass
from typing import Literal, Self, get_args

import numpy as np
import numpy.typing as npt

from seglit.labels import IGNORE_INDEX

Formula = Literal["median_frequency", "inverse", "sqrt_inverse", "enet", "effective_number"]
"""Weight of a class with share f of the labelled pixels:

- `median_frequency`: median(g) / g, g being its share of the pixels of the images that contain it (Eigen and Fergus
  2015);
- `inverse`: 1 / f;
- `sqrt_inverse`: 1 / sqrt(f);
- `enet`: 1 / ln(1.02 + f) (Paszke et al. 2016);
- `effective_number`: (1 - b) / (1 - b^n), b = 0.999 and n = f of 100,000 pixels (Cui et al. 2019).
"""
FORMULAS: tuple[Formula, ...] = get_args(Formula)
AUTO: Formula = "sqrt_inverse"
"""What `class_weights: auto` stands for: the mildest formula that helped on CamVid (docs/results.md)."""

ClassWeights = list[float] | Literal["auto"] | Formula
"""One non-negative weight per class, or a formula that derives them from the training masks; `auto` is `AUTO`.
`seglit inspect` prints the weights of each formula."""

_BETA = 0.999


@dataclass(frozen=True, slots=True)
class ClassCounts:
    """Pixel counts of the training masks.

    Args:
        pixels: Pixels of each class, (C,).
        areas: All pixels, void included, of the images that contain the class, (C,).
    """

    pixels: tuple[int, ...]
    areas: tuple[int, ...]

    @classmethod
    def of_images(cls, table: npt.NDArray[np.int64]) -> Self:
        """Sums the counts of images: pixels per image and class, (N, C + 1), void last."""
        classes = table[:, :-1]
        areas = np.where(classes > 0, table.sum(axis=1, keepdims=True), 0).sum(axis=0)
        return cls(tuple(classes.sum(axis=0).tolist()), tuple(areas.tolist()))

    def weights(self, formula: Formula) -> list[float]:
        """Returns one weight per class, with mean 1 over the labelled pixels; 1 for a class that does not occur."""
        occurs = np.array(self.pixels) > 0
        pixels, areas = (np.array(counts, np.float64)[occurs] for counts in (self.pixels, self.areas))
        shares = pixels / pixels.sum()
        raw = {
            "median_frequency": areas / pixels,
            "inverse": 1 / shares,
            "sqrt_inverse": 1 / np.sqrt(shares),
            "enet": 1 / np.log(1.02 + shares),
            "effective_number": (1 - _BETA) / (1 - _BETA ** np.maximum(1, shares * 1e5)),
        }[formula]
        scaled = np.ones(len(occurs))
        scaled[occurs] = raw / (raw * shares).sum()
        return [round(weight, 3) for weight in scaled.tolist()]


def count_classes(mask: npt.NDArray[np.uint8], num_classes: int) -> npt.NDArray[np.int64]:
    """Counts the pixels of each class in a mask (H, W) of class indices: (C + 1,), void last."""
    counts = np.bincount(mask.reshape(-1), minlength=IGNORE_INDEX + 1)
    return counts[[*range(num_classes), IGNORE_INDEX]]
