"""The data set of pairs of image and mask files."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seglit.data.dataset import SegmentationDataset, Source
from seglit.images.pairs import Pair
from seglit.images.read import PairReader


@dataclass
class FolderDataset(SegmentationDataset):
    """Pairs of image and mask files.

    Args:
        pairs: The files, in order.
        reader: Reads them.
    """

    pairs: list[Pair]
    reader: PairReader

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.pairs)

    def read(self, index: int) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8], str]:
        """Reads a pair; see `SegmentationDataset.read`."""
        pair = self.pairs[index]
        return *self.reader.read(pair), pair.name

    def source(self, index: int) -> Source:
        """Returns the pair's files and the settings they are read by."""
        pair = self.pairs[index]
        reader, labels = self.reader, self.reader.labels  # not its names and colours, which change nothing decoded
        options = reader.in_channels, reader.nodata, labels.values, labels.tolerance, reader.masks, pair.page
        return Source(pair.name, (pair.image, pair.mask), options)
