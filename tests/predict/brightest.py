"""A network with fixed weights and known predictions, and a checkpoint of it."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from seglit.labels import Labels

WATER = Labels.create(["land", "water"], mask_values={"land": 0, "water": [255, 254]}, ignore_values=[7])


class Brightest(nn.Module):
    """Predicts class 1 if a pixel's first channel is above the middle, else 0."""

    def __init__(self, num_classes, in_channels=3) -> None:  # type: ignore[no-untyped-def]  # as users' are
        super().__init__()
        self.layer = nn.Conv2d(in_channels, num_classes, 1)
        with torch.no_grad():
            self.layer.weight.zero_()
            self.layer.weight[:2, 0, 0, 0] = torch.tensor([-1.0, 1.0])
            self.layer.bias[:] = torch.tensor([0.0, 0.0, -9.0][:num_classes])  # type: ignore[index]

    def forward(self, image: torch.Tensor) -> Any:
        return self.layer(image)


def checkpoint(path: Path, labels: Labels, in_channels: int = 3, middle: float = 0.5, scale: float = 255.0) -> Path:
    network = Brightest(labels.num_classes, in_channels)
    facts = {"num_classes": labels.num_classes, "in_channels": in_channels}
    record = {
        "version": "0.1.0",
        "network": {"class_path": f"{__name__}.Brightest", "init_args": facts},
        "labels": labels.to_dict(),
        "normalization": {"mean": [middle], "std": [middle / 2], "scale": scale},
    }
    weights = {f"network.{name}": value for name, value in network.state_dict().items()}
    torch.save({"seglit": record, "state_dict": weights}, path)
    return path


def truth(image: npt.NDArray[Any], middle: float = 127.5) -> npt.NDArray[np.uint8]:
    """The expected mask of an image, in the stored values of `WATER`."""
    return np.where(image[..., 0] > middle, 255, 0).astype(np.uint8)
