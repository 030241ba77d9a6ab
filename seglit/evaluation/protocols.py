"""mIoU as other people's code defines it, from one and the same confusion matrix.

The definitions differ in which classes the mean is taken over and which pixels count, and in nothing else:

- Void is in none of them: a pixel whose target is void counts for no class, whatever was predicted there.
- A class that is in neither target nor prediction (0/0) is left out of the mean.
- Classes can be set aside, such as a background. Their pixels are then void.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seglit.metrics import Counts, Scores, mean_defined


@dataclass(frozen=True, slots=True)
class Protocol:
    """A published definition of mIoU, and what it comes to.

    Args:
        name: Whose it is.
        meaning: Which classes and pixels count, in one line.
        miou: The mean IoU, 0..1; nan where nothing counts.
    """

    name: str
    meaning: str
    miou: float


def miou_protocols(confusion: Counts, set_aside: Sequence[int] = ()) -> list[Protocol]:
    """The mIoU of torchmetrics, of mmsegmentation and of the Cityscapes script.

    As long as no class is set aside the three agree but for rounding (torchmetrics divides in float32, mmsegmentation
    adds up in float32 and gives percent to two places): published scores that differ for another reason were not
    counted on the same pixels.

    Args:
        confusion: Pixel counts, int64 (C, C), rows the target, columns the prediction; void is not in it.
        set_aside: The classes given to torchmetrics and mmsegmentation as `ignore_index` (they take one), and marked
            `ignoreInEval` in the Cityscapes labels.
    """
    iou = Scores(_without(confusion, set_aside)).iou
    others = mean_defined(np.delete(iou, list(set_aside)))
    return [
        Protocol(
            "torchmetrics",
            "macro MulticlassJaccardIndex: a class in neither mask nor prediction does not count, nor one set aside",
            others,
        ),
        Protocol(
            "mmsegmentation",
            "IoUMetric: as torchmetrics, but a class set aside still counts, with IoU 0, where it is predicted",
            mean_defined(iou),
        ),
        Protocol(
            "Cityscapes",
            "its evaluation script: as torchmetrics; to predict a class set aside is an error in both",
            others,
        ),
    ]


def _without(confusion: Counts, classes: Sequence[int]) -> Counts:
    """The counts without the pixels of some classes."""
    counted = confusion.copy()
    counted[list(classes)] = 0
    return counted
