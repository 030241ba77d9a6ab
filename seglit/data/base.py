"""Base class of data modules: splits, labels, and a loader for each split."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pytorch_lightning as pl
from pytorch_lightning.strategies import ModelParallelStrategy
from torch.utils.data import DataLoader

from seglit.class_weights import ClassCounts
from seglit.data.augment import Augment
from seglit.data.batch import Sample, collate, collate_by_size
from seglit.data.cache import Cache
from seglit.data.class_counts import count_images, images_of_rare_classes
from seglit.data.dataset import SegmentationDataset
from seglit.data.first_image import check_transforms, check_units
from seglit.data.samples import Samples
from seglit.data.sampling import ClassDraw, KeySampler
from seglit.data.workers import Loading, choose_loading
from seglit.errors import InputError
from seglit.images.pairs import Split
from seglit.images.scaling import check_resize
from seglit.labels import Labels
from seglit.normalization import stated_nodata, stated_normalization


class SegmentationDataModule(pl.LightningDataModule, ABC):
    """Splits, labels and loaders; a subclass passes its labels and defines `dataset`.

    Args:
        labels: Class names, colours and stored values; the network is built for this number of classes.
        in_channels: Channels of the images; the network is built for it. 3 reads 8-bit images as RGB and 1 as grey;
            other images must have this number of bands.
        batch_size: Images per step on each device, in training and evaluation.
        resize: Factor on the size of the images, or [height, width] in pixels, for training, evaluation and prediction;
            None keeps them as stored. Scores are counted, and masks predicted, at the stored size.
        crop_size: Size in pixels of the training crops, (height, width) or one number for both; smaller images are
            padded with void. None trains on whole images, padded to the largest of the batch.
        augment: Further augmentation of training images; None only crops.
        num_workers: Worker processes per device; None chooses by the number of cores and the device.
        seed: Seed of order and augmentation; the command line links it to `seed_everything`.
        mean: Mean of the images in stored units, one value per channel or one for all; `seglit inspect` prints it. None
            normalises as the pretrained weights require, or by ImageNet's statistics.
        std: Standard deviation likewise.
        nodata: Value of pixels without data, one for all channels or one each; NaN, transparent pixels and values that
            a file states are recognised without it. Such pixels are 0 after normalisation, and void if they lack data
            in all channels.
        cache: Cache of decoded pairs, kept across epochs and runs; None decodes them each time.

    Raises:
        InputError: `in_channels`, `batch_size`, `resize` or `crop_size` is too small, or `mean` and `std` do not fit.
    """

    def __init__(
        self,
        labels: Labels,
        in_channels: int = 3,
        batch_size: int = 8,
        resize: float | tuple[int, int] | None = None,
        crop_size: int | tuple[int, int] | None = None,
        augment: Augment | None = None,
        num_workers: int | None = None,
        seed: int = 0,
        mean: list[float] | None = None,
        std: list[float] | None = None,
        nodata: float | list[float] | None = None,
        cache: Cache | None = None,
    ) -> None:
        super().__init__()
        self.crop_size = (crop_size, crop_size) if isinstance(crop_size, int) else crop_size
        sizes = {"in_channels": in_channels, "batch_size": batch_size, "crop_size": min(self.crop_size or (1,))}
        if small := [name for name, size in sizes.items() if size < 1]:
            raise InputError(f"{small[0]} is {sizes[small[0]]}; it must be 1 or more")
        self.labels = labels
        self.normalization = stated_normalization(mean, std, in_channels)
        self.nodata = stated_nodata(nodata, in_channels)
        self.in_channels = in_channels
        self.batch_size = batch_size
        self.resize = check_resize(resize)
        self.augment = augment
        self.num_workers = num_workers
        self.seed = seed
        self.cache = cache
        self.resumed_at = 0, 0  # epoch, and how many of its samples were trained on at each rank

    @property
    def num_classes(self) -> int:
        """Number of classes, without void."""
        return self.labels.num_classes

    @property
    def loading(self) -> Loading:
        """Workers, prefetching and pinning, chosen for the machine and the trainer."""
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
        """Returns the data set of a split, empty if there is no such split (or override `has_split`).

        Raises:
            InputError: A file is missing.
        """

    def has_split(self, split: Split) -> bool:
        """Whether the split exists and is not empty; `fit` scores the test split only if it does."""
        return len(self.dataset(split)) > 0

    def groups(self, split: Split) -> Mapping[str, str]:
        """Returns the group of each image's name, such as the patient or video that it is of.

        Confidence intervals resample whole groups, because images of one are alike. An image without one is its own
        group; names as `stack0[3]` are slices of one.
        """
        return {}

    def train_dataloader(self) -> DataLoader[Sample]:
        """Shuffled, augmented crops; drops the last, smaller batch unless it is the only one.

        Raises:
            InputError: A transform cannot handle the first image, or its units are not known.
        """
        pipeline = (self.augment or Augment()).pipeline(self.crop_size)
        samples = Samples(self.dataset("train"), pipeline, self.seed, self.cache, self.resize)
        image, _, name = samples.read(0)
        if self.normalization is None:
            check_units(image, name)
        check_transforms(pipeline, image)
        return self._loader(samples, shuffle=True, draw=self._class_draw())

    def val_dataloader(self) -> DataLoader[Sample]:
        """Whole images as stored, in order; yields lists of batches, one batch per image size."""
        return self._loader(Samples(self.dataset("val"), cache=self.cache, resize=self.resize), shuffle=False)

    def test_dataloader(self) -> DataLoader[Sample]:
        """Whole images as stored, in order; yields lists of batches, one batch per image size."""
        return self._loader(Samples(self.dataset("test"), cache=self.cache, resize=self.resize), shuffle=False)

    def _class_draw(self) -> ClassDraw | None:
        """Rare class sampling, if the augmentation has a `rare_rate`."""
        if self.augment is None or not self.augment.rare_rate:
            return None
        images = images_of_rare_classes(self._class_table, self.labels.class_names, self.augment.rare_classes)
        return ClassDraw(self.augment.rare_rate, images, self.seed)

    def _loader(self, samples: Samples, *, shuffle: bool, draw: ClassDraw | None = None) -> DataLoader[Sample]:
        ranks, rank = (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)
        # Ranks that shard weights must call the network equally often; batches by size would differ in number.
        sharding = self.trainer is not None and isinstance(self.trainer.strategy, ModelParallelStrategy)
        batch_size = 1 if sharding and not shuffle else self.batch_size
        sampler = KeySampler(len(samples), shuffle=shuffle, seed=self.seed, num_replicas=ranks, rank=rank, draw=draw)
        if shuffle:
            sampler.start_at(*self.resumed_at)
        return DataLoader(
            samples,
            batch_size,
            sampler=sampler,
            collate_fn=collate if shuffle else collate_by_size,
            drop_last=shuffle and len(sampler) >= batch_size,
            **self.loading.arguments(),
        )
