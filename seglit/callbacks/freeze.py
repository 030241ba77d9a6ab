"""Freezes the encoder for the first epochs, or throughout."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.utilities import rank_zero_only

from seglit.errors import InputError
from seglit.networks.encoder_layers import find_encoder
from seglit.runs.pretrained import names_pretrained


class FreezeEncoder(pl.Callback):
    """Freezes the weights and running statistics of the network's `encoder` for the first epochs, or throughout.

    While frozen, the encoder's parameters have `requires_grad=False` and no gradient, so the optimizer skips them, and
    the encoder is in eval mode, so batch normalisation does not update its statistics. Only the current epoch decides
    whether the encoder is frozen, so a resumed run needs no state.

    Under DDP use `trainer.strategy: ddp_find_unused_parameters_true`: plain DDP waits for the gradients of all
    parameters that were trainable when it wrapped the network.

    Args:
        epochs: Number of frozen epochs, at least 1; None freezes throughout.

    Raises:
        InputError: `epochs` is below 1, or (when training starts) the network has no `encoder`.
    """

    def __init__(self, epochs: int | None) -> None:
        if epochs is not None and epochs < 1:
            raise InputError(f"FreezeEncoder: epochs must be at least 1, or null for all, got {epochs}")
        self.epochs = epochs

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Freezes or unfreezes the encoder; after a validation within the epoch Lightning restores the modes."""
        frozen = self.epochs is None or trainer.current_epoch < self.epochs
        encoder = find_encoder(pl_module.get_submodule("network"))
        encoder.requires_grad_(not frozen).train(not frozen)
        if frozen:
            encoder.zero_grad(set_to_none=True)

    on_train_start = on_train_epoch_start  # Lightning skips the latter in a run resumed within an epoch


@rank_zero_only
def warn_if_random(callbacks: Sequence[pl.Callback], config: Any, settings: Mapping[str, Any]) -> None:
    """Warns of an encoder that is frozen throughout and starts from random weights, where a setting can name others.

    Args:
        callbacks: The configured callbacks.
        config: The configuration of a training command.
        settings: The same as plain data.
    """
    if not any(isinstance(callback, FreezeEncoder) and callback.epochs is None for callback in callbacks):
        return
    network = settings["model"]["network"]
    arguments = network.get("init_args", {})
    names = [name for name in arguments if names_pretrained(network["class_path"], name)]
    if names and not any(arguments[name] for name in names) and not (config.ckpt_path or config.init_from):
        is_hand_written = arguments.get("encoder", "") is None  # whose weights have no name
        options = "--init_from" if is_hand_written else f"--model.network.{names[-1]} or --init_from"
        print(
            f"seglit: FreezeEncoder: the encoder keeps random weights; start from trained ones: {options}",
            file=sys.stderr,
            flush=True,
        )
