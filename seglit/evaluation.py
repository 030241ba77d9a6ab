"""What is counted over a split while it is predicted: a few counts for validation, all there is for a test."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torchmetrics import MeanMetric

from seglit.bootstrap import Intervals, bootstrap_iou
from seglit.boundary import BoundaryCounts, BoundaryScores
from seglit.calibration import Calibration
from seglit.labels import IGNORE_INDEX
from seglit.metrics import ConfusionMatrix, Counts, Scores


class Evaluation(nn.Module):
    """What validation counts: fast, as it is done every epoch.

    Args:
        num_classes: The number of classes, C.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.confusion = ConfusionMatrix(num_classes)
        self.mean_loss = MeanMetric()

    def update(self, logits: Tensor, mask: Tensor, names: list[str]) -> Tensor:
        """Counts whole images, unpadded, and returns what is predicted, int64 (B, H, W).

        Args:
            logits: Logits (B, C, H, W).
            mask: Class indices int64 (B, H, W), void 255.
            names: The images' names.
        """
        preds = logits.argmax(1)
        self.confusion.update(preds, mask)
        return preds

    def compute(self) -> Scores:
        """The scores of all that was counted since the last reset, on all ranks together."""
        return self.confusion.compute()

    def reset(self) -> None:
        """Forgets what was counted."""
        self.confusion.reset()
        self.mean_loss.reset()


class FullScores(Scores):
    """All scores of a split.

    Attributes:
        boundary: Boundary IoU and F1.
        calibration_error: Expected calibration error, 0..1.
        names: The names of the images with labelled pixels, sorted.
        images: Their pixels per class, int64 (N, 3, C): right, in the target, predicted; read-only.
        intervals: 95 % bootstrap intervals over these images.
    """

    def __init__(
        self, confusion: Counts, boundary: BoundaryScores, calibration_error: float, names: list[str], images: Counts
    ) -> None:
        super().__init__(confusion)
        self.boundary = boundary
        self.calibration_error = calibration_error
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
            "ece": self.calibration_error,
        }


class FullEvaluation(Evaluation):
    """What a test counts: also along outlines, how sure the network is, and each image by itself.

    Args:
        num_classes: The number of classes, C.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes)
        self.boundary = BoundaryCounts(num_classes)
        self.calibration = Calibration()
        self._names: list[str] = []
        self._images: list[Tensor] = []  # (B, 3, C) each

    def update(self, logits: Tensor, mask: Tensor, names: list[str]) -> Tensor:
        """Counts whole images, unpadded, and returns what is predicted, int64 (B, H, W)."""
        preds = super().update(logits, mask, names)
        self.boundary.update(preds, mask)
        self.calibration.update(logits, mask)
        self._names += names
        self._images.append(count_images(preds, mask, self.confusion.num_classes))
        return preds

    def compute(self) -> FullScores:
        """The scores of all that was counted since the last reset, on all ranks together."""
        names, images = self._gather()
        boundary, error = self.boundary.compute(), self.calibration.compute()
        return FullScores(super().compute().confusion, boundary, error, names, images)

    def reset(self) -> None:
        """Forgets what was counted."""
        super().reset()
        self.boundary.reset()
        self.calibration.reset()
        self._names, self._images = [], []

    def _gather(self) -> tuple[list[str], Counts]:
        """The images of all ranks, in an order that does not depend on which rank had which.

        Those without a labelled pixel are left out: they have no score, and may be there only to even out the ranks.
        """
        empty = np.zeros((0, 3, self.confusion.num_classes), dtype=np.int64)
        mine = self._names, np.concatenate([empty, *(each.cpu().numpy() for each in self._images)])
        everyones = [mine]
        if distributed.is_available() and distributed.is_initialized():
            everyones = [mine] * distributed.get_world_size()
            distributed.all_gather_object(everyones, mine)
        names = [name for names, _ in everyones for name in names]
        images = np.concatenate([images for _, images in everyones])
        labelled = [place for place in range(len(names)) if images[place, 1].any()]
        order = sorted(labelled, key=lambda place: (names[place], images[place].tobytes()))
        return [names[place] for place in order], images[order]


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
