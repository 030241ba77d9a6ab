"""Which sample comes next, on which rank and in which epoch."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch.utils.data import DistributedSampler


@dataclass(frozen=True, slots=True)
class SampleKey:
    """All that a sample depends on besides the seed: what a sampler hands to the data set.

    Args:
        index: The sample's place in the split.
        epoch: The epoch it is drawn in, from 0; augmentation is drawn from (seed, epoch, index) alone.
        void: Whether the sample only evens out the ranks: its mask is then void throughout, so it never counts.
        wanted: The class that the crop has to show; None lets it lie anywhere.
        place: The sample's place before another image was taken for the wanted class, which sets the augmentation; None
            is `index`. One image, taken for several places of an epoch, so looks different each time.
    """

    index: int
    epoch: int = 0
    void: bool = False
    wanted: int | None = None
    place: int | None = None

    def entropy(self, seed: int, *purpose: int) -> np.random.SeedSequence:
        """All that may be drawn for the sample; draws for another purpose do not depend on each other."""
        place = self.index if self.place is None else self.place
        return np.random.SeedSequence((seed, self.epoch, place), spawn_key=purpose)


@dataclass(frozen=True)
class ClassDraw:
    """Takes another image for some samples, so that a share of the crops shows a class that was drawn.

    Plain sampling shows a class as often as its images come up; here the class is drawn first, all alike, then an image
    that holds it: rare class sampling (Hoyer et al., DAFormer, CVPR 2022, section 3.3) at a set rate.

    Args:
        rate: The share of samples, 0 to 1.
        images: Each class that is drawn to the indices of the images that hold it, none empty.
        seed: With the epoch and the place, all that a draw depends on.
    """

    rate: float
    images: Mapping[int, npt.NDArray[np.intp]]
    seed: int

    def __call__(self, key: SampleKey) -> SampleKey:
        """The key itself, or one of an image that holds the class that was drawn."""
        generator = np.random.default_rng(key.entropy(self.seed, _CLASS_DRAW))
        if generator.random() >= self.rate:
            return key
        wanted = int(generator.choice(list(self.images)))
        return SampleKey(int(generator.choice(self.images[wanted])), key.epoch, wanted=wanted, place=key.index)


_CLASS_DRAW = 1  # keeps it apart from the draw of the augmentation


class KeySampler(DistributedSampler[SampleKey]):
    """Hands out `SampleKey`s: shuffled by (seed, epoch) for training, in order and counted once for evaluation.

    It is a `DistributedSampler`, so that Lightning tells it the epoch and puts no sampler of its own in its place
    (that one repeats samples and so changes the score). Because the key carries the epoch, workers that outlive an
    epoch need no word of it.

    Args:
        length: Number of samples of the split.
        shuffle: Whether this is training: shuffled, and repeats to even out the ranks are trained on.
        seed: Seed of the order.
        num_replicas: Number of ranks.
        rank: This process's rank.
        draw: What takes another image for some of the training samples.
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

    def __iter__(self) -> Iterator[SampleKey]:
        places: Any = super().__iter__()
        for position, index in enumerate(places):
            repeated = self.rank + position * self.num_replicas >= self.length
            key = SampleKey(index, self.epoch, void=repeated and not self.shuffle)
            yield self.draw(key) if self.draw else key
