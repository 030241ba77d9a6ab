"""Base class of data sets: pairs of image and mask by index."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from seglit.errors import InputError
from seglit.images.validity import void_without_data


class Source(NamedTuple):
    """Cache key of a pair: everything that determines its decoded arrays.

    Args:
        name: The sample's name; not part of the key.
        files: The files that are decoded.
        options: Every setting that changes how they are decoded, as plain data with a distinct `repr`.
    """

    name: str
    files: tuple[Path, ...]
    options: tuple[object, ...]


class SegmentationDataset(ABC):
    """Images and masks by index. A subclass defines `__len__` and `read`, and `source` if it is to be cached."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of pairs."""

    @abstractmethod
    def read(self, index: int) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8], str]:
        """Reads image (H, W, C) as stored, class indices (H, W) uint8 with void 255, and the sample's name.

        The mask may show the whole image at another scale: training resizes it to the image, scores are at its own.
        A NumPy masked array marks pixels without data; its values there must be finite.
        """

    def name_of(self, index: int) -> str:
        """Returns the sample's name; overridden where that needs no reading."""
        return self.read(index)[2]

    def pair(self, index: int) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8], str]:
        """Reads a pair; pixels without data in all channels are void."""
        image, mask, name = self.read(index)
        return image, void_without_data(mask, image), name

    def source(self, index: int) -> Source:
        """Everything that `read(index)` depends on.

        Raises:
            InputError: The data set does not say, so its pairs cannot be cached.
        """
        raise InputError(f"cache is set, but {type(self).__name__} has no `source` that says what a pair is read from")
