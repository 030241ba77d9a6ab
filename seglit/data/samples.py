"""Samples: what a loader batches, read from a data set and augmented."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from seglit.data.augment import Pipeline
from seglit.data.batch import Sample
from seglit.data.cache import Cache
from seglit.data.dataset import SegmentationDataset
from seglit.data.sampling import SampleKey
from seglit.images.scaling import Resize, resize_image, resize_nearest
from seglit.images.validity import void_without_data
from seglit.labels import IGNORE_INDEX


@dataclass
class Samples(Dataset[Sample]):
    """Pairs of a data set as tensors, augmented: what a loader batches.

    Args:
        dataset: The pairs.
        pipeline: Augmentation; None returns masks as stored.
        seed: Augmentation is drawn from (seed, epoch, index).
        cache: Cache of decoded pairs; None decodes them each time.
        resize: Size of the images; masks keep theirs without a pipeline.
    """

    dataset: SegmentationDataset
    pipeline: Pipeline | None = None
    seed: int = 0
    cache: Cache | None = None
    resize: Resize = None

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.dataset)

    def read(self, index: int) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8], str]:
        """Reads a pair, from the cache if there is one, and resizes the image."""
        pair = self.dataset.pair(index) if self.cache is None else self.cache.read(self.dataset, index)
        return resize_image(pair[0], self.resize), *pair[1:]

    def __getitem__(self, key: SampleKey | int) -> Sample:
        """Reads and augments the sample of a `KeySampler`'s key, or of an index in epoch 0."""
        key = key if isinstance(key, SampleKey) else SampleKey(key)
        image, mask, name = self.read(key.index)
        if self.pipeline is not None:
            if mask.shape != image.shape[:2]:
                mask = void_without_data(resize_nearest(mask, image.shape[:2]), image)
            seed = int(key.seed_sequence(self.seed).generate_state(1)[0])
            image, mask = self.pipeline(image, mask, seed, key.target_class)
        if key.padding:
            mask, name = np.full_like(mask, IGNORE_INDEX), ""
        return _as_sample(image, mask, name)


def _as_sample(image: npt.NDArray[Any], mask: npt.NDArray[np.uint8], name: str) -> Sample:
    """Converts image (H, W[, C]) and mask (H, W), to tensors; a masked array gives `valid`."""
    sample: Sample = {"image": _as_tensor(np.ma.getdata(image)), "mask": _as_tensor(mask)[0], "name": name}
    if isinstance(image, np.ma.MaskedArray):
        sample["valid"] = _as_tensor(~np.ma.getmaskarray(image))
    return sample


def _as_tensor(array: npt.NDArray[Any]) -> Tensor:
    """(H, W[, C]) to (C, H, W), without a copy unless PyTorch needs one."""
    return torch.from_numpy(np.require(array.reshape(*array.shape[:2], -1), requirements=("C", "W"))).movedim(-1, 0)
