"""How predictions are made: tiles, test-time augmentation, precision."""

from dataclasses import dataclass
from typing import Literal

from seglit.errors import InputError

Flips = Literal["none", "horizontal", "all"]
Precision = Literal["bf16-mixed", "16-mixed", "32-true"]
ALIGNMENT = 32
"""Tiles start at multiples of it, where a network's strides fall as they do in the whole image."""


@dataclass(frozen=True)
class Settings:
    """How predictions are made.

    Args:
        tile: Height and width of the tiles, in pixels, of images that are larger than one. None chooses: an image is
            taken whole where it fits, else in tiles of 1024 pixels, or of fewer where there are many classes.
        overlap: The part of a tile that it shares with the next one.
        flips: Mirrored copies whose probabilities are averaged: none, left to right, or also top to bottom.
        scales: Sizes, relative to the image's own, whose probabilities are averaged.
        precision: What the network computes in; None is the hardware's fastest.

    Raises:
        InputError: A tile, overlap or scale that is none.
    """

    tile: int | None = None
    overlap: float = 0.25
    flips: Flips = "none"
    scales: tuple[float, ...] = (1.0,)
    precision: Precision | None = None

    def __post_init__(self) -> None:
        """Refuses what is no setting."""
        if self.tile is not None and (self.tile < 2 * ALIGNMENT or self.tile % ALIGNMENT):
            near = max(2, round(self.tile / ALIGNMENT)) * ALIGNMENT
            raise InputError(f"tile is {self.tile}; it is a multiple of {ALIGNMENT}, such as {near}")
        if not 0 <= self.overlap < 1:
            raise InputError(f"overlap is {self.overlap}; it is a part of the tile, from 0 to below 1, such as 0.25")
        if not self.scales or min(self.scales) <= 0:
            raise InputError(f"scales are {list(self.scales)}; they are factors above 0, such as [0.75, 1, 1.25]")

    @property
    def augments(self) -> bool:
        """Whether the answers to several copies of an image are averaged."""
        return self.flips != "none" or self.scales != (1.0,)
