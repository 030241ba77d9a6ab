"""`seglit preview`: draws what augmentation makes of the training images, with the options of `fit`."""

from collections.abc import Sequence
from pathlib import Path

from seglit.cli import SegmentationCLI, run
from seglit.config.build_alone import build_alone
from seglit.config.explain import refusal
from seglit.config.quick_check import check_command_line
from seglit.data.base import SegmentationDataModule
from seglit.errors import InputError
from seglit.images.replacing import replacing
from seglit.preview.pictures import draw_preview


class PreviewCLI(SegmentationCLI):
    """Parses the command line of `fit`, and builds the data module alone."""

    def before_instantiate_classes(self) -> None:
        """Makes no run folder."""

    def instantiate_classes(self) -> None:
        """Builds the data module."""
        try:
            self.datamodule = build_alone(SegmentationDataModule, self.config.fit.data)
        except (ValueError, TypeError, ImportError) as error:
            raise InputError(refusal(error)) from error

    def _run_subcommand(self, subcommand: str) -> None:
        """Trains nothing."""


def preview(args: Sequence[str]) -> int:
    """Draws the training images of a configuration, and prints the path of the picture.

    Raises:
        InputError: The command line or the data is invalid, or the picture cannot be written.
    """
    args, output = _take_output(args)
    check_command_line(["preview", *args])
    command_line = run(["fit", *args], PreviewCLI)
    command_line.datamodule.prepare_data()
    picture = draw_preview(command_line.datamodule)
    try:
        with replacing(output) as part:
            picture.save(part, "PNG")
    except OSError as error:
        raise InputError(f"--output {output}: cannot be written ({error.strerror or error})") from error
    print(f"preview: {output}")
    return 0


def _take_output(args: Sequence[str]) -> tuple[list[str], Path]:
    """Separates `--output FILE` from the options of `fit`."""
    others, output = [], "preview.png"
    remaining = iter(args)
    for arg in remaining:
        if arg == "--output":
            output = next(remaining, "")
        elif arg.startswith("--output="):
            output = arg.partition("=")[2]
        else:
            others.append(arg)
    if not output:
        raise InputError("--output needs a file: --output preview.png")
    return others, Path(output).expanduser()
