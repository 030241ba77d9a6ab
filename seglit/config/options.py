"""The options of the training commands beside those of data, model and trainer."""

from argparse import SUPPRESS

from jsonargparse import ArgumentParser
from jsonargparse.typing import NonNegativeFloat, PositiveInt


def add_options(parser: ArgumentParser) -> None:
    """Adds the options to the parser of a command."""
    parser.add_argument(
        "--experiment", type=str | None, help="Name of the run's folder (default: name of the configuration file)."
    )
    parser.add_argument(
        "--test_after_fit",
        type=bool,
        default=True,
        help="Score the best checkpoint on the test split at the end of fit.",
    )
    parser.add_argument(
        "--check",
        type=bool,
        default=True,
        help="Read every image and mask before fit trains; those that were read before are not read again.",
    )
    parser.add_argument(
        "--protocol",
        type=bool | list[str],
        nargs="?",
        const=True,
        default=False,
        help="Also print the mIoU as torchmetrics, mmsegmentation and the Cityscapes script define it; "
        "[background] ignores that class there.",
    )
    parser.add_argument(
        "--resume",
        default=SUPPRESS,  # replaced before parsing
        metavar="RUN",
        help="Continue the run in this folder, exactly where its newest checkpoint was saved (fit only).",
    )
    parser.add_argument(
        "--init_from",
        type=str | None,
        help="What a new training takes its first weights from: a run folder (its best checkpoint), a checkpoint, a "
        "bundle, a state dict (.pth, .safetensors) or hf:owner/name. What fits by name and shape is taken, and of the "
        "head the classes that keep their names (fit only).",
    )
    parser.add_argument(
        "--save_minutes",
        type=NonNegativeFloat | None,
        default=30.0,
        help="Minutes between checkpoints within an epoch; null saves at the end of epochs only.",
    )
    parser.add_argument("--save_steps", type=PositiveInt | None, help="Optimizer steps between checkpoints, as well.")
    _add_length(parser)


def _add_length(parser: ArgumentParser) -> None:
    """Adds what limits the length of a training, or tells it."""
    parser.add_argument(
        "--patience",
        type=PositiveInt | None,
        help="Stop fit after this number of validations without a better checkpoint.monitor (default: never).",
    )
    parser.add_argument(
        "--plan",
        type=_refuse,
        default=SUPPRESS,  # both replaced before parsing
        help="Print what fit would do and how long it takes, by the time of three steps, and stop; nothing is "
        "written but downloads.",
    )
    parser.add_argument(
        "--minutes",
        type=_refuse,
        default=SUPPRESS,
        help="Time that the whole command may take: steps and validations, and crop and batch size where they are not "
        "stated, are chosen after a trial of some seconds (fit only). It replaces the lengths and validation intervals "
        "that files set, and cannot be combined with trainer.max_epochs, max_steps, ... on the command line.",
    )


def _refuse(_: str) -> None:
    raise ValueError("an option of the command line of fit, which no file can set")
