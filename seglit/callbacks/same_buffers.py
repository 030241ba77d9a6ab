"""Validates the same network on all ranks."""

import pytorch_lightning as pl
from pytorch_lightning.strategies import ModelParallelStrategy
from torch import distributed


class SameBuffers(pl.Callback):
    """Copies rank 0's buffers, such as the running statistics of BatchNorm, to all ranks before each validation.

    Each rank has the statistics of its own batches, and the checkpoint has rank 0's. DDP copies them in every forward
    pass, FSDP2 never.
    """

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Copies the buffers."""
        if isinstance(trainer.strategy, ModelParallelStrategy):
            for buffer in pl_module.buffers():
                distributed.broadcast(buffer, 0)
