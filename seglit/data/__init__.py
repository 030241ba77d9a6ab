"""Data: files or generated images in, batches out."""

from seglit.data.augment import Augment
from seglit.data.base import SegmentationDataModule, SegmentationDataset
from seglit.data.batch import Batch, Sample
from seglit.data.cache import Cache
from seglit.data.coco_json import CocoDataModule
from seglit.data.folder import FolderDataModule, FolderDataset
from seglit.data.hugging_face import HuggingFaceDataModule
from seglit.data.labelme_json import LabelmeDataModule
from seglit.data.public.ade20k import ADE20KDataModule
from seglit.data.public.cityscapes import CityscapesDataModule
from seglit.data.public.pet import OxfordPetDataModule
from seglit.data.public.voc import VOCDataModule
from seglit.data.synthetic import SyntheticDataModule, SyntheticDataset

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
