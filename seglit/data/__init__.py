"""Data: files or generated images in, batches out."""

from seglit.data.ade20k import ADE20KDataModule
from seglit.data.augment import Augment
from seglit.data.base import SegmentationDataModule, SegmentationDataset
from seglit.data.batch import Batch, Sample
from seglit.data.cache import Cache
from seglit.data.cityscapes import CityscapesDataModule
from seglit.data.coco_json import CocoDataModule
from seglit.data.folder import FolderDataModule, FolderDataset
from seglit.data.hugging_face import HuggingFaceDataModule
from seglit.data.labelme_json import LabelmeDataModule
from seglit.data.pet import OxfordPetDataModule
from seglit.data.synthetic import SyntheticDataModule, SyntheticDataset
from seglit.data.voc import VOCDataModule

__all__ = [
    "ADE20KDataModule",
    "Augment",
    "Batch",
    "Cache",
    "CityscapesDataModule",
    "CocoDataModule",
    "FolderDataModule",
    "FolderDataset",
    "HuggingFaceDataModule",
    "LabelmeDataModule",
    "OxfordPetDataModule",
    "Sample",
    "SegmentationDataModule",
    "SegmentationDataset",
    "SyntheticDataModule",
    "SyntheticDataset",
    "VOCDataModule",
]
