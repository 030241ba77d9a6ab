"""Which of Lightning's strategies and plugins train here, and with which other settings."""

from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import WeightAveraging
from pytorch_lightning.plugins.io import AsyncCheckpointIO
from pytorch_lightning.strategies import DeepSpeedStrategy, FSDPStrategy, ModelParallelStrategy

from seglit.errors import InputError

_EXAMPLE = "see configs/hardware/fsdp.yaml"


def check_strategy(trainer: Any, callbacks: Sequence[pl.Callback]) -> None:
    """Checks that a strategy and its plugins write checkpoints that all commands load, and fit other settings.

    Args:
        trainer: The configuration of the trainer; strategy and plugins are built, or names of Lightning's.
        callbacks: The configured callbacks.

    Raises:
        InputError: They do not.
    """
    strategy = trainer.strategy
    named = str(strategy).partition("_")[0] in ("fsdp", "deepspeed")
    if named or isinstance(strategy, FSDPStrategy | DeepSpeedStrategy):
        name = strategy if named else type(strategy).__name__
        raise InputError(f"trainer.strategy {name} is not supported; ModelParallelStrategy is FSDP2, {_EXAMPLE}")
    if not isinstance(strategy, ModelParallelStrategy):
        return
    if strategy._save_distributed_checkpoint:
        raise InputError(
            "trainer.strategy ModelParallelStrategy: set save_distributed_checkpoint: false, so that a checkpoint is a "
            f"file that all commands load, {_EXAMPLE}"
        )
    if trainer.sync_batchnorm:
        raise InputError("trainer.sync_batchnorm has no effect with ModelParallelStrategy; leave it out")
    for callback in callbacks:
        if isinstance(callback, WeightAveraging):
            raise InputError(
                f"{type(callback).__name__} keeps a second, whole copy of the weights, which ModelParallelStrategy "
                "shards: leave one of them out, or use configs/hardware/ddp.yaml"
            )


def check_trainer(trainer: pl.Trainer) -> None:
    """Checks that checkpoints are written at once, and that torchrun or SLURM started as many ranks as are expected.

    Raises:
        InputError: Checkpoints are written asynchronously.
        ValueError: Another number of ranks was started, for which Lightning would wait.
    """
    if isinstance(trainer.strategy.checkpoint_io, AsyncCheckpointIO):
        raise InputError(
            "AsyncCheckpointIO returns before a checkpoint is written, so that last.ckpt would be renamed too early; "
            "leave it out"
        )
    environment = trainer._accelerator_connector.cluster_environment
    if environment is not None:
        environment.validate_settings(num_devices=trainer.num_devices, num_nodes=trainer.num_nodes)
