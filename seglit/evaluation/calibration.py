"""Calibration: accuracy by confidence, and expected calibration error (ECE)."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric

from seglit.evaluation.image_pair import ImagePair
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

    def update(self, image: ImagePair, confidence: NDArray[np.float32]) -> None:
        """Counts a whole image without padding.

        Args:
            image: Prediction and target.
            confidence: Probability of the predicted class, float32 (H, W).
        """
        confidence = np.fmin(confidence, 1)  # NaN becomes 1: `NaNImages` rejects such images, after all are counted
        bins = np.minimum(confidence * BINS, BINS - 1).astype(np.uint8)
        # a row for wrong and one for correct pixels; void goes to an extra cell, dropped below
        cells = bins + np.uint8(BINS) * (image.preds == image.target)
        cells[image.target == IGNORE_INDEX] = 2 * BINS
        units = np.rint(confidence * np.float32(_UNIT))  # whole numbers, whose sums are exact in bincount's float64
        pixels, sums = (
            np.bincount(cells.ravel(), values, 2 * BINS + 1)[:-1].astype(np.int64).reshape(2, BINS)
            for values in (None, units.ravel())
        )
        counts = np.stack([pixels.sum(axis=0), pixels[1], sums.sum(axis=0)])
        self.counts += torch.from_numpy(counts).to(self.counts.device)

    def compute(self) -> Reliability:
        """Returns the reliability since the last reset, over all ranks."""
        return Reliability(self.counts.cpu().numpy())
