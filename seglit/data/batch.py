"""What a sample and a batch hold, and how the one becomes the other."""

from typing import TypedDict

import numpy as np
import torch
from torch import Tensor

from seglit.errors import InputError
from seglit.labels import IGNORE_INDEX


class Sample(TypedDict):
    """One image and its mask: image (C, H, W) as stored, mask uint8 (H, W) class indices with void 255, and a name.

    One that only evens out the ranks has no name ("") and a mask of void.

    An image is uint8, uint16, int16 or float32, as its file.
    """

    image: Tensor
    mask: Tensor
    name: str


class Batch(TypedDict):
    """Images of one size: image (B, C, H, W) as stored, mask uint8 (B, H, W) class indices, void 255, and names.

    Images stay as stored (uint8, uint16, int16 or float32) until they are on the device; the module normalises them
    there. A training batch pads smaller images; evaluation gets a list of batches, one per size.
    """

    image: Tensor
    mask: Tensor
    name: list[str]


def collate(samples: list[Sample]) -> Batch:
    """Stacks samples; smaller ones are padded at bottom and right: image by its edge, mask by void.

    Raises:
        InputError: The images are of several types, and so in several units.
    """
    _check_types(samples)
    height, width = (max(sides) for sides in zip(*(sample["mask"].shape for sample in samples), strict=True))
    return _stack([_pad(sample, height, width) for sample in samples])


def collate_by_size(samples: list[Sample]) -> list[Batch]:
    """Stacks samples of the same size, without padding, which would reach into the logits.

    Raises:
        InputError: The images are of several types, and so in several units.
    """
    _check_types(samples)
    by_size: dict[torch.Size, list[Sample]] = {}
    for sample in samples:
        by_size.setdefault(sample["mask"].shape, []).append(sample)
    return [_stack(group) for group in by_size.values()]


def _stack(samples: list[Sample]) -> Batch:
    return {
        "image": torch.stack([sample["image"] for sample in samples]),
        "mask": torch.stack([sample["mask"] for sample in samples]),
        "name": [sample["name"] for sample in samples],
    }


def _check_types(samples: list[Sample]) -> None:
    if len(kinds := {sample["image"].dtype: sample["name"] for sample in samples}) > 1:
        listed = ", ".join(f"{name} of {str(kind).removeprefix('torch.')}" for kind, name in kinds.items())
        raise InputError(f"images are of several types ({listed}); convert all to one")


def _pad(sample: Sample, height: int, width: int) -> Sample:
    rows, columns = sample["mask"].shape
    if (rows, columns) == (height, width):
        return sample
    missing = [(0, 0), (0, height - rows), (0, width - columns)]
    image = torch.from_numpy(np.pad(sample["image"].numpy(), missing, "edge"))  # torch 2.8 indexes no uint16
    mask = torch.full((height, width), IGNORE_INDEX, dtype=torch.uint8)
    mask[:rows, :columns] = sample["mask"]
    return {"image": image, "mask": mask, "name": sample["name"]}
