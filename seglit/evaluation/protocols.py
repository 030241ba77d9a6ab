"""mIoU as other libraries define it, computed from the same confusion matrix.

The definitions differ only in which classes are averaged and which pixels count. In all of them:

- A pixel whose target is void counts for no class, whatever was predicted there.
- A class in neither target nor prediction (0/0) is left out of the mean.
- Classes, such as a background, can be ignored. Their target pixels are then void.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seglit.metrics import Counts, Scores, mean_defined


@dataclass(frozen=True, slots=True)
class Protocol:
    """The mIoU by a published definition.

    Args:
        name: The library that defines it.
        meaning: The definition in one line.
        miou: Mean IoU, 0..1; nan if no pixel counts.
    """

    name: str
    meaning: str
    miou: float


def miou_protocols(confusion: Counts, ignored: Sequence[int] = ()) -> list[Protocol]:
    """Computes the mIoU of torchmetrics, mmsegmentation and the Cityscapes script.

    If no class is ignored, the three agree except for rounding (torchmetrics divides in float32, mmsegmentation sums in
    float32 and reports percent with two decimals): published scores that differ otherwise do not count the same pixels.

    Args:
        confusion: Pixel counts, int64 (C, C), rows target, columns prediction, without void.
        ignored: The classes given to torchmetrics and mmsegmentation as `ignore_index` (which accept one), and marked
            `ignoreInEval` in the Cityscapes labels.
    """
    counted = confusion.copy()
    counted[list(ignored)] = 0
    iou = Scores(counted).iou
    without_ignored = mean_defined(np.delete(iou, list(ignored)))
    return [
        Protocol(
            "torchmetrics",
            "macro MulticlassJaccardIndex: skips ignored classes and those in neither target nor prediction",
            without_ignored,
        ),
        Protocol(
            "mmsegmentation",
            "IoUMetric: as torchmetrics, but an ignored class counts with IoU 0 if it is predicted",
            mean_defined(iou),
        ),
        Protocol(
            "Cityscapes",
            "evaluation script: as torchmetrics; predicting an ignored class is an error in both",
            without_ignored,
        ),
    ]
