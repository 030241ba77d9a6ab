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

    def name_of(self, index: int) -> str:
        """Returns the name of a pair."""
        return self.pairs[index].name

    def source(self, index: int) -> Source:
        """Returns the pair's files and the settings they are read by."""
        pair = self.pairs[index]
        return Source(pair.name, *self.reader.source(pair))
