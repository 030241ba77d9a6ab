"""The mean loss of a split: every labelled pixel counts once, batches without one nothing, and NaN is not hidden."""

import math

import pytest
import torch

from seglit.evaluation.mean_loss import MeanLoss
from seglit.labels import IGNORE_INDEX


def mean(*batches: tuple[float, int]) -> float:
    """Of (loss, number of labelled pixels)."""
    metric = MeanLoss()
    for loss, labelled in batches:
        mask = torch.full((1, 2, 5), IGNORE_INDEX)
        mask.view(-1)[:labelled] = 3
        metric.update(torch.tensor(loss), mask)
    return metric.compute()


def test_pixels_count_the_same() -> None:
    assert mean((0.5, 2), (0.25, 8)) == pytest.approx((0.5 * 2 + 0.25 * 8) / 10)


def test_batches_without_labelled_pixels_count_nothing() -> None:
    """`torch.nn.CrossEntropyLoss` answers 0 / 0 for them, which is no loss of the network."""
    assert mean((0.5, 2), (math.nan, 0), (7.0, 0)) == 0.5


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_loss_that_is_not_finite_shows(bad: float) -> None:
    assert mean((0.5, 2), (bad, 1), (0.5, 2)) == pytest.approx(bad, nan_ok=True)


def test_reset_forgets_all_batches() -> None:
    metric = MeanLoss()
    metric.update(torch.tensor(math.nan), torch.zeros(1, 2, 2))
    metric.reset()
    metric.update(torch.tensor(0.5), torch.zeros(1, 2, 2))
    assert metric.compute() == 0.5
