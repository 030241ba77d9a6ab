"""Evaluation of a split batch by batch: a few fast counts for validation, all scores for a test."""

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
    """Evaluates a validation split, fast enough for every epoch.

    Args:
        num_classes: Number of classes, C.
        metrics: The user's own metrics.
    """

    def __init__(self, num_classes: int, metrics: Sequence[Metric] = ()) -> None:
        super().__init__()
        self.confusion = ConfusionMatrix(num_classes)
        self.own_metrics = OwnMetrics(metrics, num_classes)
        self.mean_loss = MeanMetric()

    def update(self, logits: Tensor, mask: Tensor, names: list[str]) -> Tensor:
        """Counts whole images without padding; returns the preds, int64 (B, H, W).

        Args:
            logits: Logits (B, C, H, W).
            mask: Class indices int64 (B, H, W), void 255.
            names: The images' names; "" for a padding sample that equalises the ranks.
        """
        preds = logits.argmax(1)
        self.confusion.update(preds, mask)
        self.own_metrics.update(preds, mask, names)
        return preds

    def compute(self) -> Scores:
        """Returns the scores since the last reset, over all ranks."""
        return self.confusion.compute()

    def reset(self) -> None:
        """Resets all counts."""
        self.confusion.reset()
        self.mean_loss.reset()
        self.own_metrics.reset()


class TestScores(Scores):
    """All scores of a test split.

    Attributes:
        boundary: Boundary IoU and F1.
        calibration: Accuracy by confidence, and expected calibration error.
        sizes: Scores by object size.
        distances: Scores by distance to the target's outlines.
        confusions: The confusions that cost the most IoU.
        label_errors: The likeliest label errors.
        names: Names of the images with labelled pixels, sorted.
        images: Their pixels per class, int64 (N, 3, C): correct, in the target, predicted; read-only.
        intervals: 95 % bootstrap intervals over these images.
    """

    __test__ = False  # not a test, although pytest collects classes of this name

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
        """Returns the scores by their logged names."""
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
    """Evaluates a test split: adds boundaries, object sizes, calibration, error regions and scores per image.

    Args:
        num_classes: Number of classes, C.
        metrics: The user's own metrics.
    """

    __test__ = False  # not a test, although pytest collects classes of this name

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
        """Counts whole images without padding; returns the preds, int64 (B, H, W)."""
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
        """Returns the scores since the last reset, over all ranks."""
        names, images = self._gather_images()
        regions, label_errors = map(_gather, self.regions.compute())
        confusion = super().compute().confusion
        return TestScores(
            confusion,
            self.boundary.compute(),
            self.calibration.compute(),
            self.sizes.compute(),
            self.distances.compute(),
            most_confused(confusion, regions),
            likeliest_label_errors(label_errors),
            names,
            images,
        )

    def reset(self) -> None:
        """Resets all counts."""
        super().reset()
        for counts in (self.boundary, self.calibration, self.sizes, self.distances, self.regions):
            counts.reset()
        self._names, self._images = [], []

    def _gather_images(self) -> tuple[list[str], Counts]:
        """Returns names and counts of the images of all ranks, in an order independent of the ranks.

        Images without labelled pixels are left out: they have no score and may be padding samples that equalise ranks.
        """
        local = [counts for batch in self._images for counts in batch.cpu().numpy()]
        images = _gather([(name, counts) for name, counts in zip(self._names, local, strict=True) if counts[1].any()])
        images.sort(key=lambda image: (image[0], image[1].tobytes()))
        empty = np.zeros((0, 3, self.confusion.num_classes), dtype=np.int64)
        return [name for name, _ in images], np.concatenate([empty, *(counts[np.newaxis] for _, counts in images)])


def _gather(items: list[_Item]) -> list[_Item]:
    """Concatenates the lists of all ranks."""
    ranks = [items]
    if distributed.is_available() and distributed.is_initialized():
        ranks = [items] * distributed.get_world_size()
        distributed.all_gather_object(ranks, items)
    return [item for rank_items in ranks for item in rank_items]


def count_images(preds: Tensor, target: Tensor, num_classes: int) -> Tensor:
    """Counts pixels per image and class, int64 (B, 3, C): correct, in the target, predicted; all without void.

    Args:
        preds: Predicted class indices int64 (B, H, W).
        target: Class indices int64 (B, H, W), void 255.
        num_classes: Number of classes, C.
    """
    void = target == IGNORE_INDEX
    classes = torch.stack([torch.where(preds == target, target, num_classes), target, preds], dim=1)  # (B, 3, H, W)
    classes = torch.where(void.unsqueeze(1), num_classes, classes)  # uncounted pixels go to an extra cell, the last
    rows = torch.arange(3 * len(target), device=target.device).view(-1, 3, 1, 1)
    counts = torch.bincount((rows * (num_classes + 1) + classes).flatten(), minlength=rows.numel() * (num_classes + 1))
    return counts.view(-1, 3, num_classes + 1)[..., :-1]
