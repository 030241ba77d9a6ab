"""Pixel counts per training image and class, for class weights and rare class sampling."""

import hashlib
import io
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from pytorch_lightning.utilities import rank_zero_info
from torch.utils.data import DataLoader

from seglit.class_weights import count_classes
from seglit.data.cache_key import pair_key
from seglit.data.dataset import SegmentationDataset
from seglit.data.user_cache import cache_file, save
from seglit.errors import InputError, did_you_mean

_BATCH_SIZE = 16  # images per task of a worker

Table = npt.NDArray[np.int64]


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
    indices: Any = range(len(dataset))
    count = partial(_count, dataset, num_classes)  # the workers call it
    # its own generator: else a run that counts and one that reads the stored counts would differ in dropout
    loader: Any = DataLoader(
        indices, _BATCH_SIZE, num_workers=num_workers, collate_fn=count, generator=torch.Generator()
    )
    table = np.concatenate(list(loader))
    if file is not None:
        np.save(content := io.BytesIO(), table)
        save(file, content.getvalue())
    return table


def _count(dataset: SegmentationDataset, num_classes: int, indices: list[int]) -> Table:
    """Returns the class counts of some masks, (len(indices), C + 1), void last."""
    return np.stack([count_classes(dataset.pair(index)[1], num_classes) for index in indices])


def _cache_file(dataset: SegmentationDataset, num_classes: int) -> Path | None:
    """Returns the file that stores the counts; None if the data set defines no `source`."""
    digest = hashlib.blake2b(digest_size=20)
    try:
        for index in range(len(dataset)):
            digest.update(pair_key(dataset, index))
    except (InputError, OSError):  # OSError: `read` raises it with a better message
        return None
    return cache_file("class_counts", f"{digest.hexdigest()}-{num_classes}.npy")


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
        for name in rare_classes:
            if name not in class_names:
                hint = did_you_mean(name, class_names)
                raise InputError(f"augment: rare_classes names {name!r}, which is not a class{hint}")
        rare = [class_names.index(name) for name in dict.fromkeys(rare_classes)]
    if absent := [class_names[index] for index in rare if not pixels[index]]:
        raise InputError(f"augment: rare_classes names {absent[0]!r}, which occurs in no training mask")
    if not rare:
        raise InputError("augment: rare_rate is set, but no class has less than an equal share of the training pixels")
    return {index: np.flatnonzero(table[:, index]) for index in rare}
