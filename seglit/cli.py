"""The trainer's command line: `seglit fit | validate | test`, each a LightningCLI over YAML."""

import inspect
import sys
from argparse import ArgumentError
from pathlib import Path
from pydoc import locate
from typing import Any, cast

import pytorch_lightning as pl
import torch
import yaml
from jsonargparse import Namespace
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning import callbacks as lightning_callbacks
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
from pytorch_lightning.loggers import CSVLogger, Logger

from seglit.callbacks import (
    BestCheckpoint,
    ClassWeighting,
    LastCheckpoint,
    Pictures,
    ProgressBar,
    RunRecord,
    ScoreFile,
    ScoreTable,
)
from seglit.config.explain import check_yaml, explain, refusal
from seglit.config.names import expand_names, read_names_in_files
from seglit.data.base import SegmentationDataModule
from seglit.errors import InputError, did_you_mean
from seglit.hardware import avoid_broken_amx, fastest_memory_format, fastest_precision, find_device
from seglit.module import SegmentationModule
from seglit.optim import check_schedule
from seglit.runs.run_folder import make_run_folder

DEFAULTS = Path(__file__).with_name("default.yaml")
COMMANDS = ("fit", "validate", "test")


class SegmentationCLI(LightningCLI):
    """Reads YAML and options, builds data, module and trainer, and runs one command."""

    trainer: pl.Trainer
    datamodule: SegmentationDataModule
    model: SegmentationModule

    def __init__(self, args: list[str]) -> None:
        # an abbreviated setting would be taken for the one it abbreviates today
        parser_kwargs: dict[str, Any] = {"exit_on_error": False, "allow_abbrev": False}
        super().__init__(
            SegmentationModule,
            SegmentationDataModule,
            subclass_mode_data=True,
            save_config_callback=None,  # RunRecord writes it, before the run's own paths are filled in
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
            parser_kwargs={
                **parser_kwargs,
                **{name: {**parser_kwargs, "default_config_files": [str(DEFAULTS)]} for name in COMMANDS},
            },
            args=args,
        )

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """The commands of the trainer; `predict` is none of them, it starts from a checkpoint."""
        return {name: skipped for name, skipped in LightningCLI.subcommands().items() if name in COMMANDS}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Adds what a run needs beside data, model and trainer, and hands the data's facts to the model."""
        parser.add_argument(
            "--experiment", type=str | None, help="Name of the run's folder; by default the configuration file's name."
        )
        parser.add_argument(
            "--test_after_fit",
            type=bool,
            default=True,
            help="Whether fit ends with scoring the best checkpoint on test.",
        )
        parser.add_argument(
            "--protocol",
            type=bool | list[str],
            nargs="?",
            const=True,
            default=False,
            help="Whether the table's mIoU is also printed as torchmetrics, mmsegmentation and the Cityscapes script "
            "define it; [background] sets that class aside there.",
        )
        parser.add_lightning_class_args(BestCheckpoint, "checkpoint")
        parser.add_lightning_class_args(Pictures, "pictures")
        parser.link_arguments("seed_everything", "data.init_args.seed", compute_fn=int)
        for name in ("labels", "normalization"):
            parser.link_arguments(f"data.{name}", f"model.{name}", apply_on="instantiate")
        for name in ("num_classes", "in_channels"):
            parser.link_arguments(f"data.{name}", f"model.network.init_args.{name}", apply_on="instantiate")

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parses the command line and the files it names.

        Raises:
            InputError: Anything there is wrong.
        """
        try:
            super().parse_arguments(parser, args)
        except ArgumentError as error:
            keys = self._parser(args[0]).get_defaults().keys()
            raise InputError(check_yaml(args) or explain(error, args, keys)) from error

    def before_instantiate_classes(self) -> None:
        """Fills in what the hardware decides, records the configuration, then makes the run folder."""
        config = self.config[self.subcommand]
        _check_checkpoint(self.config.subcommand, config.ckpt_path)
        if self.config.subcommand == "fit" and config.ckpt_path and "://" not in config.ckpt_path:
            _check_unfinished(config.ckpt_path, config.trainer.max_epochs)
        if schedule := config.model.scheduler:
            check_schedule(cast(type, locate(schedule.class_path)))
        device = find_device(config.trainer.accelerator)
        if device == "cpu":
            avoid_broken_amx()
        config.trainer.precision = config.trainer.precision or fastest_precision(device)
        config.model.memory_format = config.model.memory_format or fastest_memory_format(device)
        config.experiment = config.experiment or _experiment_name(config)
        config.trainer.default_root_dir = str(Path(config.trainer.default_root_dir).absolute())
        if root := config.data.init_args.get("root"):
            config.data.init_args.root = str(Path(root).expanduser().absolute())
        if cache := config.data.init_args.get("cache"):
            cache.folder = str(Path(cache.folder).expanduser().absolute())
        self.record = self._parser(self.subcommand).dump(config, skip_unset=False)
        self.run_folder = make_run_folder(Path(config.trainer.default_root_dir), config.experiment)
        config.trainer.default_root_dir = str(self.run_folder)
        config.checkpoint.dirpath = config.checkpoint.dirpath or str(self.run_folder / "checkpoints")
        for logger in _configured_loggers(config):
            if "save_dir" in logger.get("init_args", {}):
                logger.init_args.save_dir = str(self.run_folder / (logger.init_args.save_dir or "."))

    def instantiate_classes(self) -> None:
        """Builds everything; a value that a class refuses is bad input, and leaves no empty run folder behind."""
        try:
            super().instantiate_classes()
        except (ValueError, MisconfigurationException) as error:
            if self.run_folder.is_dir() and not any(self.run_folder.iterdir()):
                self.run_folder.rmdir()
            raise InputError(refusal(error)) from error

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        """Adds what every run has: the CSV log, the table, the record, the scores and the progress bar."""
        config = self.config_init[self.subcommand].trainer
        table = ScoreTable(self.config[self.subcommand].protocol)
        chosen = [logger for logger in _as_list(config.logger) if isinstance(logger, Logger)]
        loggers = [CSVLogger(self.run_folder, name="", version=""), *chosen]
        record = RunRecord(self.record, self._network_config(), self.datamodule)
        callbacks = [*_as_list(config.callbacks), ClassWeighting(self.datamodule), table, record, ScoreFile()]
        own_bar = any(isinstance(callback, lightning_callbacks.ProgressBar) for callback in callbacks)
        if config.enable_progress_bar is not False and not own_bar:
            callbacks.append(ProgressBar())
        # What a run is resumed from. `save_last` would not do: it writes only in epochs that are the best so far. Among
        # the defaults it comes after `checkpoint`, and so holds which epoch is the best.
        self.trainer_defaults = {"callbacks": LastCheckpoint(self.config[self.subcommand].checkpoint.dirpath)}
        trainer: pl.Trainer = super().instantiate_trainer(logger=loggers, callbacks=callbacks, **kwargs)
        return trainer

    def after_fit(self) -> None:
        """Scores the best checkpoint on the test split."""
        best = self.config_init.fit.checkpoint.best_model_path  # none after a fast_dev_run
        tested = best and self.config.fit.test_after_fit and self.datamodule.has_split("test")
        if tested:
            # loaded here: given the path, an averaging callback would put the weights that are not averaged in place
            self.model.load_state_dict(torch.load(best, map_location="cpu", weights_only=True)["state_dict"])
            self.trainer.test(self.model, self.datamodule, verbose=False)
        if self.trainer.is_global_zero:
            program = "python -m seglit" if Path(sys.argv[0]).parts[-2:] == ("seglit", "__main__.py") else "seglit"
            print(f"run folder: {self.run_folder}")
            page = f"; a page: {program} report {self.run_folder}" if tested else ""
            print(f"look at:    {self.run_folder / 'pictures'}  (predictions), metrics.csv (losses and scores){page}")
            if best:
                command = "test" if self.datamodule.has_split("test") else "validate"
                print(f"score it:   {program} {command} -c {self.run_folder / 'config.yaml'} --ckpt_path {best}")

    def test(self, model: SegmentationModule, **kwargs: Any) -> None:
        """Scores a checkpoint on the test split; the class table stands for Lightning's own."""
        self.trainer.test(model, **{**kwargs, "verbose": False})

    def validate(self, model: SegmentationModule, **kwargs: Any) -> None:
        """Scores a checkpoint on the validation split; the class table stands for Lightning's own."""
        self.trainer.validate(model, **{**kwargs, "verbose": False})

    def _network_config(self) -> dict[str, Any]:
        """The network as a checkpoint describes it, the data's facts included."""
        network: dict[str, Any] = yaml.safe_load(self.record)["model"]["network"]
        facts = {"num_classes": self.datamodule.num_classes, "in_channels": self.datamodule.in_channels}
        accepted = inspect.signature(type(self.model.network)).parameters
        given = {name: value for name, value in facts.items() if name in accepted}
        return {**network, "init_args": {**network.get("init_args", {}), **given}}


def _check_checkpoint(command: str, path: str | None) -> None:
    """Lightning looks for a checkpoint when all is built, and scores random weights without one."""
    if path is None and command != "fit":
        raise InputError(f"{command} scores a checkpoint; name it: --ckpt_path RUN/checkpoints/best.ckpt")
    if path in ("best", "last"):
        raise InputError(f"--ckpt_path {path} names no file; such as RUN/checkpoints/{path}.ckpt")
    if path and "://" not in path and not Path(path).exists():
        folder = Path(path).parent
        names = [file.name for file in folder.glob("*.ckpt")]
        raise InputError(f"no checkpoint {path}{did_you_mean(Path(path).name, names)}")


def _check_unfinished(path: str, max_epochs: int | None) -> None:
    """Lightning ends such a run at once, without a word."""
    checkpoint = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    done = checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"]
    if max_epochs is not None and 0 <= max_epochs <= done:
        raise InputError(
            f"{path} has finished its {done} epochs, nothing is left to train; to go on, give a larger "
            f"--trainer.max_epochs than {max_epochs}"
        )


def _experiment_name(config: Namespace) -> str:
    """The name of the first configuration file, or of the data's file, or of its class."""
    files = [*(config.get("config") or []), *filter(None, [config.data.get("__path__")])]
    return Path(str(files[0])).stem if files else str(config.data.class_path).rsplit(".", 1)[-1]


def _configured_loggers(config: Namespace) -> list[Namespace]:
    return [entry for entry in _as_list(config.trainer.logger) if isinstance(entry, Namespace)]


def _as_list(value: Any) -> list[Any]:
    """What Lightning takes as one or several (loggers, callbacks), as several."""
    return value if isinstance(value, list) else [] if value is None else [value]


def run(args: list[str]) -> None:
    """Runs one command of the trainer.

    Raises:
        InputError: Anything on the command line, in its files or in the data is wrong.
    """
    try:
        read_names_in_files()
        SegmentationCLI(expand_names(args))
    except MisconfigurationException as error:  # what Lightning itself finds wrong once it runs
        raise InputError(refusal(error)) from error
