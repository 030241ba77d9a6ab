"""The prediction and target of an image, with what several counts of a test need of them, computed once."""

from abc import abstractmethod
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric

from seglit.evaluation.components import PixelRuns
from seglit.evaluation.outlines import Classes, Outlines
from seglit.labels import IGNORE_INDEX
from seglit.metrics import Counts


class ImagePair:
    """The prediction and target of an image.

    Args:
        preds: Predicted class indices, uint8 (H, W), void where the target is.
        target: Class indices, uint8 (H, W), void 255.
    """

    def __init__(self, preds: Classes, target: Classes) -> None:
        self.preds = preds
        self.target = target

    @cached_property
    def runs(self) -> PixelRuns[Classes]:
        """Runs of equal preds and target; their values are those of target and preds."""
        return PixelRuns(self.target, self.preds)

    @cached_property
    def preds_outlines(self) -> Outlines:
        """Outlines of the prediction."""
        return Outlines(self.preds)

    @cached_property
    def target_outlines(self) -> Outlines:
        """Outlines of the target."""
        return Outlines(self.target)

    def count(self, num_classes: int) -> Counts:
        """Counts pixels per class, (3, C): correct, in the target, predicted; all without void."""
        target, preds = self.runs.values
        correct = target == preds
        counts = [
            np.bincount(classes, lengths, num_classes)[:num_classes]
            for classes, lengths in (
                (target, self.runs.lengths * correct),
                (target, self.runs.lengths),
                (preds, self.runs.lengths),
            )
        ]
        return np.array(counts).astype(np.int64)


def image_pairs(preds: Tensor, target: Tensor) -> Iterator[ImagePair]:
    """Yields the images of a batch.

    Args:
        preds: Predicted class indices, any integer type, (B, H, W).
        target: Class indices, same shape, any integer type, void 255.
    """
    preds, target = preds.to(torch.uint8), target.to(torch.uint8)
    preds = torch.where(target == IGNORE_INDEX, target, preds)
    for image_preds, image_target in zip(preds.cpu().numpy(), target.cpu().numpy(), strict=True):
        yield ImagePair(image_preds, image_target)


class ImageCounts(Metric):
    """Counts a split's pixels image by image, on the CPU; subclasses define `_count` and `compute`.

    Args:
        shape: Shape of the counts; the last dimension is the class.
    """

    full_state_update = False
    counts: Tensor

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.num_classes = shape[-1]
        self.add_state("counts", torch.zeros(shape, dtype=torch.long), dist_reduce_fx="sum")

    def update(self, image: ImagePair) -> None:
        """Counts a whole image without padding."""
        counts = np.zeros(self.counts.shape, dtype=np.int64)
        self._count(image, counts)
        self.counts += torch.from_numpy(counts).to(self.counts.device)

    @abstractmethod
    def _count(self, image: ImagePair, counts: Counts) -> None:
        """Adds an image to the counts."""

    def _table(
        self, rows: NDArray[np.integer], classes: Classes, num_rows: int, values: NDArray[Any] | None = None
    ) -> Counts:
        """Counts pixels or objects by row and class, (num_rows, C), or adds up values of theirs; without void."""
        cells = (rows * np.uint16(256) + classes).ravel()
        table = np.bincount(cells, values, num_rows * 256).reshape(num_rows, 256)
        return table[:, : self.num_classes].astype(np.int64)
