"""Parameter groups (learning rate, weight decay), optimizer and learning rate schedule."""

import re
from collections.abc import Callable, Iterable
from typing import Any

from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from seglit.errors import InputError
from seglit.networks.encoder_layers import encoder_of, find_encoder, layer_lr_factors

# `_NormBase` is the base of all batch and instance norms; PyTorch has no public class of norm layers.
NORM_LAYERS = (_NormBase, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)

NO_DECAY = re.compile(r"(bias|gamma(_\d)?|pos_embed\w*|_tokens?)$")  # biases, layer scale, positions, tokens


def parameter_groups(
    network: nn.Module, encoder_lr_factor: float = 1.0, layer_decay: float = 1.0
) -> list[dict[str, Any]]:
    """Splits parameters into groups: encoder or decoder, with or without weight decay.

    `NO_DECAY` and normalisation layers get no weight decay (He et al., 2019, section 3.1). The groups include frozen
    parameters, which may be unfrozen later.

    Args:
        network: The network.
        encoder_lr_factor: Factor on the learning rate of the network's `encoder`, above 0.
        layer_decay: Further factor between neighbouring blocks of the encoder, see `layer_lr_factors`; 1 is none.

    Returns:
        The groups, each with `params`, `name` (`encoder/decay`, `encoder/no_decay`, `decoder/decay`,
        `decoder/no_decay`; `network/...` without an encoder; with `layer_decay`, `encoder/decay/<factor>`),
        `lr_factor` and, without decay, `weight_decay` 0. A shared parameter is in one group only.

    Raises:
        InputError: A factor is out of range, or it is not 1 and the network has no suitable encoder.
    """
    if not encoder_lr_factor > 0:
        raise InputError(f"encoder_lr_factor must be above 0, got {encoder_lr_factor}")
    module = encoder_of(network) if encoder_lr_factor == layer_decay == 1 else find_encoder(network)
    encoder = set(module.parameters()) if module else set()
    layers = layer_lr_factors(module, layer_decay) if module and layer_decay != 1 else {}
    norms = {p for layer in network.modules() if isinstance(layer, NORM_LAYERS) for p in layer.parameters()}

    groups: dict[str, dict[str, Any]] = {}
    for name, parameter in network.named_parameters():  # a shared parameter once
        part, lr_factor = ("encoder", encoder_lr_factor) if parameter in encoder else ("decoder", 1.0)
        kind = "no_decay" if NO_DECAY.search(name) or parameter in norms else "decay"
        key = f"{part if encoder else 'network'}/{kind}" + (f"/{layers[parameter]:.6g}" if parameter in layers else "")
        group = groups.setdefault(key, {"name": key, "params": [], "lr_factor": lr_factor * layers.get(parameter, 1.0)})
        group["params"].append(parameter)
        if kind == "no_decay":
            group["weight_decay"] = 0.0
    return list(groups.values())


def configure_optimization(
    groups: list[dict[str, Any]],
    optimizer: Callable[[Iterable[Any]], Optimizer],
    scheduler: Callable[[Optimizer, int], LRScheduler] | None,
    total_steps: float,
) -> OptimizerLRScheduler:
    """Builds optimizer and schedule as `LightningModule.configure_optimizers` returns them.

    Args:
        groups: What `parameter_groups` returns.
        optimizer: Called with the groups.
        scheduler: Called with the optimizer and `total_steps` as positional arguments (`WarmupPolynomial`, PyTorch's
            `PolynomialLR`, `CosineAnnealingLR`, ...); stepped after every optimizer step.
        total_steps: Number of optimizer steps of the run: Lightning's `estimated_stepping_batches`.

    Raises:
        InputError: There is a schedule and the run has no end or no step.
    """
    built = optimizer(groups)
    # Else a fused optimizer would divide gradients by the scale of 16-mixed in its step, after they are clipped.
    built._step_supports_amp_scaling = False  # type: ignore[attr-defined]
    for group in built.param_groups:
        group["lr"] = group["lr"] * group["lr_factor"]
    if scheduler is None:
        return {"optimizer": built}
    if not 0 < total_steps < float("inf"):
        raise InputError(f"model.scheduler: a run of {total_steps} steps; set trainer.max_epochs or max_steps")
    return {"optimizer": built, "lr_scheduler": {"scheduler": scheduler(built, int(total_steps)), "interval": "step"}}


class WarmupPolynomial(LambdaLR):
    """Linear warm-up, then polynomial decay to 0 ("poly", Chen et al., DeepLab, 2017, section 4.1.2).

    The learning rate of step s (from 0) is the base learning rate times (s + 1) / (warmup_steps + 1) during warm-up,
    then times (1 - t)^power, with t from 0 at the first step after warm-up to 1 at the end of the run; no step's is 0.

    The length of the run is not saved in checkpoints: a resumed run follows the schedule of its own `max_epochs`.

    Args:
        optimizer: The optimizer.
        total_steps: Number of optimizer steps of the run.
        warmup_steps: Number of warm-up steps.
        power: Exponent of the decay, above 0; 1 is linear.

    Raises:
        InputError: A value is out of range.
    """

    def __init__(self, optimizer: Optimizer, total_steps: int, warmup_steps: int = 0, power: float = 0.9) -> None:
        if total_steps < 1 or warmup_steps < 0 or not power > 0:
            raise InputError(
                "WarmupPolynomial: total_steps must be at least 1, warmup_steps not negative and power above 0, "
                f"got {total_steps}, {warmup_steps} and {power}"
            )

        # A function: LambdaLR saves the attributes of callable objects in checkpoints, but not those of functions.
        def factor(step: int) -> float:
            if step < warmup_steps:
                return (step + 1) / (warmup_steps + 1)
            if step >= total_steps:
                return 0.0  # after the last step
            return float((1 - (step - warmup_steps) / (total_steps - warmup_steps)) ** power)

        super().__init__(optimizer, factor)
