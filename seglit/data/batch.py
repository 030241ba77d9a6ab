"""Samples, batches and collation."""

from typing import NotRequired, TypedDict

import numpy as np
import torch
from torch import Tensor

from seglit.errors import InputError
from seglit.labels import IGNORE_INDEX


class Sample(TypedDict):
    """An image (C, H, W) as stored, its mask uint8 (H, W) of class indices with void 255, and its name.

    The image is uint8, uint16, int16 or float32, as in its file. `valid`, bool (C, H, W), is False for pixels without
    data; only images with such pixels have it. A padding sample, which equalises ranks, has the name "" and a mask of
    void.
    """

    image: Tensor
    mask: Tensor
    name: str
    valid: NotRequired[Tensor]


class Batch(TypedDict):
    """Images (B, C, H, W) as stored, masks uint8 (B, H, W) of class indices with void 255, and names.

    Images are normalised on the device. A batch has `valid`, bool (B, C, H, W), if a sample has it. Training pads
    images to the largest of the batch; evaluation gets a list of batches, one per size of image and mask. There, masks
    may be of another size than their images, and logits are resized to them.
    """

    image: Tensor
    mask: Tensor
    name: list[str]
    valid: NotRequired[Tensor]


def collate(samples: list[Sample]) -> Batch:
    """Stacks samples, padded at bottom and right to the largest: images by their edge, masks by void.

    Raises:
        InputError: The images have several dtypes.
    """
    _check_types(samples)
    height, width = (max(sides) for sides in zip(*(sample["mask"].shape for sample in samples), strict=True))
    return _stack([_pad(sample, height, width) for sample in samples])


def collate_by_size(samples: list[Sample]) -> list[Batch]:
    """Stacks samples of the same size, without padding, which would change the logits near the border.

    Raises:
        InputError: The images have several dtypes.
    """
    _check_types(samples)
    by_size: dict[tuple[torch.Size, torch.Size], list[Sample]] = {}
    for sample in samples:
        by_size.setdefault((sample["image"].shape, sample["mask"].shape), []).append(sample)
    return [_stack(group) for group in by_size.values()]


def _stack(samples: list[Sample]) -> Batch:
    batch: Batch = {
        "image": torch.stack([sample["image"].movedim(0, -1) for sample in samples]).movedim(-1, 1),  # channels_last
        "mask": torch.stack([sample["mask"] for sample in samples]),
        "name": [sample["name"] for sample in samples],
    }
    if any("valid" in sample for sample in samples):
        all_valid = torch.ones(samples[0]["image"].shape, dtype=torch.bool)
        batch["valid"] = torch.stack([sample.get("valid", all_valid) for sample in samples])
    return batch


def _check_types(samples: list[Sample]) -> None:
    if len(names := {sample["image"].dtype: sample["name"] for sample in samples}) > 1:
        listed = ", ".join(f"{name}: {str(dtype).removeprefix('torch.')}" for dtype, name in names.items())
        raise InputError(f"images have several dtypes ({listed}); convert all to one")


def _pad(sample: Sample, height: int, width: int) -> Sample:
    rows, columns = sample["mask"].shape
    if (rows, columns) == (height, width):
        return sample
    padding = [(0, 0), (0, height - rows), (0, width - columns)]
    mask = torch.full((height, width), IGNORE_INDEX, dtype=torch.uint8)
    mask[:rows, :columns] = sample["mask"]
    padded: Sample = {**sample, "mask": mask}
    padded["image"] = torch.from_numpy(np.pad(sample["image"].numpy(), padding, "edge"))  # torch 2.8: not for uint16
    if "valid" in sample:
        padded["valid"] = torch.from_numpy(np.pad(sample["valid"].numpy(), padding, "edge"))
    return padded
