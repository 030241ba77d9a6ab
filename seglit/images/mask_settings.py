"""How masks are read beside their images: orientation, instance numbers, scale."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from seglit.errors import InputError
from seglit.images.picture import Picture
from seglit.images.scaling import scale_range

MaskOrientation = Literal["upright", "stored"]
"""Whether masks show the upright image, or the image as stored, before its EXIF orientation is applied."""


@dataclass(frozen=True)
class MaskSettings:
    """How masks are read beside their images; `seglit.data.FolderDataModule` documents each setting.

    Args:
        orientation: `mask_orientation`.
        divisor: `mask_divisor`.
        resize: `resize_masks`.

    Raises:
        InputError: The divisor is below 1.
    """

    orientation: MaskOrientation | None = None
    divisor: int = 1
    resize: bool = False

    def __post_init__(self) -> None:
        """Checks the divisor."""
        if self.divisor < 1:
            raise InputError(f"mask_divisor is {self.divisor}; it must be 1 or more, such as 1000")

    def upright(self, mask: Picture, image: Picture) -> Picture:
        """Returns the mask turned like its image, if it was drawn on the image as stored."""
        orientation = self.orientation or orientation_by_size(mask, image)
        return mask.turned_like(image) if orientation == "stored" and follows(mask, image) else mask

    def check_size(self, mask: Picture, image: Picture) -> None:
        """Checks the size of an upright mask.

        Raises:
            InputError: It is not the size of the image, nor the same at another scale if `resize` is set.
        """
        is_scaled = scale_range(image.size, mask.size) is not None
        if mask.size == image.size or (self.resize and is_scaled):
            return
        hint = "; they must be of the same size"
        if self.orientation is not None and follows(mask, image) and mask.size == image.size[::-1]:
            hint = f" when `mask_orientation: {self.orientation}` is applied; remove the setting or the pair"
        elif is_scaled:
            hint += "; if the mask shows the whole image at another scale, set `resize_masks: true`"
        elif self.resize:
            hint = "; `resize_masks` requires the same aspect ratio"
        raise InputError(
            f"{mask.path}: the mask is {mask.size[0]} x {mask.size[1]} pixels (height x width), but its image "
            f"{image.path.name} is {image.size[0]} x {image.size[1]}{hint}"
        )

    def classes(self, stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Returns the class values of stored integers (H, W), without instance numbers; colours as they are."""
        if self.divisor == 1 or stored.ndim == 3 or stored.max() < self.divisor:
            return stored
        values: npt.NDArray[Any] = stored // np.where(stored < self.divisor, 1, self.divisor).astype(stored.dtype)
        return values


def follows(mask: Picture, image: Picture) -> bool:
    """Whether the image has an EXIF orientation and the mask states none of its own."""
    return mask.orientation is None and image.orientation not in (None, 1)


def orientation_by_size(mask: Picture, image: Picture) -> MaskOrientation | None:
    """Returns the orientation in which the mask has the image's size, else its aspect ratio; None if both or none."""
    upright, stored = (
        2 if mask.size == size else scale_range(size, mask.size) is not None for size in (image.size, image.stored_size)
    )
    return None if upright == stored else "upright" if upright > stored else "stored"
