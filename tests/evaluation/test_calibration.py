"""Expected calibration error: against NumPy, against torchmetrics, and where torchmetrics cannot be used."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torchmetrics.classification import MulticlassCalibrationError

from seglit.evaluation.calibration import Calibration, Reliability
from seglit.labels import IGNORE_INDEX

NUM_CLASSES = 5


def batch(seed: int, sharpness: float = 2.0) -> tuple[Tensor, Tensor]:
    """Logits (2, 5, 17, 13) and a mask with void; the sharper, the surer of themselves."""
    generator = torch.Generator().manual_seed(seed)
    logits = sharpness * torch.randn(2, NUM_CLASSES, 17, 13, generator=generator)
    mask = torch.where(
        torch.rand(2, 17, 13, generator=generator) < 0.5,
        logits.argmax(1),
        torch.randint(NUM_CLASSES, (2, 17, 13), generator=generator),
    )
    mask[torch.rand(mask.shape, generator=generator) < 0.2] = IGNORE_INDEX
    return logits, mask.to(torch.uint8)


def reliability(*batches: tuple[Tensor, Tensor]) -> Reliability:
    metric = Calibration()
    for logits, mask in batches:
        metric.update(*logits.softmax(1).max(1), mask)
    return metric.compute()


def error(*batches: tuple[Tensor, Tensor]) -> float:
    return reliability(*batches).error


def members_of_bins(*batches: tuple[Tensor, Tensor]) -> dict[int, list[tuple[bool, float]]]:
    """Whether each pixel is right, and its confidence, bin by bin."""
    members: dict[int, list[tuple[bool, float]]] = {}
    for logits, mask in batches:
        odds = np.exp(logits.double().numpy().transpose(0, 2, 3, 1).reshape(-1, NUM_CLASSES))
        for each, true in zip(odds / odds.sum(axis=1, keepdims=True), mask.flatten().tolist(), strict=True):
            if true != IGNORE_INDEX:
                member = (bool(each.argmax() == true), float(each.max()))
                members.setdefault(min(int(each.max() * 15), 14), []).append(member)
    return members


def reference(*batches: tuple[Tensor, Tensor]) -> float:
    """The definition, pixel by pixel: sum over bins of |share right - mean confidence| * share of pixels."""
    members = members_of_bins(*batches)
    count = sum(map(len, members.values()))
    gaps = [abs(sum(right - confidence for right, confidence in each)) for each in members.values()]
    return sum(gaps) / count


@pytest.mark.parametrize("sharpness", [0.1, 1.0, 4.0])
def test_it_is_the_definition_and_torchmetrics(sharpness: float) -> None:
    batches = [batch(seed, sharpness) for seed in range(3)]
    theirs = MulticlassCalibrationError(NUM_CLASSES, n_bins=15, norm="l1", ignore_index=IGNORE_INDEX)
    for logits, mask in batches:
        theirs.update(logits.softmax(1), mask)
    assert error(*batches) == pytest.approx(reference(*batches), abs=1e-6)
    assert error(*batches) == pytest.approx(float(theirs.compute()), abs=1e-6)
    assert error(*batches) > 0.02


def test_bins_hold_what_is_right_and_how_sure_it_was() -> None:
    batches = [batch(seed) for seed in range(3)]
    found, members = reliability(*batches), members_of_bins(*batches)
    assert found.pixels.tolist() == [len(members.get(place, [])) for place in range(15)]
    for place, each in members.items():
        right, confidence = np.mean(each, axis=0)
        assert found.accuracy[place] == pytest.approx(right)
        assert found.confidence[place] == pytest.approx(confidence, abs=1e-6)
    assert np.isnan(found.accuracy[found.pixels == 0]).all()


def test_a_network_that_is_right_as_often_as_it_says_has_no_error() -> None:
    logits = torch.tensor([0.8, 0.2]).log().view(1, 2, 1, 1).expand(1, 2, 10, 10)
    mask = (torch.arange(100) < 20).long().view(1, 10, 10)  # 80 of 100 are class 0
    assert error((logits, mask)) == pytest.approx(0, abs=1e-6)
    assert error((logits, 1 - mask)) == pytest.approx(0.6, abs=1e-6)


def test_a_sure_network_stays_in_the_last_bin() -> None:
    logits = torch.tensor([100.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, 4, 4)  # its probability is exactly 1
    assert error((logits, torch.zeros(1, 4, 4).long())) == 0
    assert error((logits, torch.ones(1, 4, 4).long())) == 1


def test_the_order_does_not_matter_by_a_single_bit() -> None:
    batches = [batch(seed) for seed in range(5)]
    assert error(*batches) == error(*reversed(batches))


def test_of_void_alone_it_is_nan() -> None:
    logits, mask = batch(0)
    assert math.isnan(error((logits, torch.full_like(mask, IGNORE_INDEX))))


def test_torchmetrics_keeps_every_pixel_and_this_does_not() -> None:
    theirs = MulticlassCalibrationError(NUM_CLASSES, n_bins=15, norm="l1", ignore_index=IGNORE_INDEX)
    ours, known = Calibration(), 0
    for logits, mask in map(batch, range(3)):
        theirs.update(logits.softmax(1), mask)
        ours.update(*logits.softmax(1).max(1), mask)
        known += int((mask != IGNORE_INDEX).sum())
    assert sum(len(each) for each in theirs.confidences) == known
    assert ours.counts.shape == (3, 15)
