"""Expected calibration error matches NumPy and torchmetrics, without storing every pixel."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import Tensor
from torchmetrics.classification import MulticlassCalibrationError

from seglit.evaluation.calibration import Calibration, Reliability
from seglit.evaluation.image_pair import ImagePair, image_pairs
from seglit.labels import IGNORE_INDEX

NUM_CLASSES = 5


def batch(seed: int, sharpness: float = 2.0) -> tuple[Tensor, Tensor]:
    """Logits (2, 5, 17, 13), more confident the higher the sharpness, and a mask with void."""
    generator = torch.Generator().manual_seed(seed)
    logits = sharpness * torch.randn(2, NUM_CLASSES, 17, 13, generator=generator)
    mask = torch.where(
        torch.rand(2, 17, 13, generator=generator) < 0.5,
        logits.argmax(1),
        torch.randint(NUM_CLASSES, (2, 17, 13), generator=generator),
    )
    mask[torch.rand(mask.shape, generator=generator) < 0.2] = IGNORE_INDEX
    return logits, mask.to(torch.uint8)


def count(metric: Calibration, logits: Tensor, mask: Tensor) -> None:
    confidence, preds = logits.softmax(1).max(1)
    for image, image_confidence in zip(image_pairs(preds, mask), confidence.numpy(), strict=True):
        metric.update(image, image_confidence)


def reliability(*batches: tuple[Tensor, Tensor]) -> Reliability:
    metric = Calibration()
    for logits, mask in batches:
        count(metric, logits, mask)
    return metric.compute()


def error(*batches: tuple[Tensor, Tensor]) -> float:
    return reliability(*batches).error


def members_of_bins(*batches: tuple[Tensor, Tensor]) -> dict[int, list[tuple[bool, float]]]:
    """Whether each pixel is correct, and its confidence, by bin."""
    members: dict[int, list[tuple[bool, float]]] = {}
    for logits, mask in batches:
        odds = np.exp(logits.double().numpy().transpose(0, 2, 3, 1).reshape(-1, NUM_CLASSES))
        probabilities = odds / odds.sum(axis=1, keepdims=True)
        for pixel, target in zip(probabilities, mask.flatten().tolist(), strict=True):
            if target != IGNORE_INDEX:
                member = (bool(pixel.argmax() == target), float(pixel.max()))
                members.setdefault(min(int(pixel.max() * 15), 14), []).append(member)
    return members


def reference(*batches: tuple[Tensor, Tensor]) -> float:
    """The definition: sum over bins of |accuracy - mean confidence| * share of pixels."""
    members = members_of_bins(*batches)
    count = sum(map(len, members.values()))
    gaps = [abs(sum(correct - confidence for correct, confidence in pixels)) for pixels in members.values()]
    return sum(gaps) / count


@pytest.mark.parametrize("sharpness", [0.1, 1.0, 4.0])
def test_error_equals_definition_and_torchmetrics(sharpness: float) -> None:
    batches = [batch(seed, sharpness) for seed in range(3)]
    torchmetrics = MulticlassCalibrationError(NUM_CLASSES, n_bins=15, norm="l1", ignore_index=IGNORE_INDEX)
    for logits, mask in batches:
        torchmetrics.update(logits.softmax(1), mask)
    assert error(*batches) == pytest.approx(reference(*batches), abs=1e-6)
    assert error(*batches) == pytest.approx(float(torchmetrics.compute()), abs=1e-6)
    assert error(*batches) > 0.02


def test_accuracy_and_confidence_of_bins() -> None:
    batches = [batch(seed) for seed in range(3)]
    bins, members = reliability(*batches), members_of_bins(*batches)
    assert bins.pixels.tolist() == [len(members.get(index, [])) for index in range(15)]
    for index, pixels in members.items():
        accuracy, confidence = np.mean(pixels, axis=0)
        assert bins.accuracy[index] == pytest.approx(accuracy)
        assert bins.confidence[index] == pytest.approx(confidence, abs=1e-6)
    assert np.isnan(bins.accuracy[bins.pixels == 0]).all()


def test_calibrated_network_has_no_error() -> None:
    logits = torch.tensor([0.8, 0.2]).log().view(1, 2, 1, 1).expand(1, 2, 10, 10)
    mask = (torch.arange(100) < 20).long().view(1, 10, 10)  # 80 of 100 are class 0
    assert error((logits, mask)) == pytest.approx(0, abs=1e-6)
    assert error((logits, 1 - mask)) == pytest.approx(0.6, abs=1e-6)


def test_confidence_of_one_is_in_the_last_bin() -> None:
    logits = torch.tensor([100.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, 4, 4)  # a confidence of exactly 1
    assert error((logits, torch.zeros(1, 4, 4).long())) == 0
    assert error((logits, torch.ones(1, 4, 4).long())) == 1


def test_nan_counts_without_a_warning() -> None:
    metric, correct = Calibration(), np.zeros((1, 2), np.uint8)  # its image is rejected after the split
    metric.update(ImagePair(correct, correct), np.array([[np.nan, 0.5]], np.float32))
    assert metric.counts[0].sum() == 2


def test_bins_include_their_lower_ends_exactly() -> None:
    values = [np.float32(index / 15) for index in range(1, 15)]
    values = [near for value in values for near in (np.nextafter(value, np.float32(0)), value, np.nextafter(value, 1))]
    for value in values:
        metric, correct = Calibration(), np.zeros((1, 1), np.uint8)
        metric.update(ImagePair(correct, correct), np.array([[value]]))
        assert metric.counts[0].tolist().index(1) == math.floor(Fraction(float(value)) * 15)


def test_order_of_batches_does_not_change_a_bit() -> None:
    batches = [batch(seed) for seed in range(5)]
    assert error(*batches) == error(*reversed(batches))


def test_error_of_void_is_nan() -> None:
    logits, mask = batch(0)
    assert math.isnan(error((logits, torch.full_like(mask, IGNORE_INDEX))))


def test_stores_bins_where_torchmetrics_stores_every_pixel() -> None:
    torchmetrics = MulticlassCalibrationError(NUM_CLASSES, n_bins=15, norm="l1", ignore_index=IGNORE_INDEX)
    calibration, labelled = Calibration(), 0
    for logits, mask in map(batch, range(3)):
        torchmetrics.update(logits.softmax(1), mask)
        count(calibration, logits, mask)
        labelled += int((mask != IGNORE_INDEX).sum())
    assert sum(len(confidences) for confidences in torchmetrics.confidences) == labelled
    assert calibration.counts.shape == (3, 15)
