"""Records what is needed to repeat a run and to use its checkpoints alone."""

import platform
import re
import time
from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
import yaml

from seglit import __version__
from seglit.callbacks.benchmark import device_name
from seglit.callbacks.dashboards import log_config
from seglit.config.bounded_yaml import load_yaml
from seglit.data.base import SegmentationDataModule
from seglit.data.file_pairs import PairsDataModule
from seglit.images.pairs import SPLITS
from seglit.images.replacing import replacing
from seglit.runs.checkpoint import RECORD_KEY, ModelRecord
from seglit.runs.named_run import folder_of
from seglit.runs.network_spec import network_spec
from seglit.runs.tested import HEADER
from seglit.runs.training import Training


class RunRecord(pl.Callback):
    """Writes `config.yaml`, the lists `splits/*.txt` and `training.json` into the run folder.

    Adds a `ModelRecord` to every checkpoint.

    Args:
        settings: The complete configuration as plain data.
        data: The data module; its loading settings on this machine go into the header of `config.yaml`.
    """

    def __init__(self, settings: Mapping[str, Any], data: SegmentationDataModule) -> None:
        self.settings = settings
        self.data = data

    def setup(self, trainer: pl.Trainer, pl_module: Any, stage: str) -> None:
        """Writes the configuration and logs it, and the lists of the splits.

        If the run folder has a configuration, `fit` records a larger number of epochs in it, and the lists anew: data
        may have changed.
        """
        if stage == "fit":
            self.network = type(pl_module.network)  # FSDP2 derives a class from it when it shards
        file = Path(trainer.default_root_dir) / "config.yaml"
        is_new = not file.exists()
        if trainer.is_global_zero and (is_new or stage == "fit") and isinstance(self.data, PairsDataModule):
            self._write_splits(file.with_name("splits"), self.data)
        if trainer.is_global_zero and is_new:
            accelerator = type(trainer.accelerator).__name__.removesuffix("Accelerator")
            header = (
                f"{HEADER}{__version__}, torch {torch.__version__}, pytorch-lightning {version('pytorch-lightning')}, "
                f"Python {platform.python_version()}, {trainer.num_devices} x {accelerator}\n"
                f"# on each device: {self.data.loading}\n"
            )
            text = yaml.safe_dump(dict(self.settings), sort_keys=False, allow_unicode=True)
            with replacing(file) as unfinished:  # last: a folder with it is resumed, and not written to again
                unfinished.write_text(header + text, encoding="utf-8")
            for logger in trainer.loggers:
                log_config(logger, self.settings, text)
        elif trainer.is_global_zero and stage == "fit":
            _record_max_epochs(file, trainer.max_epochs)

    @staticmethod
    def _write_splits(folder: Path, data: PairsDataModule) -> None:
        """Writes the images of each split, in the form of list files."""
        for split in SPLITS:
            file = folder / f"{split}.txt"
            if images := data.listed_images(split):
                names = "".join(f"{image}\n" for image in images)
                with replacing(file) as unfinished:
                    unfinished.write_text(names, encoding="utf-8", errors="surrogateescape")
            else:
                file.unlink(missing_ok=True)  # of a split that a resumed run no longer has

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Starts the clock, at the time that a resumed training took before."""
        resumed = None
        if trainer.ckpt_path:  # of this run, wherever its checkpoints are, or of another
            source = folder_of(Path(trainer.ckpt_path).absolute())
            resumed = Training.read(Path(trainer.default_root_dir)) or Training.read(source)
        self.start = time.monotonic() - (resumed.seconds if resumed else 0)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Writes what the training took so far; not in checkpoints, which are the same for the same run."""
        if trainer.is_global_zero:
            device = f"{trainer.world_size} x {device_name(pl_module.device)}"
            training = Training(trainer.current_epoch + 1, time.monotonic() - self.start, device)
            training.write(Path(trainer.default_root_dir))

    @cached_property
    def _network_spec(self) -> dict[str, Any]:
        return network_spec(self.settings, self.network, self.data)

    def on_save_checkpoint(self, trainer: pl.Trainer, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Adds the `ModelRecord` that prediction needs."""
        labels, normalization = pl_module.labels, pl_module.normalization
        record = ModelRecord(__version__, self._network_spec, labels, normalization, self.data.nodata, self.data.resize)
        checkpoint[RECORD_KEY] = record.to_dict()


def _record_max_epochs(file: Path, max_epochs: int | None) -> None:
    text = file.read_text(encoding="utf-8")
    recorded = load_yaml(text)["trainer"]["max_epochs"]
    if max_epochs is not None and recorded is not None and max_epochs > recorded:
        with replacing(file) as unfinished:
            changed = re.sub(r"(?m)^  max_epochs: .*$", f"  max_epochs: {max_epochs}", text, count=1)
            unfinished.write_text(changed, encoding="utf-8")
