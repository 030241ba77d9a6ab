"""Evaluation of a split batch by batch: a few fast counts for validation, all scores for a test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from torch import Tensor, distributed, nn
from torchmetrics import Metric

from seglit.evaluation.bootstrap import bootstrap_iou
from seglit.evaluation.boundary import BoundaryCounts, BoundaryScores
from seglit.evaluation.breakdown import Breakdown, DistanceCounts, SizeCounts
from seglit.evaluation.calibration import Calibration, Reliability
from seglit.evaluation.confusion_matrix import ConfusionMatrix
from seglit.evaluation.groups import sum_groups
from seglit.evaluation.image_pair import image_pairs
from seglit.evaluation.mean_loss import MeanLoss
from seglit.evaluation.mistakes import ErrorRegions, likeliest_label_errors, most_confused
from seglit.evaluation.nan_images import NaNImages
from seglit.evaluation.own_metrics import OwnMetrics
from seglit.metrics import Counts, Scores
from seglit.runs.scores import ConfusedPair, ErrorRegion, stack_of

_Item = TypeVar("_Item")


class Evaluation(nn.Module):
    """Evaluates a validation split, fast enough for every epoch.

    Args:
        class_names: One name per class.
        metrics: The user's own metrics.
    """

    def __init__(self, class_names: Sequence[str], metrics: Sequence[Metric] = ()) -> None:
        super().__init__()
        self.class_names = class_names
        self.confusion = ConfusionMatrix(len(class_names))
        self.own_metrics = OwnMetrics(metrics, class_names)
        self.mean_loss = MeanLoss()
        self.nan_images = NaNImages()

    def update(self, logits: Tensor, mask: Tensor, names: list[str]) -> Tensor:
        """Counts whole images without padding; returns the preds, int64 (B, H, W).

        Args:
            logits: Logits (B, C, H, W).
            mask: Class indices int64 (B, H, W), void 255.
            names: The images' names; "" for a padding sample that equalises the ranks.
        """
        largest, preds = logits.max(1)
        self.nan_images.update(largest, names)
        self.confusion.update(preds, mask)
        self.own_metrics.update(preds, mask, names)
        return preds

    def compute(self) -> Scores:
        """Returns the scores since the last reset, over all ranks.

        Raises:
            RunError: The network answered NaN for an image.
        """
        self.nan_images.check()
        return self.confusion.compute()

    def reset(self) -> None:
        """Resets all counts."""
        self.confusion.reset()
        self.mean_loss.reset()
        self.own_metrics.reset()
        self.nan_images.reset()


@dataclass(eq=False, repr=False)
class TestScores(Scores):
    """All scores of a test split.

    Args:
        confusion: Pixel counts, int64 (C, C), rows target, columns prediction.
        boundary: Boundary IoU and F1.
        calibration: Accuracy by confidence, and expected calibration error.
        sizes: Scores by object size.
        distances: Scores by distance to the target's outlines.
        confusions: The confusions that cost the most IoU.
        label_errors: The likeliest label errors.
        names: Names of the images with labelled pixels, sorted.
        images: Their pixels per class, int64 (N, 3, C): correct, in the target, predicted; read-only.
        groups: The group of each, see `seglit.evaluation.groups`.

    Attributes:
        intervals: 95 % bootstrap intervals over these groups.
    """

    __test__ = False  # not a test, although pytest collects classes of this name

    confusion: Counts
    boundary: BoundaryScores
    calibration: Reliability
    sizes: Breakdown
    distances: Breakdown
    confusions: list[ConfusedPair]
    label_errors: list[ErrorRegion]
    names: list[str]
    images: Counts
    groups: list[str]

    def __post_init__(self) -> None:
        """Computes the scores of the confusion matrix, and the intervals."""
        super().__init__(self.confusion)
        self.images.setflags(write=False)
        self.intervals = bootstrap_iou(sum_groups(self.images, self.groups))

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
        class_names: One name per class.
        metrics: The user's own metrics.

    Attributes:
        groups: Image name to group, see `SegmentationDataModule.groups`.
    """

    __test__ = False  # not a test, although pytest collects classes of this name

    def __init__(self, class_names: Sequence[str], metrics: Sequence[Metric] = ()) -> None:
        super().__init__(class_names, metrics)
        self.boundary = BoundaryCounts(len(class_names))
        self.calibration = Calibration()
        self.sizes = SizeCounts(len(class_names))
        self.distances = DistanceCounts(len(class_names))
        self.regions = ErrorRegions(class_names)
        self.groups: Mapping[str, str] = {}
        self._images: list[tuple[str, Counts]] = []  # name and counts (3, C) of each

    def update(self, logits: Tensor, mask: Tensor, names: list[str]) -> Tensor:
        """Counts whole images without padding; returns the preds, int64 (B, H, W)."""
        preds = super().update(logits, mask, names)
        for image, image_logits, name in zip(image_pairs(preds, mask), logits, names, strict=True):
            # image by image: on a CPU, memory for the probabilities of a whole batch takes longer than they do
            confidence = image_logits.float().softmax(0).amax(0).cpu().numpy()
            self.calibration.update(image, confidence)
            for counts in (self.boundary, self.sizes, self.distances):
                counts.update(image)
            self.regions.update(image, confidence, name)
            self._images.append((name, image.count(len(self.class_names))))
        return preds

    def compute(self) -> TestScores:
        """Returns the scores since the last reset, over all ranks.

        Raises:
            RunError: The network answered NaN for an image.
        """
        confusion = super().compute().confusion
        names, images = self._gather_images()
        regions, label_errors = map(_gather, self.regions.compute())
        return TestScores(
            confusion,
            self.boundary.compute(),
            self.calibration.compute(),
            self.sizes.compute(),
            self.distances.compute(),
            most_confused(confusion, regions, self.class_names),
            likeliest_label_errors(label_errors),
            names,
            images,
            [self.groups.get(name) or stack_of(name) for name in names],
        )

    def reset(self) -> None:
        """Resets all counts."""
        super().reset()
        for counts in (self.boundary, self.calibration, self.sizes, self.distances, self.regions):
            counts.reset()
        self._images = []

    def _gather_images(self) -> tuple[list[str], Counts]:
        """Returns names and counts of the images of all ranks, in an order independent of the ranks.

        Images without labelled pixels are left out: they have no score and may be padding samples that equalise ranks.
        """
        images = _gather([(name, counts) for name, counts in self._images if counts[1].any()])
        images.sort(key=lambda image: (image[0], image[1].tobytes()))
        counts = np.array([counts for _, counts in images], np.int64).reshape(-1, 3, len(self.class_names))
        return [name for name, _ in images], counts


def _gather(items: list[_Item]) -> list[_Item]:
    """Concatenates the lists of all ranks."""
    ranks = [items]
    if distributed.is_available() and distributed.is_initialized():
        ranks = [items] * distributed.get_world_size()
        distributed.all_gather_object(ranks, items)
    return [item for rank_items in ranks for item in rank_items]


def at_size_of(mask: Tensor, logits: Tensor) -> Tensor:
    """Resizes logits (B, C, H, W) to the size of masks (B, h, w), bilinear; the same logits if they have it."""
    if logits.shape[2:] == mask.shape[1:]:
        return logits
    return nn.functional.interpolate(logits.float(), mask.shape[1:], mode="bilinear", align_corners=False)
