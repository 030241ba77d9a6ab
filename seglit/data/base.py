"""The data contract: what a data set reads, and how loaders are made of a split."""

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pytorch_lightning as pl
import torch
from pytorch_lightning.strategies import DeepSpeedStrategy, FSDPStrategy, ModelParallelStrategy
from torch.utils.data import DataLoader, Dataset

from seglit.class_weights import ClassCounts
from seglit.data.augment import Augment, Pipeline
from seglit.data.batch import Sample, collate, collate_by_size
from seglit.data.cache import Cache
from seglit.data.class_counts import count_images, images_of_rare_classes
from seglit.data.dataset import SegmentationDataset
from seglit.data.sampling import ClassDraw, KeySampler, SampleKey
from seglit.data.workers import Loading, choose_loading
from seglit.errors import InputError
from seglit.images.pairs import Split
from seglit.labels import IGNORE_INDEX, Labels
from seglit.normalization import check_units, stated_normalization

_SHARDING = (FSDPStrategy, ModelParallelStrategy, DeepSpeedStrategy)


class Samples(Dataset[Sample]):
    """What a loader takes from a data set: pairs as tensors, augmented.

    Args:
        dataset: The pairs.
        pipeline: Augmentation; None returns pairs as stored.
        seed: A sample's augmentation depends on seed, epoch and index alone.
        cache: Where decoded pairs are kept; None decodes them each time.
    """

    def __init__(
        self,
        dataset: SegmentationDataset,
        pipeline: Pipeline | None = None,
        seed: int = 0,
        cache: Cache | None = None,
    ) -> None:
        self.dataset = dataset
        self.pipeline = pipeline
        self.seed = seed
        self.cache = cache

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.dataset)

    def read(self, index: int) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8], str]:
        """Reads a pair as stored, from the cache if there is one."""
        return self.dataset.read(index) if self.cache is None else self.cache.read(self.dataset, index)

    def __getitem__(self, key: SampleKey | int) -> Sample:
        """Reads and augments the sample that a `KeySampler` (or a plain index: epoch 0) asks for."""
        key = key if isinstance(key, SampleKey) else SampleKey(key)
        image, mask, name = self.read(key.index)
        if self.pipeline is not None:
            image, mask = self.pipeline(image, mask, int(key.entropy(self.seed).generate_state(1)[0]), key.wanted)
        if key.void:
            mask, name = np.full_like(mask, IGNORE_INDEX), ""
        pixels = torch.from_numpy(np.ascontiguousarray(image.reshape(*mask.shape, -1).transpose(2, 0, 1)))
        return {"image": pixels, "mask": torch.from_numpy(np.ascontiguousarray(mask)), "name": name}


class SegmentationDataModule(pl.LightningDataModule, ABC):
    """Splits, labels and loaders; a subclass declares its labels and makes the data set of a split.

    Args:
        labels: Class names, colours and stored values; the module takes the number of classes from here.
        in_channels: Channels of every image; networks are built for it. 3 reads 8-bit images as RGB and 1 as grey;
            others must have as many bands.
        batch_size: Images a step on each device. Evaluation uses the same.
        crop_size: (height, width) in pixels of the training crops, padded with void where the image is smaller.
            None trains on whole images, which must then be of one size or are padded to the batch's largest.
        augment: What else changes from epoch to epoch in training; None only crops.
        num_workers: Reading processes on each device; None chooses by the number of cores and the device.
        seed: Seed of order and augmentation; the command line links it to `seed_everything`.
        mean: What images are normalised by, in the units that they are stored in: one value a channel, or one for all;
            `seglit inspect` prints it. None normalises as the network's weights were trained, or by ImageNet's values.
        std: What images are divided by then, in the same units: one value a channel, or one for all.
        cache: Where decoded pairs are kept from epoch to epoch and from run to run; None decodes them each time.

    Raises:
        InputError: There is no channel or no image a batch, or `mean` and `std` do not fit the channels or each other.
    """

    def __init__(
        self,
        labels: Labels,
        in_channels: int = 3,
        batch_size: int = 8,
        crop_size: tuple[int, int] | None = None,
        augment: Augment | None = None,
        num_workers: int | None = None,
        seed: int = 0,
        mean: list[float] | None = None,
        std: list[float] | None = None,
        cache: Cache | None = None,
    ) -> None:
        super().__init__()
        if in_channels < 1:
            raise InputError(f"in_channels is {in_channels}; images have one channel or more")
        if batch_size < 1:
            raise InputError(f"batch_size is {batch_size}; it is 1 or more")
        self.labels = labels
        self.normalization = stated_normalization(mean, std, in_channels)
        self.in_channels = in_channels
        self.batch_size = batch_size
        self.crop_size = crop_size
        self.augment = augment
        self.num_workers = num_workers
        self.seed = seed
        self.cache = cache

    @property
    def num_classes(self) -> int:
        """Number of classes, void not counted."""
        return self.labels.num_classes

    @property
    def loading(self) -> Loading:
        """How batches are made ahead of the device, which the trainer, if there is one, decides with the machine."""
        return choose_loading(self.num_workers, self.trainer)

    def count_classes(self) -> ClassCounts:
        """Counts the classes of the training masks; see `count_images`.

        Raises:
            InputError: A mask cannot be read.
        """
        return ClassCounts.of_images(self._class_table)

    @cached_property
    def _class_table(self) -> npt.NDArray[np.int64]:
        return count_images(self.dataset("train"), self.num_classes, self.loading.workers)

    @abstractmethod
    def dataset(self, split: Split) -> SegmentationDataset:
        """Makes the data set of a split.

        Raises:
            InputError: There is no such split, or its files are not as configured.
        """

    def has_split(self, split: Split) -> bool:
        """Whether the split exists (and is not empty); `fit` scores `test` only where there is one."""
        return len(self.dataset(split)) > 0

    def train_dataloader(self) -> DataLoader[Sample]:
        """Shuffled, augmented crops; the last, smaller batch is left out unless it is the only one.

        Raises:
            InputError: A transform cannot take such images as the first one, or their units are not known.
        """
        pipeline = (self.augment or Augment()).pipeline(self.crop_size)
        samples = Samples(self.dataset("train"), pipeline, self.seed, self.cache)
        image, _, name = samples.read(0)
        if self.normalization is None:
            check_units(image, name)
        pipeline.try_on(image)
        return self._loader(samples, shuffle=True, draw=self._class_draw())

    def val_dataloader(self) -> DataLoader[Sample]:
        """Whole images as stored, in order; a list of batches at a time, one per size."""
        return self._loader(Samples(self.dataset("val"), cache=self.cache), shuffle=False)

    def test_dataloader(self) -> DataLoader[Sample]:
        """Whole images as stored, in order; a list of batches at a time, one per size."""
        return self._loader(Samples(self.dataset("test"), cache=self.cache), shuffle=False)

    def _class_draw(self) -> ClassDraw | None:
        """What takes the images and crops that show rare classes; None where the augmentation asks for none."""
        if self.augment is None or not self.augment.rare_rate:
            return None
        images = images_of_rare_classes(self._class_table, self.labels.class_names, self.augment.rare_classes)
        return ClassDraw(self.augment.rare_rate, images, self.seed)

    def _loader(self, samples: Samples, *, shuffle: bool, draw: ClassDraw | None = None) -> DataLoader[Sample]:
        ranks, rank = (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)
        loading = self.loading
        # Where ranks share the weights they must call the network equally often, whatever sizes their images have.
        one_by_one = not shuffle and self.trainer is not None and isinstance(self.trainer.strategy, _SHARDING)
        batch_size = 1 if one_by_one else self.batch_size
        sampler = KeySampler(len(samples), shuffle=shuffle, seed=self.seed, num_replicas=ranks, rank=rank, draw=draw)
        return DataLoader(
            samples,
            batch_size,
            sampler=sampler,
            num_workers=loading.workers,
            prefetch_factor=loading.ahead // loading.workers if loading.workers else None,
            collate_fn=collate if shuffle else collate_by_size,
            drop_last=shuffle and len(sampler) >= batch_size,
            pin_memory=loading.pinned,
            persistent_workers=loading.workers > 0,
        )
