"""Counts the confusion matrix of a split."""

import torch
from torch import Tensor
from torchmetrics.classification import MulticlassJaccardIndex

from seglit.errors import InputError
from seglit.labels import IGNORE_INDEX
from seglit.metrics import Scores


class ConfusionMatrix(MulticlassJaccardIndex):
    """Counts a split's pixels by target and predicted class; `compute` returns `Scores`.

    State, reset, device moves and the sum over ranks are inherited. `update` is overridden because torchmetrics removes
    void by boolean indexing and validates the values of every batch, which takes four times as long.

    Args:
        num_classes: Number of classes, C.
    """

    confmat: Tensor

    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes, average="macro", ignore_index=IGNORE_INDEX, validate_args=False)

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Counts a batch (B, H, W); see `count_pixels`."""
        self.confmat += count_pixels(preds, target, self.num_classes)

    def compute(self) -> Scores:  # type: ignore[override]
        """Returns the scores since the last reset, over all ranks."""
        return Scores(self.confmat.cpu().numpy())


def count_pixels(preds: Tensor, target: Tensor, num_classes: int) -> Tensor:
    """Returns the confusion matrix of a batch or an image: int64 (C, C), rows target, columns prediction.

    Args:
        preds: Predicted class indices, any integer type and shape, below C (not checked).
        target: Class indices, same shape, any integer type, void 255.
        num_classes: Number of classes, C.

    Raises:
        InputError: The shapes differ, or the target contains a value that is neither a class index nor void.
    """
    if preds.shape != target.shape:
        raise InputError(f"predictions {tuple(preds.shape)} and mask {tuple(target.shape)} differ in shape")
    # Cell 0 counts void, the matrix follows. int64, because the product overflows the uint8 of a mask.
    cells = torch.where(target != IGNORE_INDEX, 1 + target.long() * num_classes + preds, 0)
    counts = torch.bincount(cells.flatten(), minlength=1 + num_classes**2)
    if len(counts) > 1 + num_classes**2:  # no extra host sync: bincount already had to read the maximum
        raise InputError(f"the mask contains a class index above {num_classes - 1} that is not void (255)")
    return counts[1:].reshape(num_classes, num_classes)
