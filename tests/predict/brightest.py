"""A checkpoint of a network with fixed weights and known predictions."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from seglit.labels import Labels

WATER = Labels.create(["land", "water"], mask_values={"land": 0, "water": [255, 254]}, ignore_values=[7])


def checkpoint(path: Path, labels: Labels, in_channels: int = 3, middle: float = 0.5, scale: float = 255.0) -> Path:
    """Predicts class 1 if a pixel's first channel is above the middle, else 0."""
    num_classes = labels.num_classes
    weight, bias = torch.zeros(num_classes, in_channels, 1, 1), torch.tensor([0.0, 0.0, -9.0][:num_classes])
    weight[:2, 0, 0, 0] = torch.tensor([-1.0, 1.0])
    facts = {"in_channels": in_channels, "out_channels": num_classes, "kernel_size": 1}
    record = {
        "version": "0.1.0",
        "network": {"class_path": "torch.nn.Conv2d", "init_args": facts},
        "labels": labels.to_dict(),
        "normalization": {"mean": [middle], "std": [middle / 2], "scale": scale},
    }
    torch.save({"seglit": record, "state_dict": {"network.weight": weight, "network.bias": bias}}, path)
    return path


def truth(image: npt.NDArray[Any], middle: float = 127.5) -> npt.NDArray[np.uint8]:
    """The expected mask of an image, in the stored values of `WATER`."""
    return np.where(image[..., 0] > middle, 255, 0).astype(np.uint8)
