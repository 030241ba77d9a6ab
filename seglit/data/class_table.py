"""Which classes each training image holds: what class weights and the choice of crops with rare classes are made of."""

import difflib
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from seglit.class_weights import count_classes
from seglit.errors import InputError

_CHUNK = 16  # images that a worker counts at a time

Table = npt.NDArray[np.int64]


class _Masks(Protocol):
    """What is needed of a data set here."""

    def __len__(self) -> int: ...

    def read_mask(self, index: int) -> npt.NDArray[np.uint8]: ...


class _Counts(Dataset[Tensor]):
    """The class counts of each mask, int64 (C + 1,)."""

    def __init__(self, masks: _Masks, num_classes: int) -> None:
        self.masks = masks
        self.num_classes = num_classes

    def __len__(self) -> int:
        return len(self.masks)

    def __getitem__(self, index: int) -> Tensor:
        return torch.from_numpy(count_classes(self.masks.read_mask(index), self.num_classes))


def count_images(masks: _Masks, num_classes: int, num_workers: int) -> Table:
    """Counts the pixels of each class in every mask of a data set, (N, C + 1), void last; in the reading processes.

    Raises:
        InputError: A mask cannot be read.
    """
    loader = DataLoader(_Counts(masks, num_classes), _CHUNK, num_workers=num_workers)
    table: Table = torch.cat(list(loader)).numpy()
    return table


def images_of_rare_classes(
    table: Table, class_names: Sequence[str], wanted: Sequence[str] | None
) -> dict[int, npt.NDArray[np.intp]]:
    """Each rare class to the indices of the images that hold it.

    Args:
        table: Pixels per image and class, (N, C + 1), void last.
        class_names: One name a class.
        wanted: The names of the rare ones; None takes those of less than their even share of the labelled pixels, which
            occur at all.

    Raises:
        InputError: There is no such class, or none of its pixels.
    """
    pixels = table[:, :-1].sum(axis=0)
    if wanted is None:
        rare = [index for index, count in enumerate(pixels) if 0 < count * len(class_names) < pixels.sum()]
    else:
        rare = [_index(name, class_names) for name in dict.fromkeys(wanted)]
    if absent := [class_names[index] for index in rare if not pixels[index]]:
        raise InputError(f"augment: rare_classes names {absent[0]!r}, of which no training mask holds a pixel")
    if not rare:
        raise InputError("augment: rare_rate is set, but no class has less than its even share of the training pixels")
    return {index: np.flatnonzero(table[:, index]) for index in rare}


def _index(name: str, class_names: Sequence[str]) -> int:
    if name not in class_names:
        near = difflib.get_close_matches(name, class_names, 1) or class_names
        raise InputError(f"augment: rare_classes names {name!r}; did you mean {' or '.join(map(repr, near))}?")
    return class_names.index(name)
