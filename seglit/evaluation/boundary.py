"""Boundary IoU and boundary F1 of a split, neither of which torchmetrics provides.

An outline consists of the pixels that have one of another class or void among their eight neighbours. Distances are
chessboard distances in pixels. Void is cut out of prediction and target alike, so outlines along void always match.
"""

from abc import abstractmethod
from collections.abc import Iterator

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric

from seglit.labels import IGNORE_INDEX
from seglit.metrics import Counts, PerClass, divide, mean_defined

IOU_WIDTH = 0.02
"""Width of boundary IoU's band as a share of the image diagonal, from Cheng et al."""
F1_WIDTH = 0.0075
"""Tolerance of boundary F1 as a share of the image diagonal, from Csurka et al."""

Classes = NDArray[np.uint8]
Mask = NDArray[np.bool_]


class BoundaryScores:
    """Boundary scores.

    Attributes:
        iou: Boundary IoU per class, 0..1, (C,); nan for a class in neither target nor prediction.
        f1: Boundary F1 per class, 0..1, (C,); nan for a class without outline in target and prediction.
        mean_iou: Mean of `iou` over the classes where it is not nan.
        mean_f1: Mean of `f1` over the classes where it is not nan.
    """

    def __init__(self, iou: PerClass, f1: PerClass) -> None:
        self.iou = iou
        self.f1 = f1
        self.mean_iou = mean_defined(iou)
        self.mean_f1 = mean_defined(f1)


class ImageCounts(Metric):
    """Counts a split's pixels image by image, on the CPU with OpenCV; subclasses define `_count` and `compute`.

    Args:
        shape: Shape of the counts; the last dimension is the class.
    """

    full_state_update = False
    counts: Tensor

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.num_classes = shape[-1]
        self.add_state("counts", torch.zeros(shape, dtype=torch.long), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Counts whole images without padding.

        Args:
            preds: Predicted class indices, any integer type, (B, H, W).
            target: Class indices, same shape, any integer type, void 255.
        """
        counts = np.zeros(self.counts.shape, dtype=np.int64)
        for image_preds, image_target in image_pairs(preds, target):
            self._count(image_preds, image_target, counts)
        self.counts += torch.from_numpy(counts).to(self.counts.device)

    @abstractmethod
    def _count(self, preds: Classes, target: Classes, counts: Counts) -> None:
        """Adds an image to the counts; void is in both preds and target."""


class BoundaryCounts(ImageCounts):
    """Counts a split's pixels along outlines; `compute` returns `BoundaryScores`.

    Boundary IoU is the IoU of two bands: a class's target pixels within a distance of its outline, and likewise its
    predicted pixels (Cheng et al., Boundary IoU, CVPR 2021). As in their code, the image border counts as outline.

    Boundary F1 compares the outlines themselves, one pixel thin: precision is the share of the predicted outline within
    a tolerance of the target's, recall the share of the target's outline within the tolerance of the predicted one
    (Csurka et al., BMVC 2013; they average over images). The image border, which nobody annotated, is no outline here.

    Pixels are summed over the split before dividing, as for the confusion matrix.

    Args:
        num_classes: Number of classes, C.
    """

    def __init__(self, num_classes: int) -> None:
        # band pixels: in both, target, prediction; outline pixels: target, matched of these, prediction, matched
        super().__init__(7, num_classes)

    def compute(self) -> BoundaryScores:
        """Returns the scores since the last reset, over all ranks."""
        both, target, predicted, *outlines = self.counts.cpu().numpy()
        target_length, target_matched, pred_length, pred_matched = outlines
        precision, recall = divide(pred_matched, pred_length), divide(target_matched, target_length)
        f1 = divide(2 * precision * recall, precision + recall)
        # F1 is 0 if no outline pixel matches, or only one of the two has an outline
        f1[(pred_length + target_length > 0) & np.isnan(f1)] = 0
        return BoundaryScores(divide(both, target + predicted - both), f1)

    def _count(self, preds: Classes, target: Classes, counts: Counts) -> None:
        self._count_bands(preds, target, counts[:3])
        self._count_outlines(preds, target, counts[3:])

    def _count_bands(self, preds: Classes, target: Classes, counts: Counts) -> None:
        width = in_pixels(IOU_WIDTH, target)
        preds_band, target_band = near_outline(preds, width), near_outline(target, width)
        for band in (preds_band, target_band):
            band[:width] = band[-width:] = True
            band[:, :width] = band[:, -width:] = True
        counts[0] += self._per_class(target[preds_band & target_band & (preds == target)])
        counts[1] += self._per_class(target[target_band])
        counts[2] += self._per_class(preds[preds_band])

    def _count_outlines(self, preds: Classes, target: Classes, counts: Counts) -> None:
        window = _window(in_pixels(F1_WIDTH, target))
        # outside the outlines the class becomes void
        preds, target = (
            np.where(near_outline(classes, 1), classes, np.uint8(IGNORE_INDEX)) for classes in (preds, target)
        )
        target_length, pred_length = self._per_class(target), self._per_class(preds)
        counts[0] += target_length
        counts[2] += pred_length
        for index in np.flatnonzero((target_length > 0) & (pred_length > 0)):
            class_preds, class_target = ((classes == index).view(np.uint8) for classes in (preds, target))
            box = bounding_box(class_preds | class_target)
            class_preds, class_target = class_preds[box], class_target[box]
            counts[1, index] += np.count_nonzero(class_target & cv2.dilate(class_preds, window))
            counts[3, index] += np.count_nonzero(class_preds & cv2.dilate(class_target, window))

    def _per_class(self, classes: Classes) -> Counts:
        """Counts the pixels of each class except void, (C,)."""
        return np.bincount(classes[classes != IGNORE_INDEX], minlength=self.num_classes)


def image_pairs(preds: Tensor, target: Tensor) -> Iterator[tuple[Classes, Classes]]:
    """Yields the preds and target of each image in a batch (B, H, W), uint8 (H, W), with the target's void in both."""
    preds = torch.where(target == IGNORE_INDEX, target, preds)
    return zip(*(classes.to(torch.uint8).cpu().numpy() for classes in (preds, target)), strict=True)


def bounding_box(mask: NDArray[np.uint8]) -> tuple[slice, slice]:
    """Returns the rows and columns of a mask (H, W) around its pixels other than 0."""
    left, top, width, height = cv2.boundingRect(mask)
    return slice(top, top + height), slice(left, left + width)


def in_pixels(share: float, classes: Classes) -> int:
    """Converts a share of the image diagonal to whole pixels, at least one."""
    return max(1, round(share * float(np.hypot(*classes.shape))))


def near_outline(classes: Classes, width: int) -> Mask:
    """Returns the pixels (H, W) at most `width` away from a pixel of another class or void.

    One dilation and one erosion serve all classes: near an outline, the window's maximum and minimum differ. Cheng et
    al. erode each class.
    """
    window = _window(width)
    return np.asarray(cv2.dilate(classes, window) != cv2.erode(classes, window))


def outline_distance(classes: Classes) -> NDArray[np.uint16]:
    """Returns the chessboard distance of each pixel (H, W) to the outlines plus one, so 1 on an outline.

    Without any outline it is the image's longer side plus one.
    """
    outline = near_outline(classes, 1)
    if not outline.any():
        return np.full(classes.shape, max(classes.shape) + 1, np.uint16)
    steps = cv2.distanceTransform((~outline).view(np.uint8), cv2.DIST_C, cv2.DIST_MASK_3)
    return np.asarray(steps, dtype=np.uint16) + np.uint16(1)


def _window(width: int) -> NDArray[np.uint8]:
    return np.ones((2 * width + 1, 2 * width + 1), dtype=np.uint8)
