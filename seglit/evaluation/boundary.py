"""Boundary IoU and boundary F1 of a split, neither of which torchmetrics provides.

An outline consists of the pixels that have one of another class or void among their eight neighbours. Distances are
chessboard distances in pixels. Void is cut out of prediction and target alike, so outlines along void always match.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from seglit.evaluation.image_pair import ImageCounts, ImagePair
from seglit.evaluation.outlines import Classes, Mask, Outlines, in_pixels
from seglit.metrics import Counts, PerClass, divide, mean_defined

IOU_WIDTH = 0.02
"""Width of boundary IoU's band as a share of the image diagonal, from Cheng et al."""
F1_WIDTH = 0.0075
"""Tolerance of boundary F1 as a share of the image diagonal, from Csurka et al."""

_Bits = NDArray[np.uint16]


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

    def _count(self, image: ImagePair, counts: Counts) -> None:
        preds, target = image.preds, image.target
        preds_band, target_band = (
            _band(outlines, in_pixels(IOU_WIDTH, target)) for outlines in (image.preds_outlines, image.target_outlines)
        )
        preds_outline, target_outline = image.preds_outlines.near(1), image.target_outlines.near(1)
        _, in_target, in_preds = image.count(self.num_classes)
        preds_matched, target_matched = _match(image, np.flatnonzero(in_target * in_preds))
        both = preds_band & target_band & (preds == target)
        counts[[0, 1, 3, 4]] += self._per_class(target, both, target_band, target_outline, target_matched)
        counts[[2, 5, 6]] += self._per_class(preds, preds_band, preds_outline, preds_matched)

    def _per_class(self, classes: Classes, *masks: Mask) -> Counts:
        """Counts the pixels of each class in each of some masks, (masks, C)."""
        rows = np.zeros(classes.shape, np.uint8)  # the combination of masks that a pixel is in
        for index, mask in enumerate(masks):
            rows |= mask.view(np.uint8) << np.uint8(index)
        combinations = np.arange(2 ** len(masks))
        is_in = combinations >> np.arange(len(masks))[:, np.newaxis] & 1
        return is_in @ self._table(rows, classes, len(combinations))


def _band(outlines: Outlines, width: int) -> Mask:
    """Returns the pixels (H, W) in the bands of boundary IoU."""
    band = outlines.near(width).copy()
    band[:width] = band[-width:] = True
    band[:, :width] = band[:, -width:] = True
    return band


def _match(image: ImagePair, indices: NDArray[np.intp]) -> tuple[Mask, Mask]:
    """Returns where outlines of preds and target have one of the other's, of their class, within F1's tolerance.

    Args:
        image: Prediction and target, (H, W).
        indices: Class indices in both.
    """
    tolerance = in_pixels(F1_WIDTH, image.target)
    preds_matched, target_matched = np.zeros((2, *image.target.shape), bool)
    for first in range(0, len(indices), 16):  # as bits of an integer, 16 classes are dilated at once
        bit_of = np.zeros((1, 256), np.uint16)
        bit_of[0, indices[first : first + 16]] = 1 << np.arange(len(indices[first : first + 16]))
        preds_bits, target_bits = (
            np.asarray(cv2.LUT(classes, bit_of), np.uint16) * outlines.near(1)
            for classes, outlines in ((image.preds, image.preds_outlines), (image.target, image.target_outlines))
        )
        preds_matched |= (preds_bits & _dilate(target_bits, tolerance)) > 0
        target_matched |= (target_bits & _dilate(preds_bits, tolerance)) > 0
    return preds_matched, target_matched


def _dilate(bits: _Bits, radius: int) -> _Bits:
    """Returns the bitwise or over the square window around each pixel (H, W)."""
    for _ in range(2):  # along rows, then along columns
        bits = np.pad(bits, ((radius, radius), (0, 0)))
        length = 1
        while length <= 2 * radius:
            step = min(length, 2 * radius + 1 - length)
            bits = bits[:-step] | bits[step:]
            length += step
        bits = bits.T
    return bits
