"""A user's own torchmetrics, counted beside seglit's scores."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from seglit.errors import InputError

MetricValue = float | list[float]
"""A metric of a split: one value, or one for each class."""


class OwnMetrics(nn.Module):
    """Counts a split with any torchmetrics, each under the name of its class; a second of one class is `NAME_2`.

    A metric is given, image by image at its stored size and unpadded, `preds` and `target`, int64 (B, H, W): class
    indices, void in the target 255; what is predicted under void is in `preds` too. Images that only even out the
    ranks of a distributed run it never sees.

    Args:
        metrics: The metrics; they are copied.
        num_classes: The number of classes, C.
    """

    def __init__(self, metrics: Sequence[Metric], num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.metrics: dict[str, Metric] = {}
        for metric in metrics:
            name = type(metric).__name__
            same = sum(type(other).__name__ == name for other in self.metrics.values())
            self.metrics[f"{name}_{same + 1}" if same else name] = metric.clone()
        self.modules_of_metrics = nn.ModuleList(self.metrics.values())  # so that they move with this module

    def update(self, preds: Tensor, target: Tensor, names: Sequence[str]) -> None:
        """Counts whole images.

        Args:
            preds: Predicted class indices, int64 (B, H, W).
            target: Class indices of the same shape, int64, void 255.
            names: The images' names; "" of one that only evens out the ranks.
        """
        if self.metrics and (real := [row for row, name in enumerate(names) if name]):
            for metric in self.metrics.values():
                metric.update(preds[real], target[real])

    def compute(self) -> dict[str, MetricValue]:
        """The values of all that was counted since the last reset, on all ranks together.

        Raises:
            InputError: A metric gives neither one value nor one for each class.
        """
        return {name: self._value(name, metric.compute()) for name, metric in self.metrics.items()}

    def reset(self) -> None:
        """Forgets what was counted."""
        for metric in self.metrics.values():
            metric.reset()

    def _value(self, name: str, computed: object) -> MetricValue:
        value = torch.as_tensor(computed) if isinstance(computed, Tensor | float | int) else None
        if value is None or (value.numel() != 1 and value.shape != (self.num_classes,)):
            got = type(computed).__name__ if value is None else f"a tensor of shape {tuple(value.shape)}"
            raise InputError(
                f"model.metrics: {name}.compute gives {got}; it is one value, or one for each of the "
                f"{self.num_classes} classes"
            )
        values: list[float] = value.double().flatten().tolist()
        return values if value.shape == (self.num_classes,) else values[0]


def by_name(values: dict[str, MetricValue], class_names: Sequence[str]) -> dict[str, float]:
    """Every value under the name it is logged by: `Hits`, or `Hits/<class>`."""
    named: dict[str, float] = {}
    for name, value in values.items():
        if isinstance(value, list):
            named |= {f"{name}/{each}": part for each, part in zip(class_names, value, strict=True)}
        else:
            named[name] = value
    return named
