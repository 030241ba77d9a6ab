"""Loss functions, called as `criterion(logits, mask)`.

All of them compute in float32 under any autocast, ignore void pixels, return 0 with zero gradient if no pixel is
labelled, and never synchronise host and GPU. Under DDP each rank computes the loss of its own part of the batch.

Those of segmentation_models_pytorch (0.6) are not used: on a batch of void pixels its focal loss is NaN and its Lovasz
loss no scalar, both synchronise, and its Dice, Jaccard and Tversky losses count an absent class as a loss of 0 and
lose precision on the CPU (0.383 for a Dice loss of 0.390 over 8 megapixels).
"""

from collections.abc import Sequence
from math import isfinite

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seglit.class_weights import AUTO, ClassCounts, ClassWeights, Formula
from seglit.errors import InputError
from seglit.labels import IGNORE_INDEX


class Criterion(nn.Module):
    """Base class: checks shapes, computes in float32 without autocast; a subclass defines `softmax_loss` or `loss`."""

    def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Returns the loss of a batch, float32 of shape ().

        Args:
            logits: Scores before softmax, (B, C, H, W), any float dtype.
            mask: Class indices, int64 (B, H, W), void 255.

        Raises:
            InputError: The shapes do not match.
        """
        if logits.ndim != 4 or mask.shape != (logits.shape[0], *logits.shape[2:]):
            raise InputError(
                f"{type(self).__name__}: logits (B, C, H, W) and mask (B, H, W) must agree in B, H and W, "
                f"got {tuple(logits.shape)} and {tuple(mask.shape)}"
            )
        with torch.autocast(logits.device.type, enabled=False):
            return self.loss(logits.float(), mask)

    def loss(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Returns the loss, shape (), of float32 logits (B, C, H, W) and a mask (B, H, W)."""
        return self.softmax_loss(logits.log_softmax(1), mask)

    def softmax_loss(self, log_probs: Tensor, mask: Tensor) -> Tensor:
        """Returns the loss of log-probabilities (B, C, H, W), which `WeightedSum` computes once for all its terms."""
        raise NotImplementedError


class PixelCriterion(Criterion):
    """Base class of means over the labelled pixels, each weighted by its class.

    Args:
        class_weights: See `ClassWeights`; None weights all classes equally.
    """

    def __init__(self, class_weights: ClassWeights | None) -> None:
        super().__init__()
        # Not a buffer: class weights are a setting. A resumed run uses those of its command line, a checkpoint loads
        # whatever they are, and weight averaging leaves them alone.
        self.class_weights: Tensor | None = None
        self.formula: Formula | None = None  # by which `weigh` sets the weights
        if isinstance(class_weights, str):
            self.formula = AUTO if class_weights == "auto" else class_weights
        elif class_weights is not None:
            _check_weights(f"{type(self).__name__}: class_weights", class_weights)
            self.class_weights = torch.tensor(class_weights, dtype=torch.float32)

    def weigh(self, counts: ClassCounts) -> None:
        """Sets the weights from pixel counts if a formula defines them."""
        if self.formula is not None:
            self.class_weights = torch.tensor(counts.weights(self.formula), dtype=torch.float32)

    def pixel_weights(self, mask: Tensor, num_classes: int) -> Tensor:
        """Returns the weight of each pixel, float32 (B, H, W): that of its class, 0 for void.

        Raises:
            InputError: There is not one weight per channel, or a formula's weights are not set.
        """
        labelled = mask != IGNORE_INDEX
        if self.class_weights is None:
            if self.formula is not None:
                raise InputError(
                    f"{type(self).__name__}: class_weights are {self.formula!r}, but the classes are not counted: "
                    "call `weigh`, as seglit.callbacks.ClassWeighting does"
                )
            return labelled.float()
        with torch.inference_mode(False):  # training cannot use tensors that validation creates in inference mode
            self.class_weights = self.class_weights.to(mask.device)  # copies once
        if len(self.class_weights) != num_classes:
            raise InputError(
                f"{type(self).__name__}: {len(self.class_weights)} class_weights for logits of {num_classes} channels; "
                "give one weight per class"
            )
        return self.class_weights[torch.where(labelled, mask, 0)] * labelled


class CrossEntropy(PixelCriterion):
    """Cross-entropy, averaged over the labelled pixels or over the hardest of them.

    With `hardest=1` it equals `torch.nn.CrossEntropyLoss(weight, ignore_index=255, label_smoothing=...)`: a mean
    weighted by class. With less, only that fraction of the batch's labelled pixels, those with the largest weighted
    loss, is averaged: online hard example mining (Shrivastava et al., 2016).

    Args:
        class_weights: One weight per class, or a formula; see `ClassWeights`.
        label_smoothing: Share of the target spread evenly over all classes, 0 to 1 (Szegedy et al., 2016).
        hardest: Fraction of labelled pixels to average, above 0 and at most 1; at least one pixel.

    Raises:
        InputError: A value is out of range.
    """

    def __init__(
        self, class_weights: ClassWeights | None = None, label_smoothing: float = 0.0, hardest: float = 1.0
    ) -> None:
        super().__init__(class_weights)
        if not 0 <= label_smoothing <= 1:
            raise InputError(f"CrossEntropy: label_smoothing must lie between 0 and 1, got {label_smoothing}")
        if not 0 < hardest <= 1:
            raise InputError(f"CrossEntropy: hardest must be above 0 and at most 1, got {hardest}")
        self.label_smoothing = label_smoothing
        self.hardest = hardest

    def softmax_loss(self, log_probs: Tensor, mask: Tensor) -> Tensor:
        """Returns the weighted mean over the selected pixels."""
        weights = self.pixel_weights(mask, log_probs.shape[1])  # (B, H, W)
        losses = F.nll_loss(log_probs, mask, self.class_weights, ignore_index=IGNORE_INDEX, reduction="none")
        if self.label_smoothing:
            by_class = log_probs if self.class_weights is None else log_probs * self.class_weights.view(-1, 1, 1)
            losses = torch.lerp(losses, -by_class.mean(1) * (mask != IGNORE_INDEX), self.label_smoothing)
        if self.hardest < 1:
            labelled = mask != IGNORE_INDEX
            # Losses are not negative: -1 sorts void after every labelled pixel.
            order = torch.where(labelled, losses, -1.0).flatten().argsort(descending=True)  # (B * H * W,)
            count = (self.hardest * labelled.sum()).round().clamp_min(1)
            keep = torch.arange(order.numel(), device=order.device) < count
            losses, weights = losses.flatten()[order] * keep, weights.flatten()[order] * keep
        return _ratio(losses.sum(), weights.sum())


class Focal(PixelCriterion):
    """Focal loss (Lin et al., 2017, equation 4) of the softmax: the mean of -(1 - p)^gamma log p over labelled pixels.

    With `gamma=0` it is `CrossEntropy`; a larger gamma reduces the loss of pixels that are already right. (smp's
    multi-class focal loss differs: a mean of one sigmoid loss per class.)

    Args:
        gamma: The focusing exponent, not negative.
        class_weights: One weight per class, or a formula; see `ClassWeights`.

    Raises:
        InputError: A value is out of range.
    """

    def __init__(self, gamma: float = 2.0, class_weights: ClassWeights | None = None) -> None:
        super().__init__(class_weights)
        if not (isfinite(gamma) and gamma >= 0):
            raise InputError(f"Focal: gamma must be finite and not negative, got {gamma}")
        self.gamma = gamma

    def softmax_loss(self, log_probs: Tensor, mask: Tensor) -> Tensor:
        """Returns the weighted mean over the labelled pixels."""
        weights = self.pixel_weights(mask, log_probs.shape[1])  # (B, H, W)
        nll = F.nll_loss(log_probs, mask, ignore_index=IGNORE_INDEX, reduction="none")  # (B, H, W), 0 for void
        # 1 - p without cancellation; above 0, where the derivative of x^gamma is infinite for gamma < 1.
        miss = (-torch.expm1(-nll)).clamp_min(torch.finfo(nll.dtype).tiny)
        return _ratio((weights * miss**self.gamma * nll).sum(), weights.sum())


class Tversky(Criterion):
    """Tversky loss (Salehi et al., 2017): 1 - TP / (TP + alpha FP + beta FN) per class, over the whole batch.

    TP, FP and FN are sums of probabilities. The loss is the mean over the classes that occur in the batch's masks.
    alpha = beta = 0.5 is `Dice`, alpha = beta = 1 `Jaccard`; a larger beta raises the recall of rare classes.

    Args:
        alpha: Weight of false positives, not negative.
        beta: Weight of false negatives, not negative.

    Raises:
        InputError: A weight is negative, or both are 0.
    """

    def __init__(self, alpha: float, beta: float) -> None:
        super().__init__()
        _check_weights("Tversky: (alpha, beta)", (alpha, beta))
        self.alpha = alpha
        self.beta = beta

    def softmax_loss(self, log_probs: Tensor, mask: Tensor) -> Tensor:
        """Returns the mean over the classes that occur."""
        probabilities, labelled = log_probs.exp(), (mask != IGNORE_INDEX).float().unsqueeze(1)
        classes = torch.arange(log_probs.shape[1], device=mask.device).view(1, -1, 1, 1)
        target = (mask.unsqueeze(1) == classes).float()  # (B, C, H, W); products with bool are slower on a CPU
        true_positive = (probabilities * target).sum((0, 2, 3))  # (C,)
        false_positive = (probabilities * labelled).sum((0, 2, 3)) - true_positive
        size = target.sum((0, 2, 3))
        false_negative = size - true_positive
        index = _ratio(true_positive, true_positive + self.alpha * false_positive + self.beta * false_negative)
        return _mean_of_present(1 - index, size > 0)


class Dice(Tversky):
    """Soft Dice loss (Milletari et al., 2016, unsquared): 1 - 2 TP / (2 TP + FP + FN) per class; see `Tversky`."""

    def __init__(self) -> None:
        super().__init__(alpha=0.5, beta=0.5)


class Jaccard(Tversky):
    """Soft Jaccard (IoU) loss: 1 - TP / (TP + FP + FN) per class; see `Tversky`."""

    def __init__(self) -> None:
        super().__init__(alpha=1.0, beta=1.0)


class Lovasz(Criterion):
    """Lovasz-softmax loss (Berman et al., 2018): the convex extension of the Jaccard loss, over the whole batch.

    The mean over the classes that occur in the batch's masks, as the paper recommends.
    """

    def softmax_loss(self, log_probs: Tensor, mask: Tensor) -> Tensor:
        """Returns the mean over the classes that occur."""
        probabilities = log_probs.exp().transpose(0, 1).flatten(1)  # (C, B * H * W)
        mask = mask.flatten()  # (B * H * W,)
        labelled = mask != IGNORE_INDEX
        losses = torch.stack([_lovasz_class(probs, mask == c, labelled) for c, probs in enumerate(probabilities)])
        present = torch.stack([(mask == c).any() for c in range(len(probabilities))])
        return _mean_of_present(losses, present)


class WeightedSum(Criterion):
    """A weighted sum of criteria, such as cross-entropy + Dice.

    A term is any module called as `term(logits, mask)` with float32 logits, PyTorch's losses included (which need
    `ignore_index: 255`). Criteria that define `softmax_loss` alone share one softmax, and are not called.

    Args:
        terms: The criteria.
        weights: One weight per term, none negative.

    Raises:
        InputError: There are not as many weights as terms, a weight is negative or not finite, or all are 0.
    """

    def __init__(self, terms: list[nn.Module], weights: list[float]) -> None:
        super().__init__()
        if len(terms) != len(weights):
            raise InputError(f"WeightedSum: {len(terms)} terms but {len(weights)} weights; give one weight per term")
        _check_weights("WeightedSum: weights", weights)
        self.terms = nn.ModuleList(terms)
        self.weights = weights

    def loss(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Returns the sum of weight times term."""
        log_probs, losses = logits.log_softmax(1), []
        inherited = Criterion.forward, Criterion.loss
        for weight, term in zip(self.weights, self.terms, strict=True):
            if isinstance(term, Criterion) and (type(term).forward, type(term).loss) == inherited:
                losses.append(weight * term.softmax_loss(log_probs, mask))
            else:
                losses.append(weight * term(logits, mask))
        return torch.stack(losses).sum()


def _lovasz_class(probability: Tensor, foreground: Tensor, labelled: Tensor) -> Tensor:
    """Lovasz extension of one class's Jaccard loss (Berman et al., 2018, algorithm 1 and equation 8).

    With errors in descending order, the weight of an error is the increase of the Jaccard loss 1 - I/U when that pixel
    becomes wrong: 1/U for foreground, I / (U (U - 1)) for background, with I and U counted after it. Computed from
    integers, no nearly equal float32 values are subtracted. Void has error 0 and comes last, so it has no effect.
    """
    errors = torch.where(labelled, (foreground.float() - probability).abs(), 0.0)  # (P,)
    errors, order = errors.sort(descending=True)
    foreground, background = foreground[order], ~foreground[order]
    size = foreground.sum()
    intersection = size - foreground.cumsum(0)
    union = size + background.cumsum(0)  # at least 2 at a background pixel of a class that occurs
    weights = foreground / union.clamp_min(1) + background * intersection / (union * (union - 1)).clamp_min(1)
    return (errors * weights).sum()


def _ratio(total: Tensor, count: Tensor) -> Tensor:
    """Returns total / count, or 0 with zero gradient if count is 0."""
    return total / torch.where(count > 0, count, 1)


def _mean_of_present(losses: Tensor, present: Tensor) -> Tensor:
    """Returns the mean of the losses (C,) of the classes that occur, bool (C,); 0 if none occurs."""
    return _ratio((losses * present).sum(), present.sum())


def _check_weights(what: str, weights: Sequence[float]) -> None:
    if not all(isfinite(weight) and weight >= 0 for weight in weights) or not any(weights):
        raise InputError(f"{what} must be finite, not negative and not all 0, got {list(weights)}")
