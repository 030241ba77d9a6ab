"""`seglit preview`: draws what augmentation makes of the training images, with the options of `fit`."""

from collections.abc import Sequence
from pathlib import Path

from seglit.cli import SegmentationCLI, run
from seglit.config.arguments import take_option
from seglit.config.build_alone import build_alone
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
        with self._raising_input_errors():
            self.datamodule = build_alone(SegmentationDataModule, self.config.fit.data)

    def _run_subcommand(self, subcommand: str) -> None:
        """Trains nothing."""


def preview(args: Sequence[str]) -> int:
    """Draws the training images of a configuration, and prints the path of the picture.

    Raises:
        InputError: The command line or the data is invalid, or the picture cannot be written.
    """
    output, args = take_option("--output", args)
    if output == "":
        raise InputError("--output needs a file: --output preview.png")
    check_command_line(["preview", *args])
    command_line = run(["fit", *args], PreviewCLI)
    command_line.datamodule.prepare_data()
    picture = draw_preview(command_line.datamodule)
    file = Path(output or "preview.png").expanduser()
    with replacing(file) as part:
        picture.save(part, "PNG")
    print(f"preview: {file}")
    return 0
