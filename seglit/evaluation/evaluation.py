"""What is counted over a split while it is predicted: a few counts for validation, all there is for a test."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torchmetrics import MeanMetric, Metric

from seglit.evaluation.bootstrap import Intervals, bootstrap_iou
from seglit.evaluation.boundary import BoundaryCounts, BoundaryScores
from seglit.evaluation.breakdown import Breakdown, DistanceCounts, SizeCounts
from seglit.evaluation.calibration import Calibration, Reliability
from seglit.evaluation.mistakes import Confusion, ErrorRegions, Region, likeliest_label_errors, most_confused
from seglit.evaluation.own_metrics import OwnMetrics
from seglit.labels import IGNORE_INDEX
from seglit.metrics import ConfusionMatrix, Counts, Scores

_Item = TypeVar("_Item")


class Evaluation(nn.Module):
    """What validation counts: fast, as it is done every epoch.

    Args:
        num_classes: The number of classes, C.
        metrics: The user's own metrics.
    """

    def __init__(self, num_classes: int, metrics: Sequence[Metric] = ()) -> None:
        super().__init__()
        self.confusion = ConfusionMatrix(num_classes)
        self.own_metrics = OwnMetrics(metrics, num_classes)
        self.mean_loss = MeanMetric()

    def update(self, logits: Tensor, mask: Tensor, names: list[str]) -> Tensor:
        """Counts whole images, unpadded, and returns what is predicted, int64 (B, H, W).

        Args:
            logits: Logits (B, C, H, W).
            mask: Class indices int64 (B, H, W), void 255.
            names: The images' names; "" of one that only evens out the ranks.
        """
        preds = logits.argmax(1)
        self.confusion.update(preds, mask)
        self.own_metrics.update(preds, mask, names)
        return preds

    def compute(self) -> Scores:
        """The scores of all that was counted since the last reset, on all ranks together."""
        return self.confusion.compute()

    def reset(self) -> None:
        """Forgets what was counted."""
        self.confusion.reset()
        self.mean_loss.reset()
        self.own_metrics.reset()


class TestScores(Scores):
    """All scores of a split.

    Attributes:
        boundary: Boundary IoU and F1.
        calibration: How often it is right by how sure it is, and expected calibration error.
        sizes: Scores by the size of objects.
        distances: Scores by the distance to the target's outline.
        confusions: The confusions that cost the most IoU.
        label_errors: Where the target is likelier wrong than the prediction.
        names: The names of the images with labelled pixels, sorted.
        images: Their pixels per class, int64 (N, 3, C): right, in the target, predicted; read-only.
        intervals: 95 % bootstrap intervals over these images.
    """

    __test__ = False  # pytest takes names that begin so for tests

    def __init__(
        self,
        confusion: Counts,
        boundary: BoundaryScores,
        calibration: Reliability,
        sizes: Breakdown,
        distances: Breakdown,
        confusions: list[Confusion],
        label_errors: list[Region],
        names: list[str],
        images: Counts,
    ) -> None:
        super().__init__(confusion)
        self.boundary = boundary
        self.calibration = calibration
        self.sizes = sizes
        self.distances = distances
        self.confusions = confusions
        self.label_errors = label_errors
        self.names = names
        self.images = images
        self.images.setflags(write=False)
        self.intervals: Intervals = bootstrap_iou(images)

    def as_dict(self, class_names: Sequence[str]) -> dict[str, float]:
        """The scores under the names they are logged by."""
        low, high = self.intervals.miou
        return {
            **super().as_dict(class_names),
            "miou_low": low,
            "miou_high": high,
            "fwiou": self.frequency_weighted_iou,
            "boundary_iou": self.boundary.mean_iou,
            "boundary_f1": self.boundary.mean_f1,
            "ece": self.calibration.error,
        }


class TestEvaluation(Evaluation):
    """What a test counts: also along outlines, by size, how sure the network is, and each image by itself.

    Args:
        num_classes: The number of classes, C.
        metrics: The user's own metrics.
    """

    __test__ = False  # pytest takes names that begin so for tests

    def __init__(self, num_classes: int, metrics: Sequence[Metric] = ()) -> None:
        super().__init__(num_classes, metrics)
        self.boundary = BoundaryCounts(num_classes)
        self.calibration = Calibration()
        self.sizes = SizeCounts(num_classes)
        self.distances = DistanceCounts(num_classes)
        self.regions = ErrorRegions()
        self._names: list[str] = []
        self._images: list[Tensor] = []  # (B, 3, C) each

    def update(self, logits: Tensor, mask: Tensor, names: list[str]) -> Tensor:
        """Counts whole images, unpadded, and returns what is predicted, int64 (B, H, W)."""
        preds = super().update(logits, mask, names)
        confidence = logits.float().softmax(1).amax(1)
        self.calibration.update(confidence, preds, mask)
        for counts in (self.boundary, self.sizes, self.distances):
            counts.update(preds, mask)
        self.regions.update(preds, mask, confidence, names)
        self._names += names
        self._images.append(count_images(preds, mask, self.confusion.num_classes))
        return preds

    def compute(self) -> TestScores:
        """The scores of all that was counted since the last reset, on all ranks together."""
        names, images = self._gather_images()
        confused, doubtful = (_gather(each) for each in self.regions.found())
        confusion = super().compute().confusion
        return TestScores(
            confusion,
            self.boundary.compute(),
            self.calibration.compute(),
            self.sizes.compute(),
            self.distances.compute(),
            most_confused(confusion, confused),
            likeliest_label_errors(doubtful),
            names,
            images,
        )

    def reset(self) -> None:
        """Forgets what was counted."""
        super().reset()
        for counts in (self.boundary, self.calibration, self.sizes, self.distances, self.regions):
            counts.reset()
        self._names, self._images = [], []

    def _gather_images(self) -> tuple[list[str], Counts]:
        """The images of all ranks, in an order that does not depend on which rank had which.

        Those without a labelled pixel are left out: they have no score, and may be there only to even out the ranks.
        """
        mine = [each for batch in self._images for each in batch.cpu().numpy()]
        every = _gather([(name, each) for name, each in zip(self._names, mine, strict=True) if each[1].any()])
        every.sort(key=lambda image: (image[0], image[1].tobytes()))
        empty = np.zeros((0, 3, self.confusion.num_classes), dtype=np.int64)
        return [name for name, _ in every], np.concatenate([empty, *(each[np.newaxis] for _, each in every)])


def _gather(mine: list[_Item]) -> list[_Item]:
    """What the lists of all ranks hold."""
    everyones = [mine]
    if distributed.is_available() and distributed.is_initialized():
        everyones = [mine] * distributed.get_world_size()
        distributed.all_gather_object(everyones, mine)
    return [item for each in everyones for item in each]


def count_images(preds: Tensor, target: Tensor, num_classes: int) -> Tensor:
    """Each image's pixels per class, int64 (B, 3, C): right, in the target, predicted; void is not in them.

    Args:
        preds: Predicted class indices int64 (B, H, W).
        target: Class indices int64 (B, H, W), void 255.
        num_classes: The number of classes, C.
    """
    void = target == IGNORE_INDEX
    kinds = torch.stack([torch.where(preds == target, target, num_classes), target, preds], dim=1)  # (B, 3, H, W)
    kinds = torch.where(void.unsqueeze(1), num_classes, kinds)  # what is not counted has a cell of its own, the last
    rows = torch.arange(3 * len(target), device=target.device).view(-1, 3, 1, 1)
    counts = torch.bincount((rows * (num_classes + 1) + kinds).flatten(), minlength=rows.numel() * (num_classes + 1))
    return counts.view(-1, 3, num_classes + 1)[..., :-1]
