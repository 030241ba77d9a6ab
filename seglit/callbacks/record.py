"""What a run leaves behind so that it can be repeated and its checkpoints used alone."""

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from seglit import __version__
from seglit.callbacks.dashboards import log_config
from seglit.data.base import SegmentationDataModule
from seglit.runs.checkpoint import RECORD_KEY, ModelRecord


class RunRecord(pl.Callback):
    """Writes `config.yaml` into the run folder, and into every checkpoint what prediction needs.

    What that is, `seglit.runs.checkpoint.ModelRecord` says.

    Args:
        config: The complete configuration as YAML.
        network: The network's part of it, with the values that the data gave.
        data: The data, which on this machine is read in a way that the configuration need not state.
    """

    def __init__(self, config: str, network: dict[str, Any], data: SegmentationDataModule) -> None:
        self.config = config
        self.network = network
        self.data = data

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Writes the configuration, once a run."""
        file = Path(trainer.default_root_dir) / "config.yaml"
        if trainer.is_global_zero and not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            accelerator = type(trainer.accelerator).__name__.removesuffix("Accelerator")
            made = (
                f"# seglit {__version__}, torch {torch.__version__}, pytorch-lightning {version('pytorch-lightning')}, "
                f"Python {platform.python_version()}, {trainer.num_devices} x {accelerator}\n"
                f"# on each device: {self.data.loading}\n"
            )
            file.write_text(made + self.config, encoding="utf-8")
            for logger in trainer.loggers:
                log_config(logger, self.config)

    def on_save_checkpoint(self, trainer: pl.Trainer, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Adds what prediction needs."""
        record = ModelRecord(__version__, self.network, pl_module.labels, pl_module.normalization)
        checkpoint[RECORD_KEY] = record.to_dict()
