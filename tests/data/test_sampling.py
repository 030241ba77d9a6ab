"""Which rank sees which sample: nothing scored twice, nothing left out, ranks even."""

from collections import Counter

import pytest

from seglit.data.sampling import KeySampler, SampleKey

RANKS_AND_LENGTHS = [(ranks, length) for ranks in (1, 2, 3) for length in (1, 2, 5, 6, 7)]


def keys(ranks: int, length: int, *, shuffle: bool, epoch: int = 0, seed: int = 0) -> list[list[SampleKey]]:
    """What each rank is handed."""
    samplers = [KeySampler(length, shuffle=shuffle, seed=seed, num_replicas=ranks, rank=rank) for rank in range(ranks)]
    for sampler in samplers:
        sampler.set_epoch(epoch)
    found = [list(sampler) for sampler in samplers]
    assert [len(sampler) for sampler in samplers] == [len(rank) for rank in found]
    return found


@pytest.mark.parametrize(("ranks", "length"), RANKS_AND_LENGTHS)
def test_evaluation_counts_each_sample_once(ranks: int, length: int) -> None:
    by_rank = keys(ranks, length, shuffle=False)
    counted = [key.index for rank in by_rank for key in rank if not key.padding]
    assert sorted(counted) == list(range(length))
    assert {len(rank) for rank in by_rank} == {-(-length // ranks)}
    assert sum(key.padding for rank in by_rank for key in rank) == -length % ranks


def test_evaluation_on_one_rank_is_in_order() -> None:
    assert [key.index for key in keys(1, 7, shuffle=False)[0]] == list(range(7))


@pytest.mark.parametrize(("ranks", "length"), RANKS_AND_LENGTHS)
def test_training_yields_every_sample_and_no_padding(ranks: int, length: int) -> None:
    by_rank = keys(ranks, length, shuffle=True, epoch=2)
    drawn = Counter(key.index for rank in by_rank for key in rank)
    assert set(drawn) == set(range(length))
    assert sum(drawn.values()) == length + -length % ranks
    assert {len(rank) for rank in by_rank} == {-(-length // ranks)}
    assert not any(key.padding for rank in by_rank for key in rank)
    assert {key.epoch for rank in by_rank for key in rank} == {2}


def test_order_depends_on_seed_and_epoch_only() -> None:
    order = keys(1, 50, shuffle=True, epoch=1, seed=4)
    assert order == keys(1, 50, shuffle=True, epoch=1, seed=4)
    assert [key.index for key in order[0]] != [key.index for key in keys(1, 50, shuffle=True, epoch=2, seed=4)[0]]
    assert order != keys(1, 50, shuffle=True, epoch=1, seed=9)


def test_resumed_epoch_names_only_the_samples_that_are_left() -> None:
    whole, resumed = (KeySampler(10, shuffle=True, seed=3, num_replicas=2, rank=1) for _ in range(2))
    resumed.start_at(2, 3)
    whole.set_epoch(2)
    assert [*resumed] == [*whole][3:]  # a sample that no key names is not read
    for sampler in (whole, resumed):
        sampler.set_epoch(3)
    assert [*resumed] == [*whole]
