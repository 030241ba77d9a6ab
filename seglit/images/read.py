"""Reads an image, or an image with its mask, as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seglit.errors import InputError
from seglit.images.mask_settings import MaskSettings
from seglit.images.memory_file import ImageFile
from seglit.images.pairs import Pair
from seglit.images.part_drawing import class_index, draw_parts
from seglit.images.picture import Picture, open_picture
from seglit.images.validity import no_data
from seglit.labels import IGNORE_INDEX, Labels


def read_image(
    path: ImageFile, in_channels: int, nodata: Sequence[float] = (), page: int | None = None
) -> npt.NDArray[Any]:
    """Reads an image (H, W, in_channels) in the stored dtype: uint8, uint16, int16 or float32.

    8-bit grey and RGB are converted to each other for `in_channels` 1 and 3, and lose their alpha; any other image
    must have exactly `in_channels` bands. An image with pixels without data is a masked array, see
    `seglit.images.validity`.

    Args:
        path: The file.
        in_channels: Number of channels.
        nodata: Value of pixels without data, beside the one that the file states: one for all bands, or one per band.
        page: See `open_picture`.

    Raises:
        InputError: The errors of `open_picture` and `Picture.image`.
    """
    return open_picture(path, in_channels, page).image(in_channels, nodata)


@dataclass(frozen=True)
class PairReader:
    """Reads images with their masks as arrays.

    Args:
        labels: Maps stored values to classes.
        in_channels: See `read_image`.
        nodata: Likewise.
        masks: How masks are read beside their images.

    Raises:
        InputError: The masks are in colours, which have no divisor.
    """

    labels: Labels
    in_channels: int
    nodata: tuple[float, ...] = ()
    masks: MaskSettings = field(default_factory=MaskSettings)

    def __post_init__(self) -> None:
        """Checks that the masks of a divisor are integers."""
        if self.masks.divisor > 1 and self.labels.stored_as_color:
            raise InputError("mask_divisor and mask_colors are both set; a mask holds integers or colours: keep one")

    def read(self, pair: Pair) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8]]:
        """Reads a pair.

        Returns:
            The image (H, W, C), see `read_image`, and the class indices (H, W) uint8, void 255; with `resize` of
            `masks`, they may be at another scale.

        Raises:
            InputError: The errors of `open_picture`, `decode` and `class_index`.
        """
        picture = self._open(pair, pair.image, self.in_channels)
        if pair.parts is None:
            return self.decode(picture, self._open(pair, pair.mask))
        parts = (
            (self._fitted(self._open(pair, part.path), picture), class_index(part, self.labels)) for part in pair.parts
        )
        mask = draw_parts(parts, picture.size, pair.fill, self.labels.tolerance).indices
        return picture.image(self.in_channels, self.nodata), mask

    @staticmethod
    def _open(pair: Pair, file: Path, bands: int | None = None) -> Picture:
        picture = open_picture(file, bands, pair.page)
        return picture if pair.page is None else replace(picture, path=pair.numbered(file))  # for messages

    def source(self, pair: Pair) -> tuple[tuple[Path, ...], tuple[object, ...]]:
        """Returns what determines the result of `read`: files, and settings as plain data with a distinct `repr`."""
        labels = self.labels  # not its names and colours, which change nothing decoded
        parts = pair.parts and [class_index(part, labels) for part in pair.parts]
        options = self.in_channels, self.nodata, labels.values, labels.tolerance, self.masks, parts, pair.fill
        return pair.files, (*options, pair.page)

    def decode(self, picture: Picture, mask: Picture) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8]]:
        """Converts an image and its mask that were opened already; returns the same as `read`.

        Raises:
            InputError: The sizes differ, a mask value is not listed, and the errors of `Picture.image` and
                `Picture.stored_values`.
        """
        image = picture.image(self.in_channels, self.nodata)
        return image, self._encode(self._fitted(mask, picture))

    def _fitted(self, mask: Picture, picture: Picture) -> Picture:
        """Turns a mask like its image, and checks its size."""
        mask = self.masks.upright(mask, picture)
        self.masks.check_size(mask, picture)
        return mask

    def _encode(self, mask: Picture) -> npt.NDArray[np.uint8]:
        """Class indices (H, W) of a mask, void 255."""
        stored = self.masks.classes(mask.stored_values(self.labels.stored_as_color))
        if stored.ndim == 3 and not self.labels.stored_as_color:
            colors = np.unique(np.ma.getdata(stored).reshape(-1, 3), axis=0)
            listed = ", ".join(str(color.tolist()) for color in colors[:4])
            raise InputError(
                f"{mask.path}: the mask contains {len(colors)} colours ({listed}, ...), not class indices; name them: "
                f"`mask_colors: {{{self.labels.class_names[0]}: {colors[0].tolist()}, ...}}`"
            )
        if (void := no_data(stored)) is None:
            return self.labels.encode(stored, str(mask.path))
        known: npt.NDArray[Any] = np.ma.getdata(stored).astype(np.int64)
        known[void] = next(iter(self.labels.values))
        encoded = self.labels.encode(known, str(mask.path))
        encoded[void] = IGNORE_INDEX
        return encoded
