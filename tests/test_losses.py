"""Every criterion against a NumPy reference in float64, and properties common to all criteria."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from seglit.errors import InputError
from seglit.labels import IGNORE_INDEX
from seglit.losses import Criterion, CrossEntropy, Dice, Focal, Jaccard, Lovasz, Tversky, WeightedSum

Array = NDArray[np.float64]
Reference = Callable[[Array, NDArray[np.int64]], float]
NUM_CLASSES = 4
CLASS_WEIGHTS = [0.5, 2.0, 1.0, 0.25]


def pixels(logits: Array, mask: NDArray[np.int64]) -> tuple[Array, NDArray[np.int64]]:
    """Log-probabilities (P, C) and classes (P,) of the labelled pixels."""
    logits, labels = np.moveaxis(logits, 1, -1)[mask != IGNORE_INDEX], mask[mask != IGNORE_INDEX]
    logits = logits - logits.max(1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(1, keepdims=True)), labels


def cross_entropy(weights: list[float] | None = None, smoothing: float = 0.0, hardest: float = 1.0) -> Reference:
    def reference(logits: Array, mask: NDArray[np.int64]) -> float:
        log_p, labels = pixels(logits, mask)
        w = np.ones(NUM_CLASSES) if weights is None else np.array(weights)
        losses = (1 - smoothing) * w[labels] * -log_p[np.arange(len(labels)), labels] - smoothing * (w * log_p).mean(1)
        kept = np.argsort(-losses)[: max(1, round(hardest * len(labels)))]
        return float(losses[kept].sum() / w[labels][kept].sum())

    return reference


def focal(gamma: float, weights: list[float] | None = None) -> Reference:
    def reference(logits: Array, mask: NDArray[np.int64]) -> float:
        log_p, labels = pixels(logits, mask)
        w = (np.ones(NUM_CLASSES) if weights is None else np.array(weights))[labels]
        log_p = log_p[np.arange(len(labels)), labels]
        return float((w * (1 - np.exp(log_p)) ** gamma * -log_p).sum() / w.sum())

    return reference


def tversky(alpha: float, beta: float) -> Reference:
    def reference(logits: Array, mask: NDArray[np.int64]) -> float:
        log_p, labels = pixels(logits, mask)
        p, y = np.exp(log_p), np.eye(NUM_CLASSES)[labels]
        true, false_positive, false_negative = (p * y).sum(0), (p * (1 - y)).sum(0), ((1 - p) * y).sum(0)
        losses = 1 - true / (true + alpha * false_positive + beta * false_negative)
        return float(losses[y.sum(0) > 0].mean())

    return reference


def lovasz(logits: Array, mask: NDArray[np.int64]) -> float:
    log_p, labels = pixels(logits, mask)
    losses = []
    for c in np.unique(labels):
        error, target = np.abs((labels == c) - np.exp(log_p[:, c])), labels == c
        order = np.argsort(-error)
        wrong = np.arange(1, len(labels) + 1)  # the set of the k pixels of largest error, made wrong
        missed, false = np.cumsum(target[order]), wrong - np.cumsum(target[order])
        jaccard = 1 - (target.sum() - missed) / (target.sum() + false)
        losses.append((error[order] * np.diff(jaccard, prepend=0)).sum())
    return float(np.mean(losses))


def weighted(logits: Array, mask: NDArray[np.int64]) -> float:
    return 2 * cross_entropy()(logits, mask) + 0.5 * tversky(0.5, 0.5)(logits, mask)


CRITERIA: dict[str, tuple[nn.Module, Reference]] = {
    "cross_entropy": (CrossEntropy(), cross_entropy()),
    "cross_entropy_weighted": (CrossEntropy(CLASS_WEIGHTS, 0.1), cross_entropy(CLASS_WEIGHTS, 0.1)),
    "cross_entropy_hardest": (CrossEntropy(hardest=0.25), cross_entropy(hardest=0.25)),
    "cross_entropy_all": (
        CrossEntropy(CLASS_WEIGHTS, 0.1, hardest=0.25),
        cross_entropy(CLASS_WEIGHTS, 0.1, hardest=0.25),
    ),
    "focal": (Focal(), focal(2.0)),
    "focal_weighted": (Focal(0.5, CLASS_WEIGHTS), focal(0.5, CLASS_WEIGHTS)),
    "dice": (Dice(), tversky(0.5, 0.5)),
    "jaccard": (Jaccard(), tversky(1.0, 1.0)),
    "tversky": (Tversky(0.3, 0.7), tversky(0.3, 0.7)),
    "lovasz": (Lovasz(), lovasz),
    "weighted_sum": (WeightedSum([CrossEntropy(), Dice()], [2.0, 0.5]), weighted),
}
every_criterion = pytest.mark.parametrize("criterion", [c for c, _ in CRITERIA.values()], ids=CRITERIA.keys())


def batch(seed: int, num_classes: int = NUM_CLASSES, void: float = 0.2) -> tuple[Tensor, Tensor]:
    """Random logits (2, C, 9, 7) that require a gradient, and a mask with the given share of void."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(2, NUM_CLASSES, 9, 7, generator=generator)
    mask = torch.randint(0, num_classes, (2, 9, 7), generator=generator)
    mask[torch.rand(mask.shape, generator=generator) < void] = IGNORE_INDEX
    return logits.requires_grad_(), mask


def gradient(criterion: nn.Module, logits: Tensor, mask: Tensor) -> Tensor:
    (grad,) = torch.autograd.grad(criterion(logits, mask), logits)
    return grad


@pytest.mark.parametrize(("criterion", "reference"), CRITERIA.values(), ids=CRITERIA.keys())
@pytest.mark.parametrize("present", [NUM_CLASSES, 2], ids=["all_classes", "absent_classes"])
@pytest.mark.parametrize("seed", range(3))
def test_value_and_gradient_equal_the_reference(
    criterion: nn.Module, reference: Reference, present: int, seed: int
) -> None:
    logits, mask = batch(seed, present)
    values, labels = logits.detach().double().numpy(), mask.numpy()
    loss = criterion(logits, mask)
    assert loss.shape == ()
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(reference(values, labels), rel=1e-5)

    direction = np.random.default_rng(seed).standard_normal(values.shape)
    step = 1e-6 * direction
    slope = (reference(values + step, labels) - reference(values - step, labels)) / 2e-6
    along = (gradient(criterion, logits, mask).double().numpy() * direction).sum()
    assert along == pytest.approx(slope, rel=1e-3, abs=1e-5)


@every_criterion
def test_void_has_no_influence(criterion: nn.Module) -> None:
    logits, mask = batch(0)
    void = (mask == IGNORE_INDEX).unsqueeze(1).expand_as(logits)
    assert gradient(criterion, logits, mask)[void].abs().max() == 0
    other = torch.where(void, 50 * torch.randn_like(logits), logits)
    assert torch.equal(criterion(logits, mask), criterion(other, mask))


@every_criterion
def test_loss_of_void_is_zero(criterion: nn.Module) -> None:
    logits, mask = batch(0, void=1.0)
    assert criterion(logits, mask).item() == 0
    assert torch.equal(gradient(criterion, logits, mask), torch.zeros_like(logits))


@every_criterion
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_loss_is_the_same_under_autocast(criterion: nn.Module, dtype: torch.dtype) -> None:
    logits, mask = batch(0)
    low = logits.detach().to(dtype)
    with torch.autocast("cpu", dtype=dtype):
        loss = criterion(low, mask)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, criterion(low.float(), mask))


@every_criterion
def test_extreme_logits_stay_finite(criterion: nn.Module) -> None:
    logits, mask = batch(0)
    logits = (1e4 * logits.detach()).requires_grad_()
    assert criterion(logits, mask).isfinite()
    assert gradient(criterion, logits, mask).isfinite().all()


@every_criterion
def test_no_host_synchronisation(criterion: nn.Module) -> None:
    with FakeTensorMode(allow_non_fake_inputs=True):  # tensors without values: reading one raises
        logits = torch.zeros(2, NUM_CLASSES, 8, 8, requires_grad=True)
        loss = criterion(logits, torch.zeros(2, 8, 8, dtype=torch.long))
        loss.backward()
    assert loss.shape == ()


def test_dice_of_a_megapixel_in_half_precision_is_exact() -> None:
    logits = torch.zeros(1, 2, 1024, 1024, dtype=torch.float16)
    logits[:, 0, :512] = 1
    mask = torch.zeros(1, 1024, 1024, dtype=torch.long)
    mask[:, 512:] = 1
    p = np.exp(1) / (1 + np.exp(1))
    expected = 1 - np.mean([2 * p / (p + 0.5 + 1), 2 * 0.5 / (0.5 + 1 - p + 1)])
    assert Dice()(logits, mask).item() == pytest.approx(expected, rel=1e-5)


def test_hardest_never_counts_void_among_perfect_pixels() -> None:
    logits = torch.zeros(1, 2, 1, 10)
    logits[0, 0, 0] = 1000.0  # certain of class 0 ...
    logits[0, 0, 0, 9] = 0.0  # ... but for one pixel
    mask = torch.zeros(1, 1, 10, dtype=torch.long)
    mask[..., :4] = IGNORE_INDEX
    assert CrossEntropy(hardest=0.5)(logits, mask).item() == pytest.approx(np.log(2) / 3)


def test_terms_run_in_float32_outside_of_autocast() -> None:
    class Smoothness(nn.Module):
        def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
            return (logits.flatten(1) @ logits.flatten(1).T).sum() + mask.sum()  # autocast would take @ in bfloat16

    logits, mask = batch(0)
    criterion = WeightedSum([Smoothness()], [1.0])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = criterion(logits, mask)
    assert torch.equal(loss, criterion(logits, mask))


def test_terms_with_a_loss_of_their_own_get_the_logits() -> None:
    class LogitNorm(Criterion):
        def loss(self, logits: Tensor, mask: Tensor) -> Tensor:
            return logits.square().mean()

    class NormedDice(Dice):
        def loss(self, logits: Tensor, mask: Tensor) -> Tensor:
            return super().loss(logits, mask) + logits.square().mean()

    logits, mask = batch(0)
    loss = WeightedSum([LogitNorm(), NormedDice(), Dice()], [2.0, 3.0, 4.0])(logits, mask)
    torch.testing.assert_close(loss, 5 * logits.square().mean() + 7 * Dice()(logits, mask))


def test_cross_entropy_is_pytorchs() -> None:
    logits, mask = batch(1)
    weight = torch.tensor(CLASS_WEIGHTS)
    expected = nn.CrossEntropyLoss(weight, ignore_index=IGNORE_INDEX, label_smoothing=0.1)(logits, mask)
    torch.testing.assert_close(CrossEntropy(CLASS_WEIGHTS, 0.1)(logits, mask), expected)


def test_class_weights_stay_out_of_the_checkpoint() -> None:
    assert not CrossEntropy(CLASS_WEIGHTS).state_dict()
    assert not Focal(class_weights=CLASS_WEIGHTS).state_dict()


@pytest.mark.parametrize(
    ("build", "match"),
    [
        (lambda: CrossEntropy(hardest=0.0), "hardest"),
        (lambda: CrossEntropy(hardest=1.5), "hardest"),
        (lambda: CrossEntropy(label_smoothing=-0.1), "label_smoothing"),
        (lambda: CrossEntropy([1.0, -1.0]), "class_weights"),
        (lambda: Focal(gamma=-1.0), "gamma"),
        (lambda: Focal(class_weights=[0.0, 0.0]), "class_weights"),
        (lambda: Tversky(-0.1, 0.5), "alpha"),
        (lambda: Tversky(0.0, 0.0), "alpha"),
        (lambda: WeightedSum([Dice()], [1.0, 2.0]), "1 terms but 2 weights"),
        (lambda: WeightedSum([Dice()], [float("nan")]), "weights"),
        (lambda: CrossEntropy([1.0, 1.0])(*batch(0)), "2 class_weights for logits of 4 channels"),
        (lambda: Dice()(torch.zeros(1, 2, 4, 4), torch.zeros(1, 4, 5, dtype=torch.long)), "must agree"),
        (lambda: Dice()(torch.zeros(1, 2, 4, 4), torch.zeros(1, 1, 4, 4, dtype=torch.long)), "must agree"),
    ],
)
def test_bad_input_is_one_line(build: Callable[[], object], match: str) -> None:
    with pytest.raises(InputError, match=match) as error:
        build()
    assert "\n" not in str(error.value)


class Halved(CrossEntropy):
    def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
        return super().forward(logits / 2, mask)


def test_sum_calls_criteria_that_override_forward() -> None:
    logits, mask = torch.randn(2, 3, 4, 5), torch.randint(3, (2, 4, 5))
    expected = nn.functional.cross_entropy(logits / 2, mask)
    assert WeightedSum([Halved()], [1.0])(logits, mask).item() == pytest.approx(expected.item())
