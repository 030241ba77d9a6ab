"""A metric of one's own: any torchmetrics `Metric` of class indices."""

import torch
from torch import Tensor
from torchmetrics import Metric


class AreaError(Metric):
    """Absolute error of each class's area in an image, as a share of its true area.

    Args:
        num_classes: Number of classes.
    """

    error: Tensor
    area: Tensor

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.add_state("error", torch.zeros(num_classes), dist_reduce_fx="sum")
        self.add_state("area", torch.zeros(num_classes), dist_reduce_fx="sum")

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Adds images: int64 class indices (B, H, W), void 255 in the target."""
        classes = torch.arange(len(self.area), device=target.device).view(-1, 1, 1, 1)
        labelled = target != 255
        predicted = ((preds == classes) & labelled).sum((2, 3))  # (num_classes, B)
        area = (target == classes).sum((2, 3))
        self.error += (predicted - area).abs().sum(1)
        self.area += area.sum(1)

    def compute(self) -> Tensor:
        """Returns the error of each class, (num_classes,); logged as `val/AreaError/<class>`."""
        return self.error / self.area
