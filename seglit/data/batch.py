"""What a sample and a batch hold, and how the one becomes the other."""

from typing import TypedDict

import numpy as np
import torch
from torch import Tensor

from seglit.errors import InputError
from seglit.labels import IGNORE_INDEX


class Sample(TypedDict):
    """One image and its mask: image (C, H, W) as stored, mask uint8 (H, W) class indices with void 255, and a name.

    An image is uint8, uint16, int16 or float32, as its file.
    """

    image: Tensor
    mask: Tensor
    name: str


class Batch(TypedDict):
    """What a network trains on: image (B, C, H, W), mask uint8 (B, H, W) class indices, void 255, names.

    Images stay as stored (uint8, uint16, int16 or float32) until they are on the device; the module normalises them
    there. `size` is each image's own height and width, beyond which it is padded at bottom and right.
    """

    image: Tensor
    mask: Tensor
    name: list[str]
    size: list[tuple[int, int]]


def collate(samples: list[Sample]) -> Batch:
    """Stacks samples; smaller ones are padded at bottom and right: image by its edge, mask by void.

    Raises:
        InputError: The images are of several types, and so in several units.
    """
    if len(kinds := {sample["image"].dtype: sample["name"] for sample in samples}) > 1:
        listed = ", ".join(f"{name} of {str(kind).removeprefix('torch.')}" for kind, name in kinds.items())
        raise InputError(f"images are of several types ({listed}); convert all to one")
    sizes = [(sample["mask"].shape[0], sample["mask"].shape[1]) for sample in samples]
    height, width = (max(sides) for sides in zip(*sizes, strict=True))
    padded = [_pad(sample, height, width) for sample in samples]
    return {
        "image": torch.stack([sample["image"] for sample in padded]),
        "mask": torch.stack([sample["mask"] for sample in padded]),
        "name": [sample["name"] for sample in samples],
        "size": sizes,
    }


def _pad(sample: Sample, height: int, width: int) -> Sample:
    rows, columns = sample["mask"].shape
    if (rows, columns) == (height, width):
        return sample
    missing = [(0, 0), (0, height - rows), (0, width - columns)]
    image = torch.from_numpy(np.pad(sample["image"].numpy(), missing, "edge"))  # torch 2.8 indexes no uint16
    mask = torch.full((height, width), IGNORE_INDEX, dtype=torch.uint8)
    mask[:rows, :columns] = sample["mask"]
    return {"image": image, "mask": mask, "name": sample["name"]}
