"""Scores by object size and by distance to an outline.

Both assign every labelled pixel to one level and count each level like a split, so that the counts of all levels add up
to the split's.
"""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array

from seglit.evaluation.components import value_of
from seglit.evaluation.image_pair import ImageCounts, ImagePair
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

    def _count(self, image: ImagePair, counts: Counts) -> None:
        preds, target = image.preds, image.target
        levels = np.full(target.shape, len(DISTANCES), np.uint8)
        for distance in DISTANCES:
            levels -= image.target_outlines.near(distance).view(np.uint8)
        farthest = np.searchsorted(DISTANCES, max(target.shape) + 1)  # without any outline
        levels = np.minimum(levels, np.uint8(farthest))
        count = len(counts)
        table = self._table(2 * levels + (preds == target), target, 2 * count).reshape(count, 2, -1)
        counts[:, 1] += table[:, 1]
        counts[:, 2] += table.sum(axis=1)
        counts[:, 3] += self._table(levels, preds, count)


class SizeCounts(_LevelCounts):
    """Counts pixels by the size of the object they belong to, as a share of the image.

    An object is a connected component (8-connectivity) of a class in the target. A target pixel counts at the size of
    its own object. A wrongly predicted pixel counts at the size of the object of the predicted class that is most
    covered by the predicted region around the pixel, or, if the region covers none, at the size of that region. The
    counts of all sizes add up to the ordinary counts, so that the scores are IoUs; recall alone would ignore false
    positives.
    """

    bounds = SIZES

    def _count(self, image: ImagePair, counts: Counts) -> None:
        runs, size = image.runs, image.target.size
        target, preds = runs.values
        correct = runs.lengths * (target == preds)
        objects, regions = runs.connect(target), runs.connect(preds)

        areas, correct_areas = (np.bincount(objects, pixels) for pixels in (runs.lengths, correct))
        levels, classes = _levels(areas / size), value_of(objects, target)
        for row, values in enumerate((np.ones_like(areas), correct_areas, areas, correct_areas)):
            counts[:, row] += self._table(levels, classes, len(counts), values)

        region_areas, wrong = (np.bincount(regions, pixels) for pixels in (runs.lengths, runs.lengths - correct))
        covering, covered_areas = _most_covered(regions, objects, correct, areas)
        region_areas[covering] = covered_areas
        counts[:, 3] += self._table(_levels(region_areas / size), value_of(regions, preds), len(counts), wrong)


def _levels(sizes: PerClass) -> NDArray[np.intp]:
    return np.searchsorted(SIZES, sizes, side="right")


def _most_covered(
    regions: NDArray[np.int32], objects: NDArray[np.int32], correct: NDArray[np.intp], areas: NDArray[Any]
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Returns the regions that cover any object, and the area of the object each covers most; ties: the largest."""
    covers = np.flatnonzero(correct)
    pairs = coo_array(  # pixels by region and object; the conversion adds up those of a pair
        (correct[covers], (regions[covers], objects[covers])), shape=(len(regions), len(areas))
    ).tocsr()
    covering = np.flatnonzero(np.diff(pairs.indptr))
    size = int(areas.sum()) + 1
    ranks = pairs.data * size + areas[pairs.indices].astype(np.int64)  # by the pixels in both, then by area
    return covering, np.maximum.reduceat(ranks, pairs.indptr[covering]) % size
