"""Calibration: accuracy by confidence, and expected calibration error (ECE)."""

import torch
from torch import Tensor
from torchmetrics import Metric

from seglit.labels import IGNORE_INDEX
from seglit.metrics import Counts, PerClass, divide

BINS = 15
"""Number of confidence bins, from Guo et al."""
_UNIT = 2**24
"""Confidences are summed as integer multiples of 2^-24, the step of float32 below 1: integer sums do not depend on the
order or number of ranks, and int64 holds the sum of 5 x 10^11 pixels."""


class Reliability:
    """Accuracy and confidence (probability of the predicted class) in confidence bins of equal width.

    Attributes:
        pixels: Number of pixels in each bin, int64 (bins,).
        accuracy: Share of pixels predicted correctly, (bins,); nan for an empty bin.
        confidence: Mean confidence, (bins,); nan for an empty bin.
        error: Expected calibration error, 0..1: the mean of |accuracy - confidence| weighted by pixels; nan without
            pixels.
    """

    def __init__(self, counts: Counts) -> None:
        self.pixels, correct, units = counts
        self.accuracy: PerClass = divide(correct, self.pixels)
        self.confidence: PerClass = divide(units / _UNIT, self.pixels)
        self.error = float(divide(abs(correct - units / _UNIT).sum(), self.pixels.sum()))


class Calibration(Metric):
    """Counts a split's labelled pixels by confidence (Naeini et al. 2015, Guo et al. 2017); returns `Reliability`.

    The error is that of torchmetrics' `MulticlassCalibrationError` with `norm="l1"`, which does not scale to a split of
    images: it stores the confidence of every pixel (8 bytes each) and counts in float32, which stops growing at 2^24.
    It also has a separate bin for a confidence of exactly 1. Here the bins have equal width over 0..1, include their
    lower end, and the last one also includes 1.
    """

    full_state_update = False
    counts: Tensor

    def __init__(self) -> None:
        super().__init__()
        # per bin: pixels, correct pixels, and the sum of confidences in units of 2^-24
        self.add_state("counts", torch.zeros(3, BINS, dtype=torch.long), dist_reduce_fx="sum")

    def update(self, confidence: Tensor, preds: Tensor, target: Tensor) -> None:
        """Counts a batch on its device, without host sync.

        Args:
            confidence: Probability of the predicted class, float32 (B, H, W).
            preds: Predicted class indices, any integer type, same shape.
            target: Class indices, same shape, any integer type, void 255.
        """
        bins = (confidence * BINS).int().clamp(0, BINS - 1)
        # a row for wrong and one for correct pixels; void goes to an extra cell, dropped below
        cells = torch.where(target == IGNORE_INDEX, 2 * BINS, bins + BINS * (preds == target)).flatten()
        units = (confidence * _UNIT).round().long().flatten()
        empty = torch.zeros(2 * BINS + 1, dtype=torch.long, device=confidence.device)
        pixels, sums = (
            empty.index_add(0, cells, values)[:-1].view(2, BINS) for values in (torch.ones_like(units), units)
        )
        self.counts += torch.stack([pixels.sum(0), pixels[1], sums.sum(0)])

    def compute(self) -> Reliability:
        """Returns the reliability since the last reset, over all ranks."""
        return Reliability(self.counts.cpu().numpy())
