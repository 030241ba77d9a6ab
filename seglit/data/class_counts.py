"""Pixel counts per training image and class, for class weights and rare class sampling."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from pytorch_lightning.utilities import rank_zero_info
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from seglit.class_weights import count_classes
from seglit.data.cache_key import content_key, reading_code
from seglit.data.dataset import SegmentationDataset
from seglit.errors import InputError, did_you_mean
from seglit.images.replacing import replacing

_BATCH_SIZE = 16  # images per task of a worker

Table = npt.NDArray[np.int64]


@dataclass
class _Counts(Dataset[Tensor]):
    """Class counts of each mask, int64 (C + 1,), void last."""

    dataset: SegmentationDataset
    num_classes: int

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Tensor:
        return torch.from_numpy(count_classes(self.dataset.read(index)[1], self.num_classes))


def count_images(dataset: SegmentationDataset, num_classes: int, num_workers: int) -> Table:
    """Counts the pixels of each class in every mask of a data set: (N, C + 1), void last.

    Reads every pair once: the counts are stored in the user's cache folder, keyed by a hash of everything read.

    Raises:
        InputError: A mask cannot be read.
    """
    file = _cache_file(dataset, num_classes)
    if file is not None and file.is_file():
        table: Table = np.load(file)
        return table
    rank_zero_info(f"counting the classes of {len(dataset):,} training masks")
    table = torch.cat(list(DataLoader(_Counts(dataset, num_classes), _BATCH_SIZE, num_workers=num_workers))).numpy()
    if file is not None:
        _save(file, table)
    return table


def _cache_file(dataset: SegmentationDataset, num_classes: int) -> Path | None:
    """Returns the file that stores the counts; None if the data set defines no `source`."""
    digest = hashlib.blake2b(digest_size=20)
    digest.update(reading_code(type(dataset)))
    try:
        for index in range(len(dataset)):
            digest.update(content_key(dataset.source(index), b""))
    except (InputError, OSError):  # OSError: `read` raises it with a better message
        return None
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")  # as torch does
    return cache / "seglit" / "class_counts" / f"{digest.hexdigest()}-{num_classes}.npy"


def _save(path: Path, table: Table) -> None:
    """Writes the file; on failure logs it, since the next run can count again."""
    try:
        with replacing(path) as part, part.open("wb") as file:
            np.save(file, table)
    except InputError as error:
        rank_zero_info(f"the class counts are not saved: {error}")


def images_of_rare_classes(
    table: Table, class_names: Sequence[str], rare_classes: Sequence[str] | None
) -> dict[int, npt.NDArray[np.intp]]:
    """Maps each rare class to the indices of the images that contain it.

    Args:
        table: Pixels per image and class, (N, C + 1), void last.
        class_names: One name per class.
        rare_classes: Names of the rare classes; None takes those that occur, with less than an equal share of the
            labelled pixels.

    Raises:
        InputError: There is no such class, or it does not occur.
    """
    pixels = table[:, :-1].sum(axis=0)
    if rare_classes is None:
        rare = [index for index, count in enumerate(pixels) if 0 < count * len(class_names) < pixels.sum()]
    else:
        rare = [_index(name, class_names) for name in dict.fromkeys(rare_classes)]
    if absent := [class_names[index] for index in rare if not pixels[index]]:
        raise InputError(f"augment: rare_classes names {absent[0]!r}, which occurs in no training mask")
    if not rare:
        raise InputError("augment: rare_rate is set, but no class has less than an equal share of the training pixels")
    return {index: np.flatnonzero(table[:, index]) for index in rare}


def _index(name: str, class_names: Sequence[str]) -> int:
    if name not in class_names:
        raise InputError(f"augment: rare_classes names {name!r}, which is not a class{did_you_mean(name, class_names)}")
    return class_names.index(name)
