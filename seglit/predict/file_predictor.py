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
    """Predicts masks with an exported file in its own run time.

    Args:
        run: The loaded file.
        description: Its description.
        file: The file, of which messages have the name: clients of `seglit serve` see them.
    """

    def __init__(self, run: Run, description: Description, file: Path) -> None:
        record = description.model
        network = FileNetwork(run, description, file)
        super().__init__(network, record.labels, network.units, record.in_channels, nodata_values=record.nodata)
        self.description = description
        self.file = file

    @classmethod
    def load(cls, file: Path, format: Format) -> Self:
        """Loads a file of a format.

        Raises:
            InputError: The file is not one of `seglit export`, or its run time is not installed.
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
            self._checked(tile)

    def blocks(self, tiles: Iterable[Tile], probabilities: bool = False) -> Iterator[Block]:
        """Predicts tiles, all of an image in reading order, and yields one finished block per tile.

        Raises:
            InputError: The file does not accept the tiles' size, or probabilities are needed, and it has none.
        """
        if self.settings.precision is not None:
            raise InputError(f"precision cannot be set: that of {self.file.name} is {self.description.precision}")
        if probabilities:
            self.require_probabilities("this")
        if self.settings.augments:
            self.require_probabilities("averaging over flips or scales")
        return super().blocks(map(self._checked, tiles), probabilities)

    def _checked(self, tile: Tile) -> Tile:
        if not tile.grid.is_whole:
            self.require_probabilities("blending the tiles of a large image")
        height, width = tile.pixels.shape[:2]
        if self.description.size not in (None, (height, width)):
            raise InputError(
                f"{self.file.name} is for images of {' x '.join(map(str, self.description.size or ()))} pixels, not "
                f"{height} x {width}; export it without --size"
            )
        return tile

    def require_probabilities(self, what: str) -> None:
        """Raises InputError if the file has masks only; `what` needs probabilities."""
        if self.description.output == "mask":
            raise InputError(
                f"{what} needs probabilities; {self.file.name} has masks: export it with --probabilities true"
            )
