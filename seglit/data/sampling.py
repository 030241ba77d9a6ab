"""Which sample comes next, on which rank and in which epoch."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch.utils.data import DistributedSampler


@dataclass(frozen=True, slots=True)
class SampleKey:
    """All that a sample depends on besides the seed: what a sampler hands to the data set.

    Args:
        index: The sample's place in the split.
        epoch: The epoch it is drawn in, from 0; augmentation is drawn from (seed, epoch, index) alone.
        void: Whether the sample only evens out the ranks: its mask is then void throughout, so it never counts.
    """

    index: int
    epoch: int = 0
    void: bool = False


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
    """

    def __init__(self, length: int, *, shuffle: bool, seed: int = 0, num_replicas: int = 1, rank: int = 0) -> None:
        sized: Any = range(length)
        super().__init__(sized, num_replicas, rank, shuffle=shuffle, seed=seed)
        self.length = length

    def __iter__(self) -> Iterator[SampleKey]:
        places: Any = super().__iter__()
        for position, index in enumerate(places):
            repeated = self.rank + position * self.num_replicas >= self.length
            yield SampleKey(index, self.epoch, void=repeated and not self.shuffle)
