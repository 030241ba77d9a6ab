"""Where a network is right: scores by the size of objects, and by the distance to an outline.

Both sort every labelled pixel into one level and count each level as a split is counted, so that the counts of all
levels add up to the split's.
"""

from abc import abstractmethod

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric

from seglit.evaluation.boundary import Classes, Places, outline_distance
from seglit.labels import IGNORE_INDEX
from seglit.metrics import Counts, PerClass, divide, mean_defined

SIZES = (0.001, 0.01, 0.1)
"""Where one size of objects ends and the next begins, as shares of the image. At COCO's usual 640 x 480, its small
objects (below 32 x 32 pixels) end at 0.003 and its large ones (above 96 x 96) begin at 0.03."""
DISTANCES = (2, 4, 8, 16, 32)
"""The last distance of each level but the last, in pixels."""


class Breakdown:
    """Scores level by level.

    Attributes:
        objects: How many objects of each class the target has at each level, int64 (K, C); zeros by distance.
        counts: Pixels, int64 (K, 3, C): right, in the target, predicted.
        iou: IoU, 0..1, (K, C); nan for a class whose target has no pixel at a level.
        recall: The share of the target's pixels that was found, (K, C), likewise.
    """

    def __init__(self, counts: Counts) -> None:
        self.objects, self.counts = counts[:, 0], counts[:, 1:]
        right, target, predicted = self.counts.swapaxes(0, 1)
        self.iou = np.where(target > 0, divide(right, target + predicted - right), np.nan)
        self.recall = divide(right, target)

    @property
    def miou(self) -> PerClass:
        """The mean of `iou` over the classes that have one, (K,)."""
        return np.array([mean_defined(level) for level in self.iou])

    @property
    def pixel_accuracy(self) -> PerClass:
        """The share of each level's labelled pixels that is right, (K,)."""
        right, target, _ = self.counts.sum(axis=2).T
        return divide(right, target)


class _Levels(Metric):
    """Counts a split's pixels level by level; a subclass says which level a pixel is of."""

    full_state_update = False
    counts: Tensor

    def __init__(self, num_classes: int, num_levels: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        # objects, and pixels that are right, in the target, predicted
        empty = torch.zeros(num_levels, 4, num_classes, dtype=torch.long)
        self.add_state("counts", empty, dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Counts whole images, unpadded; on the CPU, where OpenCV is.

        Args:
            preds: Predicted class indices, any integer type, (B, H, W).
            target: Class indices of the same shape, any integer type, void = 255.
        """
        counts = np.zeros(self.counts.shape, dtype=np.int64)
        known = torch.where(target == IGNORE_INDEX, target, preds).to(torch.uint8).cpu().numpy()
        for found, true in zip(known, target.to(torch.uint8).cpu().numpy(), strict=True):
            self._count(found, true, counts)
        self.counts += torch.from_numpy(counts).to(self.counts.device)

    def compute(self) -> Breakdown:
        """The scores of all that was counted since the last reset, on all ranks together."""
        return Breakdown(self.counts.cpu().numpy())

    @abstractmethod
    def _count(self, found: Classes, true: Classes, counts: Counts) -> None:
        """Adds an image; void is void in prediction and target alike."""


class DistanceCounts(_Levels):
    """Counts pixels by their distance to the target's outline, the same for target and prediction.

    It is the chessboard distance, 1 for a pixel beside one of another class or void; the image's border is no outline.
    An image of one class alone is far from any.

    Args:
        num_classes: The number of classes, C.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes, len(DISTANCES) + 1)

    def _count(self, found: Classes, true: Classes, counts: Counts) -> None:
        levels = np.searchsorted(DISTANCES, np.arange(max(true.shape) + 2)).astype(np.uint16)
        codes = levels[outline_distance(true)] * np.uint16(256)
        for row, classes in enumerate((np.where(found == true, true, np.uint8(IGNORE_INDEX)), true, found), start=1):
            cells = np.bincount((codes + classes).ravel(), minlength=len(counts) * 256)
            counts[:, row] += cells.reshape(-1, 256)[:, : self.num_classes]


class SizeCounts(_Levels):
    """Counts pixels by the size of the object that they belong to, as a share of the image.

    An object is a connected region (eight neighbours) of a class in the target. A pixel of the target is of its own
    object. A pixel that is predicted wrongly is of the object that the region predicted around it covers most of, among
    those of the predicted class, or, where it covers none, of a size of its own: the region's. Adding this up over the
    sizes gives the ordinary counts, so that the scores are IoUs; to count recall alone would praise too much.

    Args:
        num_classes: The number of classes, C.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes, len(SIZES) + 1)

    def _count(self, found: Classes, true: Classes, counts: Counts) -> None:
        edges = np.array(SIZES) * true.size
        present = [np.bincount(each.ravel(), minlength=256)[: self.num_classes] for each in (true, found)]
        for index in np.flatnonzero(present[0] + present[1]):
            regions, objects = _regions_and_objects(found == index, true == index)
            areas, right = (
                np.bincount(each, minlength=objects.max() + 1)[1:] for each in (objects, objects[regions > 0])
            )
            size_of_object = np.searchsorted(edges, areas, side="right")
            for row, pixels in enumerate((np.ones_like(areas), right, areas, right)):
                np.add.at(counts[:, row, index], size_of_object, pixels)
            wrong = np.bincount(regions[objects == 0], minlength=regions.max() + 1)[1:]
            size_of_region = np.searchsorted(edges, np.bincount(regions)[1:], side="right")
            covering, covered = _most_covered(regions, objects, areas)
            size_of_region[covering] = size_of_object[covered]
            np.add.at(counts[:, 3, index], size_of_region, wrong)


def _regions_and_objects(found: Places, true: Places) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The numbers, from 1 on, of the predicted region and of the target's object that each pixel of either lies in."""
    left, top, width, height = cv2.boundingRect((found | true).view(np.uint8))
    rows, columns = slice(top, top + height), slice(left, left + width)
    either = (found | true)[rows, columns]
    regions, objects = (_number_regions(each[rows, columns])[either].astype(np.intp) for each in (found, true))
    return regions, objects


def _most_covered(
    regions: NDArray[np.intp], objects: NDArray[np.intp], areas: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The regions that cover an object, and the object that each covers most of (of equals the larger), from 0 on."""
    both = (regions > 0) & (objects > 0)
    # the pairs that occur: a table of all would not fit in memory where an image is noise
    pairs, pixels = np.unique((regions[both] - 1) * len(areas) + objects[both] - 1, return_counts=True)
    covering, covered = np.divmod(pairs, max(1, len(areas)))
    order = np.lexsort((-areas[covered], -pixels, covering))
    first, places = np.unique(covering[order], return_index=True)
    return first, covered[order][places]


def _number_regions(places: Places) -> NDArray[np.int32]:
    """Numbers the connected regions of the pixels (H, W) that are true, from 1 on; the others are 0."""
    _, labels = cv2.connectedComponents(places.astype(np.uint8), connectivity=8, ltype=cv2.CV_32S)
    return np.asarray(labels, np.int32)
