"""mIoU as other people's code defines it, from one and the same confusion matrix.

The definitions differ in which classes the mean is taken over and which pixels count, and in nothing else:

- Void is in none of them: a pixel whose target is void counts for no class, whatever was predicted there.
- A class that is in neither target nor prediction (0/0) is left out of the mean; to some it counts as 0.
- Classes can be set aside, such as a background. Their pixels then are void, or they count as errors still.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

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


def mean_iou(
    confusion: Counts,
    *,
    absent: Literal["left out", "zero"] = "left out",
    set_aside: Sequence[int] = (),
    set_aside_pixels: Literal["void", "counted"] = "void",
) -> float:
    """The mean IoU with its conventions chosen.

    Args:
        confusion: Pixel counts, int64 (C, C), rows the target, columns the prediction; void is not in it.
        absent: Whether a class in neither target nor prediction is left out of the mean or counts as 0.
        set_aside: Classes that are left out of the mean in any case, such as a background.
        set_aside_pixels: What becomes of their pixels: void, or counted still as errors of what was predicted there.
            A pixel of another class that is predicted as one of them is an error either way.
    """
    counted = _without(confusion, set_aside) if set_aside_pixels == "void" else confusion
    iou = np.delete(Scores(counted).iou, list(set_aside))
    return mean_defined(np.nan_to_num(iou, nan=0.0) if absent == "zero" else iou)


def miou_protocols(confusion: Counts, set_aside: Sequence[int] = ()) -> list[Protocol]:
    """The mIoU of torchmetrics, of mmsegmentation and of the Cityscapes script.

    As long as no class is set aside the three agree but for rounding (torchmetrics divides in float32, mmsegmentation
    adds up in float32 and gives percent to two places): published scores that differ for another reason were not
    counted on the same pixels.

    Args:
        confusion: As for `mean_iou`.
        set_aside: The classes given to torchmetrics and mmsegmentation as `ignore_index` (they take one), and marked
            `ignoreInEval` in the Cityscapes labels.
    """
    as_void = _without(confusion, set_aside)
    return [
        Protocol(
            "torchmetrics",
            "macro MulticlassJaccardIndex: a class in neither mask nor prediction does not count, nor one set aside",
            mean_iou(confusion, set_aside=set_aside),
        ),
        Protocol(
            "mmsegmentation",
            "IoUMetric: as torchmetrics, but a class set aside still counts, with IoU 0, where it is predicted",
            mean_iou(as_void),
        ),
        Protocol(
            "Cityscapes",
            "its evaluation script: as torchmetrics; to predict a class set aside is an error in both",
            mean_iou(confusion, set_aside=set_aside),
        ),
    ]


def _without(confusion: Counts, classes: Sequence[int]) -> Counts:
    """The counts without the pixels of some classes."""
    counted = confusion.copy()
    counted[list(classes)] = 0
    return counted
