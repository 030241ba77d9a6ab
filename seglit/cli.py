"""The training commands `seglit fit | validate | test`: one LightningCLI, configured by YAML."""

from argparse import ArgumentError
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytorch_lightning as pl
from jsonargparse import Namespace
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.cli import LightningArgumentParser
from pytorch_lightning.loggers import Logger

from seglit.callbacks import BestCheckpoint, LastCheckpoint, Pictures
from seglit.callbacks.next_steps import print_next_steps
from seglit.callbacks.of_every_run import callbacks_of_every_run
from seglit.callbacks.saving import best_checkpoint
from seglit.callbacks.strategies import check_trainer
from seglit.config.bounded_yaml import load_yaml
from seglit.config.explain import check_yaml, explain, refusal
from seglit.config.named_configs import expand_names, read_names_in_files
from seglit.config.options import add_options
from seglit.config.paths import make_absolute
from seglit.config.value_checks import check_values
from seglit.config.whole_lists import whole_lists
from seglit.data.base import SegmentationDataModule
from seglit.data.verify import verify
from seglit.errors import InputError
from seglit.hardware import choose_by_hardware
from seglit.module import SegmentationModule
from seglit.runs.ckpt_path import find_ckpt_path
from seglit.runs.failures import explaining_failures
from seglit.runs.held_out import warn_if_trained_on
from seglit.runs.init_from import find_source, start_from
from seglit.runs.lock import locked
from seglit.runs.metrics_file import MetricsFile
from seglit.runs.named_run import resume_arguments
from seglit.runs.plain_loading import PlainLoadingCLI
from seglit.runs.resume import Progress, continue_run, place_loggers
from seglit.runs.run_folder import experiment_name, make_run_folder, remove_if_empty

DEFAULTS = Path(__file__).with_name("default.yaml")


class SegmentationCLI(PlainLoadingCLI):
    """Reads YAML and options, builds data module, module and trainer, and runs one subcommand."""

    trainer: pl.Trainer
    datamodule: SegmentationDataModule
    model: SegmentationModule

    def __init__(self, args: list[str], resumed: Path | None = None, until_end: ExitStack | None = None) -> None:
        self.called = args[0]
        self.resumed = resumed
        self.until_end = until_end or ExitStack()
        # No abbreviations: a script that uses one breaks, or changes its meaning, when an option is added.
        parser_kwargs: dict[str, Any] = {"prog": "seglit", "exit_on_error": False, "allow_abbrev": False}
        super().__init__(
            SegmentationModule,
            SegmentationDataModule,
            subclass_mode_data=True,
            save_config_callback=None,  # RunRecord writes config.yaml, without the paths of this run
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
            parser_kwargs={**parser_kwargs, self.called: {**parser_kwargs, "default_config_files": [str(DEFAULTS)]}},
            args=args,
        )

    def subcommands(self) -> dict[str, set[str]]:  # type: ignore[override]  # called on instances only
        """The one subcommand that is called; Lightning would build the parsers of all, which takes longer."""
        return {self.called: PlainLoadingCLI.subcommands()[self.called]}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Adds seglit's own options, and links what the model must know of the data."""
        add_options(parser)
        parser.add_lightning_class_args(BestCheckpoint, "checkpoint")
        parser.add_lightning_class_args(Pictures, "pictures")
        parser.link_arguments("seed_everything", "data.init_args.seed", compute_fn=int)
        for name in ("labels", "normalization"):
            parser.link_arguments(f"data.{name}", f"model.{name}", apply_on="instantiate")
        for name in ("num_classes", "in_channels"):
            parser.link_arguments(f"data.{name}", f"model.network.init_args.{name}", apply_on="instantiate")

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parses the command line and its YAML files; adds the empty `init_args` that data without settings lacks.

        Raises:
            InputError: An option, a key or a value is invalid; the message names its file and line.
        """
        try:
            with whole_lists():
                super().parse_arguments(parser, args)
        except ArgumentError as error:
            keys = self._parser(args[0]).get_defaults().keys()
            raise InputError(check_yaml(args) or explain(error, args, keys)) from error
        data = self.config[self.called].data
        data.init_args = data.get("init_args", Namespace())  # type: ignore[no-untyped-call]

    def before_instantiate_classes(self) -> None:
        """Fills in defaults that depend on the hardware, records the configuration and makes the run folder."""
        config = self.config[self.called]
        if not self.resumed:
            data = vars(config.data.init_args)
            config.ckpt_path = find_ckpt_path(self.called, config.ckpt_path, config.trainer, data)
        if self.called != "fit":
            config.verbose = False  # ScoreTable replaces Lightning's table
        check_values(config)
        choose_by_hardware(config)
        config.experiment = config.experiment or experiment_name(config)
        make_absolute(config)
        self.settings = load_yaml(self._parser(self.called).dump(config, skip_unset=False))
        self.run_folder = self.resumed or make_run_folder(Path(config.trainer.default_root_dir), config.experiment)
        self.until_end.callback(remove_if_empty, self.run_folder)  # however the command ends
        self.until_end.enter_context(locked(self.run_folder))
        config.trainer.default_root_dir = str(self.run_folder)
        config.checkpoint.dirpath = config.checkpoint.dirpath or str(self.run_folder / "checkpoints")
        self.progress = continue_run(self.run_folder, config) if self.called == "fit" else Progress()
        loggers = [logger for logger in _as_list(config.trainer.logger) if isinstance(logger, Namespace)]
        place_loggers(loggers, self.run_folder, self.progress)

    def instantiate_classes(self) -> None:
        """Builds everything; if a class rejects a value, raises InputError."""
        with self._raising_input_errors():
            self.source = find_source(self.config[self.called], self.settings)
            super().instantiate_classes()

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        """Adds the loggers and callbacks that every run has."""
        config = self.config_init[self.called]
        loggers = [logger for logger in _as_list(config.trainer.logger) if isinstance(logger, Logger)]
        callbacks = callbacks_of_every_run(config, self.datamodule, self.settings)
        # A trainer default, since it then runs after `checkpoint`, so that last.ckpt stores which epoch is the best.
        self.trainer_defaults = {"callbacks": LastCheckpoint(self.config[self.called].checkpoint.dirpath)}
        trainer: pl.Trainer = super().instantiate_trainer(
            logger=[MetricsFile(self.run_folder, self.progress), *loggers], callbacks=callbacks, **kwargs
        )
        check_trainer(trainer)
        return trainer

    def before_fit(self) -> None:
        """Reads initial weights, and all pairs unless `--check false`."""
        config = self.config.fit
        with self._raising_input_errors():
            start_from(self.model, self.datamodule, self.settings, config.ckpt_path, self.source)
            if config.check and not config.trainer.fast_dev_run:
                verify(self.datamodule, test=config.test_after_fit)

    def before_test(self) -> None:
        """Warns if the checkpoint was trained on images of the test split."""
        warn_if_trained_on(Path(self.config.test.ckpt_path), self.datamodule, "test")

    def before_validate(self) -> None:
        """Warns if the checkpoint was trained on images of the validation split."""
        warn_if_trained_on(Path(self.config.validate.ckpt_path), self.datamodule, "val")

    def after_fit(self) -> None:
        """Scores the best checkpoint on the test split."""
        path, has_test_split = best_checkpoint(self.trainer), self.datamodule.has_split("test")
        if tested := path and self.config.fit.test_after_fit and has_test_split:  # no path after a fast_dev_run
            self.load_weights(path)  # `ckpt_path=path` would let WeightAveraging restore those that are not averaged
            self.trainer.test(self.model, self.datamodule, verbose=False)
        if self.trainer.is_global_zero:
            print_next_steps(self.run_folder, path, has_test_split=has_test_split, is_tested=bool(tested))

    @contextmanager
    def _raising_input_errors(self) -> Iterator[None]:
        try:
            yield
        except (ValueError, TypeError, ImportError, MisconfigurationException) as error:
            raise InputError(refusal(error)) from error


def _as_list(value: Any) -> list[Any]:
    """Lightning accepts one logger or callback, or a list of them."""
    return value if isinstance(value, list) else [value]


CLI = TypeVar("CLI", bound=SegmentationCLI)


def run(args: list[str], cli: Callable[..., CLI] = SegmentationCLI) -> CLI:  # type: ignore[assignment]  # mypy #3737
    """Runs one training command.

    Raises:
        InputError: The command line, a file or the data is invalid.
        RunError: The run failed: values that are not finite, memory, a worker.
    """
    read_names_in_files()
    args, resumed = resume_arguments(args)
    with explaining_failures(), ExitStack() as until_end:
        return cli(expand_names(args), resumed, until_end)
