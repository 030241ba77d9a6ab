"""Scores of a split, all computed from one confusion matrix.

Pixels are counted over the whole split before anything is divided: no score is a mean over batches or images.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seglit.errors import InputError

Counts = NDArray[np.int64]
PerClass = NDArray[np.float64]


class Scores:
    """Scores computed from a confusion matrix without void pixels.

    A score of 0/0 is nan (shown as "n/a"), and means skip classes whose score is nan, so `miou` equals torchmetrics'
    macro `MulticlassJaccardIndex`. All scores are float64: torchmetrics' float32 cannot represent every count above
    2^24, which 17 images of one megapixel exceed.

    Attributes:
        confusion: Pixel counts, int64 (C, C), rows target, columns prediction; read-only.
        iou: Intersection over union per class, (C,); nan for a class in neither target nor prediction.
        dice: Dice coefficient (F1) per class, (C,); nan for a class in neither target nor prediction.
        precision: Share of the pixels predicted as a class that belong to it, (C,); nan for a class never predicted.
        recall: Share of a class's pixels predicted correctly (class accuracy), (C,); nan for a class not in the target.
        pixel_share: Share of the labelled target pixels per class, (C,).
        miou: Mean of `iou` over the classes in target or prediction.
        mdice: Mean of `dice` over the classes in target or prediction.
        mean_precision: Mean of `precision` over the predicted classes.
        mean_accuracy: Mean of `recall` over the classes in the target.
        pixel_accuracy: Share of all labelled pixels predicted correctly.
        frequency_weighted_iou: `iou` weighted by `pixel_share` (frequency weighted IU, Long et al. 2015).
    """

    def __init__(self, confusion: Counts) -> None:
        self.confusion = confusion.astype(np.int64)
        self.confusion.setflags(write=False)
        correct: Counts = self.confusion.diagonal()
        target: Counts = self.confusion.sum(axis=1)
        predicted: Counts = self.confusion.sum(axis=0)
        self.iou = divide(correct, target + predicted - correct)
        self.dice = divide(2 * correct, target + predicted)
        self.precision = divide(correct, predicted)
        self.recall = divide(correct, target)
        self.pixel_share = divide(target, target.sum())
        self.miou = mean_defined(self.iou)
        self.mdice = mean_defined(self.dice)
        self.mean_precision = mean_defined(self.precision)
        self.mean_accuracy = mean_defined(self.recall)
        self.pixel_accuracy = float(divide(correct.sum(), target.sum()))
        self.frequency_weighted_iou = float(np.nansum(self.iou * self.pixel_share)) if target.any() else float("nan")

    def as_dict(self, class_names: Sequence[str]) -> dict[str, float]:
        """Returns the scores by their logged names: `miou`, `dice`, ..., and `iou/<class>` per class.

        Args:
            class_names: One name per class, in index order.

        Raises:
            InputError: The number of names is not the number of classes.
        """
        if len(class_names) != len(self.confusion):
            raise InputError(f"scores of {len(self.confusion)} classes do not match {len(class_names)} class names")
        return {
            "miou": self.miou,
            "dice": self.mdice,
            "pixel_accuracy": self.pixel_accuracy,
            "mean_accuracy": self.mean_accuracy,
            **{f"iou/{name}": float(iou) for name, iou in zip(class_names, self.iou, strict=True)},
        }


def divide(numerator: Counts | PerClass, denominator: Counts | PerClass) -> PerClass:
    """Divides element-wise in float64; nan where the denominator, which is broadcast, is 0."""
    quotient = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator > 0)
    return quotient


def mean_defined(values: PerClass) -> float:
    """Returns the mean of the values that are not nan; nan if there are none."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")
