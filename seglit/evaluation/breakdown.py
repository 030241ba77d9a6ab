"""Scores by object size and by distance to an outline.

Both assign every labelled pixel to one level and count each level like a split, so that the counts of all levels add up
to the split's.
"""

from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from seglit.evaluation.boundary import Classes, ImageCounts, Mask, bounding_box, outline_distance
from seglit.labels import IGNORE_INDEX
from seglit.metrics import Counts, PerClass, divide, mean_defined

SIZES = (0.001, 0.01, 0.1)
"""Boundaries between the size levels, as shares of the image. At COCO's usual 640 x 480, its small objects (below 32 x
32 pixels) end at 0.003 and its large ones (above 96 x 96) begin at 0.03."""
DISTANCES = (2, 4, 8, 16, 32)
"""Largest distance of each level in pixels; the last level is unbounded."""


class Breakdown:
    """Scores by level.

    Attributes:
        objects: Number of target objects per level and class, int64 (K, C); zeros by distance.
        counts: Pixels, int64 (K, 3, C): correct, in the target, predicted.
        iou: IoU, 0..1, (K, C); nan for a class without target pixels at a level.
        recall: Share of the target pixels predicted correctly, (K, C); nan as for `iou`.
        miou: Mean of `iou` over the classes where it is not nan, (K,).
        pixel_accuracy: Share of each level's labelled pixels predicted correctly, (K,).
    """

    def __init__(self, counts: Counts) -> None:
        self.objects, self.counts = counts[:, 0], counts[:, 1:]
        correct, target, predicted = self.counts.swapaxes(0, 1)
        self.iou = np.where(target > 0, divide(correct, target + predicted - correct), np.nan)
        self.recall = divide(correct, target)
        self.miou: PerClass = np.array([mean_defined(level) for level in self.iou])
        self.pixel_accuracy = divide(correct.sum(axis=1), target.sum(axis=1))


class _LevelCounts(ImageCounts):
    """Counts a split's pixels by level; subclasses assign the levels.

    Args:
        num_classes: Number of classes, C.
    """

    bounds: ClassVar[tuple[float, ...]]
    """The boundaries between the levels."""

    def __init__(self, num_classes: int) -> None:
        # objects, and pixels: correct, in the target, predicted
        super().__init__(len(self.bounds) + 1, 4, num_classes)

    def compute(self) -> Breakdown:
        """Returns the scores since the last reset, over all ranks."""
        return Breakdown(self.counts.cpu().numpy())


class DistanceCounts(_LevelCounts):
    """Counts pixels by their distance to the target's outlines, for target and prediction alike.

    The distance is the chessboard distance, 1 for a pixel next to one of another class or void; the image border is no
    outline. In an image without outline it is the longer side plus one.
    """

    bounds = DISTANCES

    def _count(self, preds: Classes, target: Classes, counts: Counts) -> None:
        levels = np.searchsorted(DISTANCES, np.arange(max(target.shape) + 2)).astype(np.uint16)
        codes = levels[outline_distance(target)] * np.uint16(256)
        correct = np.where(preds == target, target, np.uint8(IGNORE_INDEX))
        for row, classes in enumerate((correct, target, preds), start=1):
            cells = np.bincount((codes + classes).ravel(), minlength=len(counts) * 256)
            counts[:, row] += cells.reshape(-1, 256)[:, : self.num_classes]


class SizeCounts(_LevelCounts):
    """Counts pixels by the size of the object they belong to, as a share of the image.

    An object is a connected component (8-connectivity) of a class in the target. A target pixel counts at the size of
    its own object. A wrongly predicted pixel counts at the size of the object of the predicted class that is most
    covered by the predicted region around the pixel, or, if the region covers none, at the size of that region. The
    counts of all sizes add up to the ordinary counts, so that the scores are IoUs; recall alone would ignore false
    positives.
    """

    bounds = SIZES

    def _count(self, preds: Classes, target: Classes, counts: Counts) -> None:
        edges = np.array(SIZES) * target.size
        pixels = np.bincount(preds.ravel(), minlength=256) + np.bincount(target.ravel(), minlength=256)
        for index in np.flatnonzero(pixels[: self.num_classes]):
            regions, objects = _regions_and_objects(preds == index, target == index)
            areas = np.bincount(objects)[1:]
            correct = np.bincount(objects[regions > 0], minlength=len(areas) + 1)[1:]
            object_level = np.searchsorted(edges, areas, side="right")
            for row, values in enumerate((np.ones_like(areas), correct, areas, correct)):
                np.add.at(counts[:, row, index], object_level, values)
            region_areas = np.bincount(regions)[1:]
            wrong = np.bincount(regions[objects == 0], minlength=len(region_areas) + 1)[1:]
            region_level = np.searchsorted(edges, region_areas, side="right")
            covering, covered = _most_covered(regions, objects, areas)
            region_level[covering] = object_level[covered]
            np.add.at(counts[:, 3, index], region_level, wrong)


def _regions_and_objects(preds: Mask, target: Mask) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Returns the predicted region and target object of each pixel in either, numbered from 1; 0 for none."""
    box = bounding_box((preds | target).view(np.uint8))
    either = (preds | target)[box]
    regions, objects = (_number_regions(mask[box])[either].astype(np.intp) for mask in (preds, target))
    return regions, objects


def _most_covered(
    regions: NDArray[np.intp], objects: NDArray[np.intp], areas: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Returns the regions that cover any object and the object each covers most, numbered from 0; ties: the larger."""
    both = (regions > 0) & (objects > 0)
    # only the pairs that occur: a table of all pairs may not fit in memory for a noisy image
    pairs, pixels = np.unique((regions[both] - 1) * len(areas) + objects[both] - 1, return_counts=True)
    covering, covered = np.divmod(pairs, max(1, len(areas)))
    order = np.lexsort((-areas[covered], -pixels, covering))
    first, indices = np.unique(covering[order], return_index=True)
    return first, covered[order][indices]


def _number_regions(mask: Mask) -> NDArray[np.int32]:
    """Numbers the connected regions of a mask (H, W) from 1; 0 elsewhere."""
    _, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8, ltype=cv2.CV_32S)
    return np.asarray(labels, np.int32)
