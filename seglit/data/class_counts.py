"""Which classes each training image holds: what class weights and the choice of crops with rare classes are made of."""

import hashlib
import os
from collections.abc import Sequence
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

_CHUNK = 16  # images that a worker counts at a time

Table = npt.NDArray[np.int64]


class _Counts(Dataset[Tensor]):
    """The class counts of each mask, int64 (C + 1,)."""

    def __init__(self, dataset: SegmentationDataset, num_classes: int) -> None:
        self.dataset = dataset
        self.num_classes = num_classes

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Tensor:
        return torch.from_numpy(count_classes(self.dataset.read(index)[1], self.num_classes))


def count_images(dataset: SegmentationDataset, num_classes: int, num_workers: int) -> Table:
    """Counts the pixels of each class in every mask of a data set, (N, C + 1), void last; in the reading processes.

    It reads every pair, once: the counts are kept in the user's cache folder, by a hash of what they were made from.

    Raises:
        InputError: A mask cannot be read.
    """
    kept = _place(dataset, num_classes)
    if kept is not None and kept.is_file():
        table: Table = np.load(kept)
        return table
    rank_zero_info(f"counting the classes of {len(dataset):,} training masks")
    table = torch.cat(list(DataLoader(_Counts(dataset, num_classes), _CHUNK, num_workers=num_workers))).numpy()
    if kept is not None:
        _keep(kept, table)
    return table


def _place(dataset: SegmentationDataset, num_classes: int) -> Path | None:
    """The file that the counts are kept in; None of a data set that does not say what it reads."""
    digest = hashlib.blake2b(digest_size=20)
    digest.update(reading_code(type(dataset)))
    try:
        for index in range(len(dataset)):
            digest.update(content_key(dataset.source(index), b""))
    except (InputError, OSError):  # the latter is for `read` to say
        return None
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")  # where torch keeps its own, on any system
    return cache / "seglit" / "class_counts" / f"{digest.hexdigest()}-{num_classes}.npy"


def _keep(path: Path, table: Table) -> None:
    """Puts the whole file in place, or says why not: counting anew is all that it costs."""
    try:
        with replacing(path) as part, part.open("wb") as file:
            np.save(file, table)
    except InputError as error:
        rank_zero_info(f"the counts of the classes are not kept: {error}")


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
        raise InputError(f"augment: rare_classes names {name!r}, which is no class{did_you_mean(name, class_names)}")
    return class_names.index(name)
