"""Predicted masks, as the writers of label formats receive them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from seglit.labels import Color

_BACKGROUNDS = ("background", "_background_")


def named_background(names: Sequence[str]) -> int | None:
    """Returns the index of the class named background; None if there is none."""
    return next((index for index, name in enumerate(names) if name.lower() in _BACKGROUNDS), None)


class PredictedMask(NamedTuple):
    """An image and its predicted mask.

    Args:
        image: The image file.
        name: Its path below the common folder of all images, with suffix.
        output: The path of its outputs below their folder, without suffix.
        mask: Class indices (H, W) uint8; 255 is no class.
    """

    image: Path
    name: str
    output: str
    mask: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Classes:
    """The classes of a prediction.

    Args:
        names: One per class, in the order of the class indices.
        palette: RGB colours likewise.
    """

    names: tuple[str, ...]
    palette: tuple[Color, ...]

    @property
    def background(self) -> int | None:
        """The class that is no region in label formats, see `named_background`."""
        return named_background(self.names)

    @property
    def foreground(self) -> dict[int, str]:
        """Class index to the name of each class whose regions are written."""
        return {index: name for index, name in enumerate(self.names) if index != self.background}

    def hex_color(self, index: int) -> str:
        """The colour of a class as `#rrggbb`."""
        return "#{:02x}{:02x}{:02x}".format(*self.palette[index])

    def regions(self, mask: npt.NDArray[np.uint8]) -> Iterator[tuple[int, npt.NDArray[np.bool_]]]:
        """Yields the index and the pixels (H, W) of each class, but background, that a mask contains."""
        for index in self.foreground:
            pixels = mask == index
            if pixels.any():
                yield index, pixels
