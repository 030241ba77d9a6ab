"""Whether a network is right as often as it says: reliability in bins, and expected calibration error."""

import torch
from torch import Tensor
from torchmetrics import Metric

from seglit.labels import IGNORE_INDEX
from seglit.metrics import Counts, PerClass, divide

BINS = 15
"""As many as Guo et al. take."""
_UNIT = 2**24
"""Confidences are summed as multiples of 1 / 2^24, a float32's own step below 1: whole numbers add up to the same sum
in any order and on any number of ranks, and the sum of 5 x 10^11 pixels still fits an int64."""


class Reliability:
    """Pixels sorted into bins of equal width by the probability of the predicted class.

    Attributes:
        pixels: How many are in each bin, int64 (bins,).
        accuracy: The share of them that is right, (bins,); nan for an empty bin.
        confidence: Their mean probability, (bins,), likewise.
        error: Expected calibration error, 0..1: the mean over all pixels of how far the two are apart; nan of no pixel.
    """

    def __init__(self, counts: Counts) -> None:
        self.pixels, right, units = counts
        self.accuracy: PerClass = divide(right, self.pixels)
        self.confidence: PerClass = divide(units / _UNIT, self.pixels)
        gaps = abs(right - units / _UNIT).sum(keepdims=True)
        self.error = float(divide(gaps, self.pixels.sum(keepdims=True))[0])


class Calibration(Metric):
    """Counts a split's labelled pixels by confidence (Naeini et al. 2015, Guo et al. 2017); gives its `Reliability`.

    The error is torchmetrics' `MulticlassCalibrationError` with `norm="l1"`, which serves no split of images: it keeps
    every pixel's confidence (8 bytes each) until the end, and then counts them in float32, which stands still at 2^24.
    Pixels of probability exactly 1 it puts into a bin of their own.
    The bins are of equal width over 0..1; each begins with its lower end, and the last ends with 1.
    """

    full_state_update = False
    counts: Tensor

    def __init__(self) -> None:
        super().__init__()
        # pixels, right pixels, and the sum of their confidences in units of 2^-24, of each bin
        self.add_state("counts", torch.zeros(3, BINS, dtype=torch.long), dist_reduce_fx="sum")

    def update(self, confidence: Tensor, preds: Tensor, target: Tensor) -> None:
        """Counts a batch, on its own device and without waiting for it.

        Args:
            confidence: Probability of the predicted class, float32 (B, H, W).
            preds: Predicted class indices, any integer type, of the same shape.
            target: Class indices of the same shape, any integer type, void = 255.
        """
        edges = torch.linspace(0, 1, BINS + 1, device=confidence.device)[1:-1]
        bins = torch.bucketize(confidence, edges, right=True)
        bins = torch.where(target == IGNORE_INDEX, BINS, bins).flatten()  # void has a bin of its own, cut off below
        units = (confidence * _UNIT).round().long().flatten()
        sums = [torch.ones_like(units), (preds == target).long().flatten(), units]
        empty = torch.zeros(BINS + 1, dtype=torch.long, device=confidence.device)
        self.counts += torch.stack([empty.index_add(0, bins, each)[:-1] for each in sums])

    def compute(self) -> Reliability:
        """The reliability of all that was counted since the last reset, on all ranks together."""
        return Reliability(self.counts.cpu().numpy())
