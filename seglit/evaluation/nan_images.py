"""Finds images for which the network answers NaN or infinity, whose preds would be scored like any other."""

import torch
from torch import Tensor, nn
from torchmetrics import SumMetric

from seglit.errors import RunError


class NaNImages(nn.Module):
    """Notes for which images a largest logit is not finite; the host reads that only once per split."""

    def __init__(self) -> None:
        super().__init__()
        self.count = SumMetric()  # over all ranks
        self._batches: list[tuple[Tensor, list[str]]] = []

    def update(self, largest: Tensor, names: list[str]) -> None:
        """Notes the images of a batch.

        Args:
            largest: Largest logit of each pixel (B, H, W), NaN if one is NaN.
            names: The images' names.
        """
        is_nan = ~largest.isfinite().flatten(1).all(1)
        self.count.update(is_nan.sum())
        self._batches.append((is_nan, names))

    def check(self) -> None:
        """Checks all images since the last reset, on all ranks.

        Raises:
            RunError: The network answered NaN or infinity for one.
        """
        if count := int(self.count.compute()):
            found = torch.cat([is_nan for is_nan, _ in self._batches]).tolist()
            names = [name for _, batch in self._batches for name in batch]
            first = next((name for name, is_nan in zip(names, found, strict=True) if is_nan), "on another rank")
            raise RunError(
                f"the network answers NaN or infinity for {count} images, first {first}; they are not scored"
            )

    def reset(self) -> None:
        """Forgets all images."""
        self.count.reset()
        self._batches = []
