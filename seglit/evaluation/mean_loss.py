"""The mean loss of a split."""

from torch import Tensor, nn
from torchmetrics import SumMetric

from seglit.labels import IGNORE_INDEX


class MeanLoss(nn.Module):
    """Averages the losses of batches, weighted by their labelled pixels; NaN if that of any is NaN.

    torchmetrics' `MeanMetric` leaves out NaN, so that the mean looks better, or the weights (`nan_strategy="disable"`).
    """

    def __init__(self) -> None:
        super().__init__()
        self.total = SumMetric(nan_strategy="disable")
        self.pixels = SumMetric(nan_strategy="disable")

    def update(self, loss: Tensor, mask: Tensor) -> None:
        """Adds a batch; one without labelled pixels counts nothing, whatever its loss, which may be 0 / 0.

        Args:
            loss: The loss of the batch, shape ().
            mask: Class indices (B, H, W), void 255.
        """
        labelled = (mask != IGNORE_INDEX).sum()
        self.total.update((loss.float() * labelled).where(labelled > 0, 0.0))
        self.pixels.update(labelled)

    def compute(self) -> float:
        """Returns the mean since the last reset, over all ranks."""
        return float(self.total.compute() / self.pixels.compute())

    def reset(self) -> None:
        """Forgets all batches."""
        self.total.reset()
        self.pixels.reset()
