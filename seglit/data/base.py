"""The data contract: what a data set reads, what a batch holds, and how loaders are made from them."""

import os
from abc import ABC, abstractmethod
from typing import Literal, TypedDict

import numpy as np
import numpy.typing as npt
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from seglit.data.augment import Augment, Pipeline
from seglit.data.sampling import KeySampler, SampleKey
from seglit.labels import IGNORE_INDEX, Labels

Split = Literal["train", "val", "test"]


class Sample(TypedDict):
    """One image and its mask: image uint8 (C, H, W), mask uint8 (H, W) class indices with void 255, and a name."""

    image: Tensor
    mask: Tensor
    name: str


class Batch(TypedDict):
    """What a network trains on: image uint8 (B, C, H, W), mask uint8 (B, H, W) class indices, void 255, names.

    Images stay as stored until they are on the device; the module normalises them there.
    """

    image: Tensor
    mask: Tensor
    name: list[str]


class SegmentationDataset(Dataset[Sample], ABC):
    """Images and masks by index; a subclass says how one pair is read.

    Args:
        pipeline: What is drawn anew for each sample; None reads it as stored.
        seed: With the epoch and the index, all that a draw depends on.
    """

    def __init__(self, pipeline: Pipeline | None = None, seed: int = 0) -> None:
        self.pipeline = pipeline
        self.seed = seed

    @abstractmethod
    def __len__(self) -> int:
        """Number of pairs."""

    @abstractmethod
    def read(self, index: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], str]:
        """Reads image (H, W, C) uint8, class indices (H, W) uint8 with void 255, and the sample's name."""

    def __getitem__(self, key: SampleKey | int) -> Sample:
        """Reads and augments the sample that a `KeySampler` (or a plain index: epoch 0) asks for."""
        key = key if isinstance(key, SampleKey) else SampleKey(key)
        image, mask, name = self.read(key.index)
        if self.pipeline is not None:
            draw = np.random.SeedSequence((self.seed, key.epoch, key.index)).generate_state(1)[0]
            image, mask = self.pipeline(image, mask, int(draw))
        if key.void:
            mask = np.full_like(mask, IGNORE_INDEX)
        pixels = torch.from_numpy(np.ascontiguousarray(image.reshape(*mask.shape, -1).transpose(2, 0, 1)))
        return {"image": pixels, "mask": torch.from_numpy(np.ascontiguousarray(mask)), "name": name}


class SegmentationDataModule(pl.LightningDataModule, ABC):
    """Splits, labels and loaders; a subclass declares its labels and makes the data set of a split.

    Args:
        labels: Class names, colours and stored values; the module takes the number of classes from here.
        in_channels: Channels of every image; networks are built for it.
        batch_size: Images a step on each device. Evaluation uses the same.
        crop_size: (height, width) in pixels of the training crops, padded with void where the image is smaller.
            None trains on whole images, which must then be of one size or are padded to the batch's largest.
        augment: What else changes from epoch to epoch in training; None only crops.
        num_workers: Reading processes on each device; None takes half the processor's cores, at most 8.
        seed: Seed of order and augmentation; the command line links it to `seed_everything`.
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
    ) -> None:
        super().__init__()
        self.labels = labels
        self.in_channels = in_channels
        self.batch_size = batch_size
        self.crop_size = crop_size
        self.augment = augment
        self.num_workers = num_workers if num_workers is not None else min(8, max(1, (os.cpu_count() or 2) // 2))
        self.seed = seed

    @property
    def num_classes(self) -> int:
        """Number of classes, void not counted."""
        return self.labels.num_classes

    @abstractmethod
    def dataset(self, split: Split, pipeline: Pipeline | None = None) -> SegmentationDataset:
        """Makes the data set of a split, augmented by `pipeline`.

        Raises:
            InputError: There is no such split, or its files are not as configured.
        """

    def has_split(self, split: Split) -> bool:
        """Whether the split exists (and is not empty); `fit` scores `test` only where there is one."""
        return len(self.dataset(split)) > 0

    def train_dataloader(self) -> DataLoader[Sample]:
        """Shuffled, augmented crops; the last, smaller batch is left out unless it is the only one."""
        dataset = self.dataset("train", (self.augment or Augment()).pipeline(self.crop_size))
        return self._loader(dataset, shuffle=True)

    def val_dataloader(self) -> DataLoader[Sample]:
        """Whole images as stored, in order."""
        return self._loader(self.dataset("val"), shuffle=False)

    def test_dataloader(self) -> DataLoader[Sample]:
        """Whole images as stored, in order."""
        return self._loader(self.dataset("test"), shuffle=False)

    def _loader(self, dataset: SegmentationDataset, *, shuffle: bool) -> DataLoader[Sample]:
        ranks, rank = (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)
        sampler = KeySampler(len(dataset), shuffle=shuffle, seed=self.seed, num_replicas=ranks, rank=rank)
        return DataLoader(
            dataset,
            self.batch_size,
            sampler=sampler,
            num_workers=self.num_workers,
            collate_fn=collate,
            drop_last=shuffle and len(sampler) >= self.batch_size,
            pin_memory=torch.cuda.is_available(),
            persistent_workers=self.num_workers > 0,
        )


def collate(samples: list[Sample]) -> Batch:
    """Stacks samples; smaller ones are padded at bottom and right: image by its edge, mask by void."""
    height = max(sample["mask"].shape[0] for sample in samples)
    width = max(sample["mask"].shape[1] for sample in samples)
    padded = [_pad(sample, height, width) for sample in samples]
    return {
        "image": torch.stack([sample["image"] for sample in padded]),
        "mask": torch.stack([sample["mask"] for sample in padded]),
        "name": [sample["name"] for sample in samples],
    }


def _pad(sample: Sample, height: int, width: int) -> Sample:
    rows, columns = sample["mask"].shape
    if (rows, columns) == (height, width):
        return sample
    image = sample["image"][:, torch.arange(height).clamp(max=rows - 1)][
        ..., torch.arange(width).clamp(max=columns - 1)
    ]
    mask = torch.full((height, width), IGNORE_INDEX, dtype=torch.uint8)
    mask[:rows, :columns] = sample["mask"]
    return {"image": image, "mask": mask, "name": sample["name"]}
