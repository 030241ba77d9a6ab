"""Scores of a split: one confusion matrix of counts in, every score out.

Pixels are counted over a whole split and only then divided: a score is never a mean over batches or images.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics.classification import MulticlassJaccardIndex

from seglit.errors import InputError
from seglit.labels import IGNORE_INDEX

Counts = NDArray[np.int64]
PerClass = NDArray[np.float64]


class Scores:
    """The scores of a confusion matrix; void pixels are not in it.

    A score that would be 0/0 is nan ("n/a"), and a mean leaves out the classes whose score is nan; so `miou` is
    torchmetrics' macro `MulticlassJaccardIndex`. All of it is float64: the float32 of torchmetrics cannot hold a count
    above 2^24, which 17 images of one megapixel exceed.

    Attributes:
        confusion: Pixel counts, int64 (C, C), rows the target, columns the prediction; read-only.
    """

    def __init__(self, confusion: Counts) -> None:
        self.confusion = confusion.astype(np.int64)
        self.confusion.setflags(write=False)
        self._correct: Counts = self.confusion.diagonal()
        self._target: Counts = self.confusion.sum(axis=1)
        self._predicted: Counts = self.confusion.sum(axis=0)

    @property
    def iou(self) -> PerClass:
        """Intersection over union per class, (C,); nan for a class in neither target nor prediction."""
        return divide(self._correct, self._target + self._predicted - self._correct)

    @property
    def dice(self) -> PerClass:
        """Dice coefficient (F1) per class, (C,); nan for a class in neither target nor prediction."""
        return divide(2 * self._correct, self._target + self._predicted)

    @property
    def precision(self) -> PerClass:
        """The share of the pixels predicted as a class that are of it, (C,); nan for a class never predicted."""
        return divide(self._correct, self._predicted)

    @property
    def recall(self) -> PerClass:
        """The share of each class's pixels that were found (its accuracy), (C,); nan for a class not in the target."""
        return divide(self._correct, self._target)

    @property
    def pixel_share(self) -> PerClass:
        """Each class's share of the target's labelled pixels, (C,)."""
        return divide(self._target, np.full_like(self._target, self._target.sum()))

    @property
    def miou(self) -> float:
        """The mean of `iou` over the classes that occur in target or prediction."""
        return mean_defined(self.iou)

    @property
    def mdice(self) -> float:
        """The mean of `dice` over the classes that occur in target or prediction."""
        return mean_defined(self.dice)

    @property
    def mean_precision(self) -> float:
        """The mean of `precision` over the classes that are predicted."""
        return mean_defined(self.precision)

    @property
    def mean_accuracy(self) -> float:
        """The mean of `recall` over the classes that occur in the target."""
        return mean_defined(self.recall)

    @property
    def pixel_accuracy(self) -> float:
        """The share of all labelled pixels that are right."""
        return float(divide(self._correct.sum(keepdims=True), self._target.sum(keepdims=True))[0])

    @property
    def frequency_weighted_iou(self) -> float:
        """`iou` weighted by `pixel_share`: Long et al. 2015's frequency weighted IU."""
        return float(np.nansum(self.iou * self.pixel_share)) if self._target.any() else float("nan")

    def as_dict(self, class_names: Sequence[str]) -> dict[str, float]:
        """The scores under the names they are logged by: `miou`, `dice`, ..., and `iou/<class>` per class.

        Args:
            class_names: One name per class, in the order of the indices.

        Raises:
            InputError: There are not as many names as classes.
        """
        if len(class_names) != len(self.confusion):
            raise InputError(f"scores of {len(self.confusion)} classes cannot go by {len(class_names)} class names")
        return {
            "miou": self.miou,
            "dice": self.mdice,
            "pixel_accuracy": self.pixel_accuracy,
            "mean_accuracy": self.mean_accuracy,
            **{f"iou/{name}": float(iou) for name, iou in zip(class_names, self.iou, strict=True)},
        }


class ConfusionMatrix(MulticlassJaccardIndex):
    """Counts the pixels of a split by target and predicted class; `compute` gives its `Scores`.

    State, reset, moves between devices and the sum over ranks are torchmetrics'. The counting is written here because
    torchmetrics takes void pixels out with a boolean index and checks every value of every batch (four times the time).

    Args:
        num_classes: The number of classes, C.
    """

    confmat: Tensor

    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes, average="macro", ignore_index=IGNORE_INDEX, validate_args=False)

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Counts a batch.

        Args:
            preds: Predicted class indices, any integer type, (B, H, W), each below C (they are not checked).
            target: Class indices of the same shape, any integer type, void = 255.

        Raises:
            InputError: The shapes differ, or the target holds a value that is neither a class nor void.
        """
        if preds.shape != target.shape:
            raise InputError(f"predictions {tuple(preds.shape)} and mask {tuple(target.shape)} differ in shape")
        # Void is counted in a cell of its own, 0, before the matrix; int64, as a mask's uint8 cannot hold the product.
        cells = torch.where(target != IGNORE_INDEX, 1 + target.long() * self.num_classes + preds, 0)
        counts = torch.bincount(cells.flatten(), minlength=1 + self.num_classes**2)
        if len(counts) > 1 + self.num_classes**2:  # the length costs nothing: bincount itself had to know it
            raise InputError(f"the mask holds a class index above {self.num_classes - 1} that is not void (255)")
        self.confmat += counts[1:].reshape(self.num_classes, self.num_classes)

    def compute(self) -> Scores:  # type: ignore[override]
        """The scores of all that was counted since the last reset, on all ranks together."""
        return Scores(self.confmat.cpu().numpy())


def divide(numerator: Counts | PerClass, denominator: Counts | PerClass) -> PerClass:
    """The element-wise quotient in float64, nan where the denominator is 0."""
    quotient = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator > 0)
    return quotient


def mean_defined(values: PerClass) -> float:
    """The mean of the values that are not nan, nan if there are none."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")
