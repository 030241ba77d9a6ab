"""Order of samples: per rank and epoch, shuffled for training, counted once for evaluation."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
from torch.utils.data import DistributedSampler

_CLASS_DRAW = 1  # spawn key of the class draw, independent of augmentation


@dataclass(frozen=True, slots=True)
class SampleKey:
    """What a sampler passes to the data set: with the seed, it determines the sample.

    Args:
        index: Index of the image in the split.
        epoch: Epoch, from 0; augmentation is drawn from (seed, epoch, index).
        padding: Padding sample that equalises ranks; its mask is all void.
        target_class: The class that the crop must contain; None places it at random.
        drawn_for: Index whose sample this one replaces, if a class draw chose another image. Augmentation is drawn from
            it, so that one image drawn for several samples of an epoch looks different in each.
    """

    index: int
    epoch: int = 0
    padding: bool = False
    target_class: int | None = None
    drawn_for: int | None = None

    def seed_sequence(self, seed: int, *purpose: int) -> np.random.SeedSequence:
        """Returns the random seed of the sample; seeds for different purposes are independent."""
        index = self.index if self.drawn_for is None else self.drawn_for
        return np.random.SeedSequence((seed, self.epoch, index), spawn_key=purpose)


@dataclass(frozen=True)
class ClassDraw:
    """Rare class sampling (Hoyer et al., DAFormer, CVPR 2022, section 3.3) for a share of the samples.

    Draws a class uniformly, then an image that contains it.

    Args:
        rate: Share of the samples, 0 to 1.
        images: Class index to the indices of the images that contain it, none empty.
        seed: Random seed.
    """

    rate: float
    images: Mapping[int, npt.NDArray[np.intp]]
    seed: int

    def __call__(self, key: SampleKey) -> SampleKey:
        """Returns the key itself, or that of an image which contains the drawn class."""
        generator = np.random.default_rng(key.seed_sequence(self.seed, _CLASS_DRAW))
        if generator.random() >= self.rate:
            return key
        target_class = int(generator.choice(list(self.images)))
        index = int(generator.choice(self.images[target_class]))
        return SampleKey(index, key.epoch, target_class=target_class, drawn_for=key.index)


class KeySampler(DistributedSampler[SampleKey]):
    """Yields `SampleKey`s: shuffled by (seed, epoch) for training, in order and each counted once for evaluation.

    It is a `DistributedSampler`, so Lightning sets its epoch and does not replace it by its own sampler, which repeats
    samples and so changes scores. The key contains the epoch, so persistent workers need not be told.

    Args:
        length: Number of samples of the split.
        shuffle: Shuffle for training; samples repeated to equalise ranks are then trained on, not padding.
        seed: Seed of the order.
        num_replicas: Number of ranks.
        rank: Rank of this process.
        draw: Replaces some of the training samples.
    """

    def __init__(
        self,
        length: int,
        *,
        shuffle: bool,
        seed: int = 0,
        num_replicas: int = 1,
        rank: int = 0,
        draw: ClassDraw | None = None,
    ) -> None:
        sized: Any = range(length)
        super().__init__(sized, num_replicas, rank, shuffle=shuffle, seed=seed)
        self.length = length
        self.draw = draw
        self.start_at(0, 0)

    def start_at(self, epoch: int, samples: int) -> None:
        """Skips the first samples of an epoch at each rank, without reading them, as a resumed run does."""
        self.set_epoch(epoch)
        self.skipped = {epoch: samples}

    def __iter__(self) -> Iterator[SampleKey]:
        indices: Any = super().__iter__()
        for position, index in islice(enumerate(indices), self.skipped.get(self.epoch), None):
            repeated = self.rank + position * self.num_replicas >= self.length
            key = SampleKey(index, self.epoch, padding=repeated and not self.shuffle)
            yield self.draw(key) if self.draw else key
