"""The user's own torchmetrics, computed next to the built-in scores."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from seglit.errors import InputError

MetricValue = float | dict[str, float]
"""Value of a metric: one number, or one per class by its name."""


class OwnMetrics(nn.Module):
    """Computes torchmetrics on a split, each named after its class; the second metric of a class is `NAME_2`.

    A metric's `update` receives `preds` and `target`, int64 (B, H, W), of images at their stored size without padding:
    class indices, void in the target 255; `preds` are not masked where the target is void. Padding samples that
    equalise the ranks of a distributed run are left out.

    Args:
        metrics: The metrics; they are copied.
        class_names: One name per class.
    """

    def __init__(self, metrics: Sequence[Metric], class_names: Sequence[str]) -> None:
        super().__init__()
        self.class_names = class_names
        self.metrics: dict[str, Metric] = {}
        for metric in metrics:
            name = type(metric).__name__
            same = sum(type(other).__name__ == name for other in self.metrics.values())
            self.metrics[f"{name}_{same + 1}" if same else name] = metric.clone()
        self.modules_of_metrics = nn.ModuleList(self.metrics.values())  # moves them between devices with this module

    def update(self, preds: Tensor, target: Tensor, names: Sequence[str]) -> None:
        """Counts whole images.

        Args:
            preds: Predicted class indices, int64 (B, H, W).
            target: Class indices, int64, same shape, void 255.
            names: The images' names; "" for a padding sample that equalises the ranks.
        """
        if self.metrics and (indices := [index for index, name in enumerate(names) if name]):
            for metric in self.metrics.values():
                metric.update(preds[indices], target[indices])

    def compute(self) -> dict[str, MetricValue]:
        """Returns the values since the last reset, over all ranks.

        Raises:
            InputError: A metric returns neither one value nor one per class.
        """
        return {name: self._value(name, metric.compute()) for name, metric in self.metrics.items()}

    def reset(self) -> None:
        """Resets all metrics."""
        for metric in self.metrics.values():
            metric.reset()

    def _value(self, name: str, computed: object) -> MetricValue:
        value = torch.as_tensor(computed) if isinstance(computed, Tensor | float | int) else None
        num_classes = len(self.class_names)
        if value is None or (value.numel() != 1 and value.shape != (num_classes,)):
            got = type(computed).__name__ if value is None else f"a tensor of shape {tuple(value.shape)}"
            raise InputError(
                f"model.metrics: {name}.compute returns {got}; it must be one value, or one for each of the "
                f"{num_classes} classes"
            )
        values: list[float] = value.double().flatten().tolist()
        return dict(zip(self.class_names, values, strict=True)) if value.shape == (num_classes,) else values[0]


def by_name(values: Mapping[str, MetricValue]) -> dict[str, float]:
    """Returns the values by their logged names: `Hits`, or `Hits/<class>` per class."""
    named: dict[str, float] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            named |= {f"{name}/{class_name}": part for class_name, part in value.items()}
        else:
            named[name] = value
    return named
