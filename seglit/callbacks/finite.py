"""Ends a training whose loss, gradients or weights are no longer finite."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.precision import MixedPrecision
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor
from torch.distributed.tensor import DTensor
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

from seglit.errors import RunError
from seglit.runs.logged_steps import is_logged_step

_MAX_NAMED = 8  # images
_SMALLEST_SCALE = 1.0  # of 16-mixed; gradients that are infinite at a smaller one are not so by the scale


@dataclass
class _Step:
    """Losses and gradient norm of an optimizer step, on the device, and what a message names.

    Args:
        number: Number of optimizer steps, with this one.
        names: Names of the images of each batch that the step accumulates.
        losses: Loss of each batch.
        norm: Norm of the gradients before clipping.
        rates: Learning rate of each parameter group.
    """

    number: int
    names: list[list[str]]
    losses: list[Tensor]
    norm: Tensor
    rates: list[float]


class Finite(pl.Callback):
    """Ends the training at a loss, a gradient or a weight that is NaN or infinite, before it is saved or validated.

    Loss and gradient norm of each step stay on the device. The host reads them where the loss is logged, before a
    validation, at the end of an epoch and before a checkpoint is saved. Gradients that 16-bit precision makes infinite
    skip their step and lower the scale, as usual, and end the training only if a scale of 1 is still too large.

    It must follow callbacks that change the weights in checkpoints, such as `WeightAveraging`.
    """

    def __init__(self) -> None:
        self._steps: list[_Step] = []  # since the last check
        self._last = "none"
        self._start_step()

    def _start_step(self) -> None:
        self._names: list[list[str]] = []
        self._losses: list[Tensor] = []
        self._norm: Tensor | None = None
        self._rates: list[float] = []

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        """Computes the gradient norm, without reading it."""
        self._norm = get_total_norm([weight.grad for weight in pl_module.parameters() if weight.grad is not None])
        self._rates = [group["lr"] for group in optimizer.param_groups]

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Notes the loss, and checks all values since the last check if the loss is logged."""
        self._names.append(batch["name"])
        self._losses.append(outputs["loss"] * trainer.accumulate_grad_batches)  # by which Lightning has divided it
        if self._norm is not None:
            self._steps.append(_Step(trainer.global_step, self._names, self._losses, self._norm, self._rates))
            self._start_step()
            if is_logged_step(trainer):
                self._check(trainer, pl_module)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Checks before the weights are scored."""
        if trainer.state.fn == TrainerFn.FITTING and not trainer.sanity_checking:
            self._check(trainer, pl_module)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Checks before a callback saves the weights alone."""
        self._check(trainer, pl_module)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Checks before a checkpoint is written; weights that were averaged for it as well."""
        self._check(trainer, pl_module, checkpoint["state_dict"])

    def _check(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, saved: Mapping[str, Tensor] | None = None
    ) -> None:
        """Reads all values; called on all ranks.

        Raises:
            RunError: One is not finite, here or on another rank.
        """
        # all are read even if one is not finite: of sharded weights, ranks read each other's
        messages = [self._read_steps(trainer), _describe_weights(pl_module, saved or {})]
        message = next(filter(None, messages), "")
        if not trainer.strategy.reduce_boolean_decision(not message, all=True):
            raise RunError(
                f"training stopped after step {trainer.global_step}: {message or 'not finite on another rank'}; last "
                f"finite: {self._last}. These weights are not saved. Try a lower --model.optimizer.init_args.lr; "
                "--trainer.detect_anomaly true names the operation"
            )

    def _read_steps(self, trainer: pl.Trainer) -> str:
        """Reads loss and norm of all steps since the last check; describes the first that is not finite."""
        steps, self._steps = self._steps, []
        if not steps:
            return ""
        read = torch.stack([_whole(value).float() for step in steps for value in (*step.losses, step.norm)]).tolist()
        scaled = _is_scaled(trainer)
        for step in steps:
            losses, norm, read = read[: len(step.losses)], read[len(step.losses)], read[len(step.losses) + 1 :]
            bad = [index for index, loss in enumerate(losses) if not math.isfinite(loss)]
            if bad:
                return f"the loss is {losses[bad[0]]} in {_describe(step, step.names[bad[0]], norm)}"
            if not (math.isfinite(norm) or scaled):
                return f"gradients are not finite in {_describe(step, [*chain(*step.names)], norm)}"
            self._last = f"step {step.number} (loss {sum(losses) / len(losses):.4g}, gradient norm {norm:.4g})"
        return ""


def _describe(step: _Step, names: Sequence[str], norm: float) -> str:
    rest = f" and {len(names) - _MAX_NAMED} others" if len(names) > _MAX_NAMED else ""
    rates = ", ".join(f"{float(rate):.4g}" for rate in dict.fromkeys(step.rates))
    images = f"images {', '.join(names[:_MAX_NAMED])}{rest}"
    return f"step {step.number} ({images}; gradient norm {norm:.4g}, learning rate {rates})"


def _describe_weights(pl_module: pl.LightningModule, saved: Mapping[str, Tensor]) -> str:
    """Names the first weight that is not finite; buffers may be infinite, as masks of attention are, but not NaN."""
    weights = dict(pl_module.named_parameters())
    buffers = {name: value for name, value in pl_module.named_buffers() if name not in weights}
    saved_weights = {name: value for name, value in saved.items() if name in weights}
    saved_buffers = {name: value for name, value in saved.items() if name not in weights}
    for tensors, is_bad in (
        (weights, _is_not_finite),
        (buffers, math.isnan),
        (saved_weights, _is_not_finite),
        (saved_buffers, math.isnan),
    ):
        if is_bad(_largest(tensors.values())):
            names = [name for name, value in tensors.items() if is_bad(_largest([value]))]
            others = f", nor are {len(names) - 1} other weights and buffers" if len(names) > 1 else ""
            return f"{names[0]} is not finite{others}"
    return ""


def _is_not_finite(value: float) -> bool:
    return not math.isfinite(value)


def _largest(tensors: Iterable[Tensor]) -> float:
    """The largest absolute value; NaN if there is one."""
    floats = [tensor for tensor in tensors if tensor.is_floating_point() and tensor.numel()]
    return float(_whole(get_total_norm(floats, torch.inf)))


def _whole(value: Tensor) -> Tensor:
    """A value that is computed of sharded weights, of all ranks."""
    return value.full_tensor() if isinstance(value, DTensor) else value


def _is_scaled(trainer: pl.Trainer) -> bool:
    """Whether 16-bit gradients may be infinite by their scale, which is then lowered."""
    plugin = trainer.precision_plugin
    scaler = plugin.scaler if isinstance(plugin, MixedPrecision) else None
    return scaler is not None and scaler.get_scale() >= _SMALLEST_SCALE
