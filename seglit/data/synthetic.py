"""A synthetic data set of shapes for tests and first runs, without files; `seglit shapes` writes it to a folder."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seglit.data.base import SegmentationDataModule
from seglit.data.dataset import SegmentationDataset
from seglit.drawing.shapes import LABELS, draw_shapes
from seglit.images.pairs import Split


@dataclass
class SyntheticDataset(SegmentationDataset):
    """Shapes on a textured background, drawn from (split, index).

    Args:
        length: Number of images.
        split: Splits have different images.
        size: (height, width) in pixels.
        in_channels: Channels of the images.
    """

    length: int
    split: Split = "train"
    size: tuple[int, int] = (96, 96)
    in_channels: int = 3

    def __len__(self) -> int:
        """Number of images."""
        return self.length

    def read(self, index: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], str]:
        """Draws image (H, W, C) uint8 and mask (H, W) uint8."""
        return draw_shapes(self.split, index, self.size, self.in_channels)


class SyntheticDataModule(SegmentationDataModule):
    """Shapes, drawn while training; needs no files.

    Args:
        num_train: Number of training images.
        num_val: Number of validation images.
        num_test: Number of test images.
        size: (height, width) in pixels of every image.
        loader: Batches and augmentation, see `SegmentationDataModule`.
    """

    def __init__(
        self,
        num_train: int = 256,
        num_val: int = 32,
        num_test: int = 64,
        size: tuple[int, int] = (96, 96),
        **loader: Any,
    ) -> None:
        super().__init__(LABELS, **loader)
        self.lengths: dict[Split, int] = {"train": num_train, "val": num_val, "test": num_test}
        self.size = size

    def dataset(self, split: Split) -> SyntheticDataset:
        """Returns the data set of a split."""
        return SyntheticDataset(self.lengths[split], split, self.size, self.in_channels)
