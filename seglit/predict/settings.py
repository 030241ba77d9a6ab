"""Prediction settings: tiling, test-time augmentation, precision."""

from dataclasses import dataclass
from typing import Literal

from seglit.errors import InputError

Flips = Literal["none", "horizontal", "all"]
Precision = Literal["bf16-mixed", "16-mixed", "32-true"]
Masks = Literal["stored", "color"]
LabelFormat = Literal["coco", "labelme", "yolo", "label-studio", "cvat"]
_MAX_SCALE = 64
ALIGNMENT = 32
"""Tiles start at multiples of this many pixels, so that a network's strides align as in the whole image."""


@dataclass(frozen=True)
class Settings:
    """Prediction settings.

    Args:
        tile: Tile height and width in pixels, for images larger than one tile. By default (None), images of up to 4
            megapixels are predicted whole, larger ones in tiles of 1024 pixels, or fewer if there are many classes.
        overlap: Minimum overlap of neighbouring tiles, as a fraction of the tile size.
        flips: Test-time augmentation by flipping: none, horizontal, or all (horizontal and vertical).
        scales: Test-time augmentation by resizing: factors relative to the image size.
        precision: Precision of the network; None selects the fastest that the hardware supports.
        nodata: Whether pixels without data are void (255) in the mask; if not, a class is predicted there too.

    Raises:
        InputError: A tile, overlap or scale is out of range.
    """

    tile: int | None = None
    overlap: float = 0.25
    flips: Flips = "none"
    scales: tuple[float, ...] = (1.0,)
    precision: Precision | None = None
    nodata: bool = True

    def __post_init__(self) -> None:
        """Checks the ranges."""
        if self.tile is not None and (self.tile < 2 * ALIGNMENT or self.tile % ALIGNMENT):
            near = max(2, round(self.tile / ALIGNMENT)) * ALIGNMENT
            raise InputError(
                f"tile is {self.tile}, but must be a multiple of {ALIGNMENT} from {2 * ALIGNMENT} up, such as {near}"
            )
        if not 0 <= self.overlap < 1:
            raise InputError(f"overlap is {self.overlap}, but must be a fraction of the tile in [0, 1), such as 0.25")
        if not self.scales or not all(0 < scale <= _MAX_SCALE for scale in self.scales):
            raise InputError(
                f"scales are {list(self.scales)}, but must be factors above 0, at most {_MAX_SCALE}, such as "
                "[0.75, 1, 1.25]"
            )

    @property
    def augments(self) -> bool:
        """Whether test-time augmentation is on."""
        return self.flips != "none" or self.scales != (1.0,)
