"""Data: files or generated images in, batches out."""

from seglit.data.augment import Augment
from seglit.data.base import Batch, Sample, SegmentationDataModule, SegmentationDataset
from seglit.data.folder import FolderDataModule, FolderDataset
from seglit.data.synthetic import SyntheticDataModule, SyntheticDataset

__all__ = [
    "Augment",
    "Batch",
    "FolderDataModule",
    "FolderDataset",
    "Sample",
    "SegmentationDataModule",
    "SegmentationDataset",
    "SyntheticDataModule",
    "SyntheticDataset",
]
