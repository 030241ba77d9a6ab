"""How well outlines are met: boundary IoU and boundary F1 of a split, neither of which torchmetrics has.

Distances are chessboard distances in pixels: a step goes to any of the eight neighbours. Void is cut out of prediction
and target alike, so an outline along void is one in both, and is met.
"""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric

from seglit.labels import IGNORE_INDEX
from seglit.metrics import PerClass, divide, mean_defined

IOU_WIDTH = 0.02
"""Width of the band that boundary IoU looks at, as a share of the image's diagonal; Cheng et al.'s."""
F1_WIDTH = 0.0075
"""How far off an outline may be and still is met, as a share of the image's diagonal; Csurka et al.'s."""

Classes = NDArray[np.uint8]
Places = NDArray[np.bool_]


class BoundaryScores:
    """Boundary scores.

    Attributes:
        iou: Boundary IoU per class, 0..1, (C,); nan for a class in neither target nor prediction.
        f1: Boundary F1 per class, 0..1, (C,); nan for a class without outline in target and prediction.
    """

    def __init__(self, iou: PerClass, f1: PerClass) -> None:
        self.iou = iou
        self.f1 = f1

    @property
    def mean_iou(self) -> float:
        """The mean of `iou` over the classes that have one."""
        return mean_defined(self.iou)

    @property
    def mean_f1(self) -> float:
        """The mean of `f1` over the classes that have one."""
        return mean_defined(self.f1)


class BoundaryCounts(Metric):
    """Counts the pixels of a split along outlines; `compute` gives its `BoundaryScores`.

    Boundary IoU is the IoU of two bands: a class's pixels in the target that are at most a width from its outline, and
    those in the prediction (Cheng et al., Boundary IoU, CVPR 2021). As in their code the image's border is outline.

    Boundary F1 is of the outlines themselves, a pixel thin: precision is the share of the predicted one that is at most
    a width from the target's, recall the share of the target's that is at most that far from the predicted one (Csurka
    et al., BMVC 2013; they average over images). The image's border, which nobody drew, is no outline here.

    Pixels are summed over the split before they are divided, as for the confusion matrix.

    Args:
        num_classes: The number of classes, C.
    """

    full_state_update = False
    bands: Tensor
    outlines: Tensor

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        # pixels of the bands in both, target, prediction
        self.add_state("bands", torch.zeros(3, num_classes, dtype=torch.long), dist_reduce_fx="sum")
        # pixels of the outlines: target's, those of them that are met, prediction's, those of them that are met
        self.add_state("outlines", torch.zeros(4, num_classes, dtype=torch.long), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Counts whole images, unpadded; on the CPU, where OpenCV is.

        Args:
            preds: Predicted class indices, any integer type, (B, H, W).
            target: Class indices of the same shape, any integer type, void = 255.
        """
        bands = np.zeros((3, self.num_classes), dtype=np.int64)
        outlines = np.zeros((4, self.num_classes), dtype=np.int64)
        known = torch.where(target == IGNORE_INDEX, target, preds)
        for found, true in zip(_on_cpu(known), _on_cpu(target), strict=True):
            self._count_bands(found, true, bands)
            self._count_outlines(found, true, outlines)
        self.bands += torch.from_numpy(bands).to(self.bands.device)
        self.outlines += torch.from_numpy(outlines).to(self.outlines.device)

    def compute(self) -> BoundaryScores:
        """The scores of all that was counted since the last reset, on all ranks together."""
        both, target, predicted = self.bands.cpu().numpy()
        target_length, target_met, length, met = self.outlines.cpu().numpy()
        precision, recall = divide(met, length), divide(target_met, target_length)
        f1 = divide(2 * precision * recall, precision + recall)
        # where there is an outline but none is met, or only one of the two has one, F1 is 0
        f1[(length + target_length > 0) & np.isnan(f1)] = 0
        return BoundaryScores(divide(both, target + predicted - both), f1)

    def _count_bands(self, found: Classes, true: Classes, counts: NDArray[np.int64]) -> None:
        width = in_pixels(IOU_WIDTH, true)
        near_found, near_true = near_outline(found, width), near_outline(true, width)
        for band in (near_found, near_true):
            band[:width] = band[-width:] = True
            band[:, :width] = band[:, -width:] = True
        for row, (places, classes) in enumerate(
            ((near_found & near_true & (found == true), true), (near_true, true), (near_found, found))
        ):
            counts[row] += self._per_class(classes[places])

    def _count_outlines(self, found: Classes, true: Classes, counts: NDArray[np.int64]) -> None:
        window = _window(in_pixels(F1_WIDTH, true))
        # void stands for "no outline here"
        found, true = (np.where(near_outline(each, 1), each, np.uint8(IGNORE_INDEX)) for each in (found, true))
        lengths = self._per_class(true), self._per_class(found)
        counts[0] += lengths[0]
        counts[2] += lengths[1]
        for each in np.flatnonzero((lengths[0] > 0) & (lengths[1] > 0)):
            of_true, of_found = ((mask == each).view(np.uint8) for mask in (true, found))
            left, top, columns, rows = cv2.boundingRect(of_true | of_found)
            of_true, of_found = (mask[top : top + rows, left : left + columns] for mask in (of_true, of_found))
            counts[1, each] += np.count_nonzero(of_true & cv2.dilate(of_found, window))
            counts[3, each] += np.count_nonzero(of_found & cv2.dilate(of_true, window))

    def _per_class(self, classes: Classes) -> NDArray[np.int64]:
        """How many of some pixels are of each class, void left out, (C,)."""
        return np.bincount(classes[classes != IGNORE_INDEX], minlength=self.num_classes)


def in_pixels(share: float, mask: Classes) -> int:
    """A share of a mask's diagonal in whole pixels, at least one."""
    return max(1, round(share * float(np.hypot(*mask.shape))))


def near_outline(mask: Classes, width: int) -> Places:
    """The pixels (H, W) that are at most `width` away from one of another class, or of void.

    One dilation and one erosion find them for all classes at once: there the window's largest and smallest value
    differ. Cheng et al. erode each class.
    """
    window = _window(width)
    return np.asarray(cv2.dilate(mask, window) != cv2.erode(mask, window))


def outline_distance(mask: Classes) -> NDArray[np.uint16]:
    """How far each pixel (H, W) is from the outlines in a mask, in steps to eight neighbours, from 1 on.

    Without an outline it is one more than the image's longer side.
    """
    outline = near_outline(mask, 1)
    if not outline.any():
        return np.full(mask.shape, max(mask.shape) + 1, np.uint16)
    steps = cv2.distanceTransform((~outline).view(np.uint8), cv2.DIST_C, cv2.DIST_MASK_3)
    return np.asarray(steps, dtype=np.uint16) + np.uint16(1)


def _window(width: int) -> NDArray[np.uint8]:
    return np.ones((2 * width + 1, 2 * width + 1), dtype=np.uint8)


def _on_cpu(classes: Tensor) -> Classes:
    found: Classes = classes.to(torch.uint8).cpu().numpy()
    return found
