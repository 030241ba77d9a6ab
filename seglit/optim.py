"""How a network is optimised: which parameters go by which learning rate and weight decay, and the schedule."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from seglit.errors import InputError

# Batch and instance normalisation of all dimensions share `_NormBase`; PyTorch has no public name for "a norm layer".
NORM_LAYERS = (_NormBase, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)


RUN_LENGTH = ("total_steps", "total_iters", "T_max", "num_training_steps")
"""What schedules call the parameter that is the number of optimizer steps of the whole run."""


def find_encoder(network: nn.Module) -> nn.Module:
    """The part of a network named `encoder`, as the networks of seglit and of segmentation_models_pytorch have it.

    Raises:
        InputError: The network has none.
    """
    encoder = getattr(network, "encoder", None)
    if not isinstance(encoder, nn.Module):
        parts = ", ".join(name for name, _ in network.named_children())
        raise InputError(f"{type(network).__name__} has no part named 'encoder'; its parts are: {parts}")
    return encoder


def parameter_groups(network: nn.Module, encoder_lr_factor: float = 1.0) -> list[dict[str, Any]]:
    """Splits a network's parameters into groups for an optimizer: encoder or not, with weight decay or without.

    Biases and the parameters of normalisation layers take no weight decay (He et al., 2019, section 3.1). The groups
    are the same for any `encoder_lr_factor`, so that a run can be resumed with another, and they hold frozen parameters
    too, so that these can be unfrozen later.

    Args:
        network: The network. What lies under its `encoder` is the encoder.
        encoder_lr_factor: What to multiply the encoder's learning rate with, above 0.

    Returns:
        The groups that are not empty, each with `params`, `name` (`encoder/decay`, `encoder/no_decay`, `decoder/decay`,
        `decoder/no_decay`; without an encoder `network/...`; shown by Lightning's `LearningRateMonitor`), `lr_factor`
        and, where there is to be no decay, `weight_decay` 0. A shared parameter is in one group only.

    Raises:
        InputError: The factor is not above 0, or is not 1 and the network has no encoder.
    """
    if not encoder_lr_factor > 0:
        raise InputError(f"encoder_lr_factor must be above 0, got {encoder_lr_factor}")
    encoder: set[nn.Parameter] = set()
    if encoder_lr_factor != 1 or isinstance(getattr(network, "encoder", None), nn.Module):
        encoder = set(find_encoder(network).parameters())
    norms = {p for layer in network.modules() if isinstance(layer, NORM_LAYERS) for p in layer.parameters()}

    rest = "decoder" if encoder else "network"
    groups: dict[str, dict[str, Any]] = {}
    for part, lr_factor in (("encoder", encoder_lr_factor), (rest, 1.0)):
        groups[f"{part}/decay"] = {"params": [], "lr_factor": lr_factor}
        groups[f"{part}/no_decay"] = {"params": [], "lr_factor": lr_factor, "weight_decay": 0.0}
    for name, parameter in network.named_parameters():  # each once, however often it is shared
        part = "encoder" if parameter in encoder else rest
        # by name, not by dimensions: FSDP hands out every weight flattened
        kind = "no_decay" if name.endswith("bias") or parameter in norms else "decay"
        groups[f"{part}/{kind}"]["params"].append(parameter)
    return [{"name": name, **group} for name, group in groups.items() if group["params"]]


def configure_optimization(
    network: nn.Module,
    optimizer: Callable[[Iterable[Any]], Optimizer],
    scheduler: Callable[[Optimizer, int], LRScheduler] | None,
    total_steps: float,
    encoder_lr_factor: float = 1.0,
) -> OptimizerLRScheduler:
    """Builds the optimizer and its schedule, as `LightningModule.configure_optimizers` returns them.

    Args:
        network: The network to train.
        optimizer: Makes the optimizer from parameter groups.
        scheduler: Makes the schedule from the optimizer and the total number of optimizer steps, given by position
            (`WarmupPolynomial`, PyTorch's `PolynomialLR`, `CosineAnnealingLR`, ...). It is stepped after every step.
        total_steps: The number of optimizer steps of the whole run: Lightning's `estimated_stepping_batches`.
        encoder_lr_factor: See `parameter_groups`.

    Raises:
        InputError: There is a schedule but the run has no end; or see `parameter_groups`.
    """
    built = optimizer(parameter_groups(network, encoder_lr_factor))
    for group in built.param_groups:
        group["lr"] = group["lr"] * group["lr_factor"]
    if scheduler is None:
        return {"optimizer": built}
    if total_steps == float("inf"):
        raise InputError("a learning rate schedule needs the length of the run: set trainer.max_epochs or max_steps")
    return {"optimizer": built, "lr_scheduler": {"scheduler": scheduler(built, int(total_steps)), "interval": "step"}}


def check_schedule(schedule: type) -> None:
    """Checks that a schedule's second parameter is the length of the run, which is what it is given there.

    Raises:
        InputError: It is called otherwise: `OneCycleLR` would take the number of steps for its `max_lr`.
    """
    parameters = list(inspect.signature(schedule).parameters)
    if len(parameters) < 2 or parameters[1] not in RUN_LENGTH:
        second = f"takes {parameters[1]!r}" if len(parameters) > 1 else "takes nothing"
        raise InputError(
            f"model.scheduler: {schedule.__name__} {second} where it is given the number of optimizer steps; "
            "WarmupPolynomial, PolynomialLR and CosineAnnealingLR take that; in a schedule of your own call the "
            f"second parameter {RUN_LENGTH[0]!r}"
        )


class WarmupPolynomial(LambdaLR):
    """Linear warm-up, then polynomial decay to 0 ("poly", Chen et al., DeepLab, 2017, section 4.1.1).

    Step s of the optimizer (from 0) has the base learning rate times (s + 1) / (warmup_steps + 1) during the warm-up,
    then times (1 - t)^power, where t runs from 0 at the first step after it to 1 at the end of the run. No step has a
    learning rate of 0. A run that is shorter than the warm-up ends within it.

    The length of the run is not part of the saved state: a resumed run follows the schedule of its own `max_epochs`.

    Args:
        optimizer: The optimizer.
        total_steps: The number of optimizer steps of the whole run.
        warmup_steps: How many of them to warm up.
        power: The exponent of the decay, above 0; 1 is linear.

    Raises:
        InputError: A number is out of its range.
    """

    def __init__(self, optimizer: Optimizer, total_steps: int, warmup_steps: int = 0, power: float = 0.9) -> None:
        if total_steps < 1 or warmup_steps < 0 or not power > 0:
            raise InputError(
                "WarmupPolynomial: total_steps must be at least 1, warmup_steps not negative and power above 0, "
                f"got {total_steps}, {warmup_steps} and {power}"
            )

        # A plain function, as LambdaLR saves the attributes of itself and of other callables, but not of functions.
        def factor(step: int) -> float:
            if step < warmup_steps:
                return (step + 1) / (warmup_steps + 1)
            if step >= total_steps:
                return 0.0
            return float((1 - (step - warmup_steps) / (total_steps - warmup_steps)) ** power)

        super().__init__(optimizer, factor)
