"""Training the decoder first: the encoder is held still for some epochs."""

import pytorch_lightning as pl

from seglit.errors import InputError
from seglit.optim import find_encoder


class FreezeEncoder(pl.Callback):
    """Holds the network's encoder still for the first epochs, weights and running statistics; then all of it trains.

    While frozen, the encoder's parameters have `requires_grad` False and no gradient, so no optimizer touches them, and
    the encoder is in eval mode: without that, batch normalisation would go on averaging its statistics. What is frozen
    follows from the current epoch alone, so a resumed run needs no state.

    Under DDP use `trainer.strategy: ddp_find_unused_parameters_true`: plain DDP waits for the gradient of every
    parameter that could be trained when it wrapped the network.

    Args:
        epochs: For how many epochs, at least 1.

    Raises:
        InputError: `epochs` is below 1, or (when training starts) the network has no `encoder`.
    """

    def __init__(self, epochs: int) -> None:
        if epochs < 1:
            raise InputError(f"FreezeEncoder: epochs must be at least 1, got {epochs}")
        self.epochs = epochs

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """For a run resumed within an epoch, which gets no `on_train_epoch_start`."""
        self._apply(trainer, pl_module)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Freezes or releases the encoder; a validation in between puts the modes back as it found them."""
        self._apply(trainer, pl_module)

    def _apply(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        frozen = trainer.current_epoch < self.epochs
        encoder = find_encoder(pl_module.get_submodule("network"))
        encoder.requires_grad_(not frozen).train(not frozen)
        if frozen:
            encoder.zero_grad(set_to_none=True)
