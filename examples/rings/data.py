"""A data set of one's own: discs and rings that NumPy draws. `read` may as well open any file."""

from typing import Any

import numpy as np
import numpy.typing as npt

from seglit import Labels, SegmentationDataModule, SegmentationDataset

LABELS = Labels.create(["background", "disc", "ring"], palette=[[40, 40, 50], [230, 90, 70], [80, 160, 230]])
SPLITS = ("train", "val", "test")


class Rings(SegmentationDataset):
    """Images with one disc and one ring each.

    Args:
        split: One of `SPLITS`; each has its own images.
        length: Number of images.
    """

    def __init__(self, split: str, length: int) -> None:
        self.split = split
        self.length = length

    def __len__(self) -> int:
        """Number of images."""
        return self.length

    def read(self, index: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], str]:
        """Draws image (64, 64, 3) uint8 and mask (64, 64) uint8."""
        rng = np.random.default_rng((SPLITS.index(self.split), index))
        y, x = np.mgrid[:64, :64]
        mask = np.zeros((64, 64), np.uint8)
        for class_index in (1, 2):
            row, column, radius = *rng.integers(12, 52, 2), rng.integers(7, 12)
            distance = np.hypot(y - row, x - column)
            mask[(distance < radius) & ((distance > radius - 4) | (class_index == 1))] = class_index
        image = rng.normal(60, 25, (64, 64, 3)) + 70 * (mask > 0)[..., None]  # both classes look the same
        return image.clip(0, 255).astype(np.uint8), mask, f"{self.split}_{index:03d}"


class RingsDataModule(SegmentationDataModule):
    """Discs and rings.

    Args:
        num_train: Number of training images.
        num_eval: Number of validation and of test images.
        loader: Batches and augmentation, see `SegmentationDataModule`.
    """

    def __init__(self, num_train: int = 128, num_eval: int = 32, **loader: Any) -> None:
        super().__init__(LABELS, **loader)
        self.lengths = {"train": num_train, "val": num_eval, "test": num_eval}

    def dataset(self, split: str) -> Rings:
        """Returns the data set of a split."""
        return Rings(split, self.lengths[split])
