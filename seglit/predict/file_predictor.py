"""A predictor whose network is an exported file."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Self

import numpy.typing as npt

from seglit.errors import InputError
from seglit.exported.description import Description
from seglit.exported.file_formats import Format
from seglit.exported.file_network import FileNetwork
from seglit.exported.runtime import Run
from seglit.predict.predictor import Predictor
from seglit.predict.tile_scores import Block, Tile, cut


class FilePredictor(Predictor):
    """Predicts masks with an exported file in its own runtime.

    Of a file that returns masks, each pixel of a large image has the class that most of its tiles vote for, by their
    blending weights; of others, as of a checkpoint, probabilities are blended.

    Args:
        run: The loaded file.
        description: Its description.
        file: The file, of which messages have the name: clients of `seglit serve` see them.
    """

    def __init__(self, run: Run, description: Description, file: Path) -> None:
        record = description.model
        network = FileNetwork(run, description, file)
        super().__init__(network, record.labels, network.units, record.in_channels, nodata_values=record.nodata)
        self._network = network
        self.description = description
        self.file = file

    @classmethod
    def load(cls, file: Path, format: Format) -> Self:
        """Loads a file of a format.

        Raises:
            InputError: The file is not one of `seglit export`, or its runtime is not installed.
        """
        description = Description.from_json(format.read(file), file)
        return cls(format.load(file, description.precision), description, file)

    def __repr__(self) -> str:
        """Describes the file."""
        parameters, names = self.description.parameters, ", ".join(self.labels.class_names)
        return f"FilePredictor({self.file}, {self.description.precision}, {parameters:,} parameters, classes: {names})"

    def check(self, image: npt.NDArray[Any]) -> None:
        """Checks that the file accepts the image's type and size.

        Raises:
            InputError: It does not.
        """
        super().check(image)
        for tile in cut(image, self.grid(*image.shape[:2])):
            self._network.check_size(*tile.pixels.shape[:2])

    def blocks(self, tiles: Iterable[Tile], probabilities: bool = False) -> Iterator[Block]:
        """Predicts tiles, all of an image in reading order, and yields one finished block per tile.

        Raises:
            InputError: The file does not accept the tiles' size, or `check_settings` raises.
        """
        self.check_settings(probabilities)
        return super().blocks(tiles, probabilities)

    def check_settings(self, probabilities: bool) -> None:
        """Checks that a precision is not set, and that the file has probabilities, if they are needed.

        Raises:
            InputError: It is, or it has masks only.
        """
        if self.settings.precision is not None:
            raise InputError(f"precision cannot be set: that of {self.file.name} is {self.description.precision}")
        if self.description.output == "mask" and (probabilities or self.settings.augments):
            wanted = "probabilities" if probabilities else "probabilities, which flips and scales average"
            raise InputError(f"{self.file.name} has masks, no {wanted}: export it with --probabilities true")
