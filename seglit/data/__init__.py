"""Data: files or drawn images to batches.

>>> image, mask, name = SyntheticDataset(length=4, size=(48, 64)).read(0)
>>> image.shape, mask.shape, name
((48, 64, 3), (48, 64), '00000')
>>> Samples(SyntheticDataset(length=4))[0]["image"].shape
torch.Size([3, 96, 96])
"""

from seglit.data.annotated import AnnotationDataModule
from seglit.data.archives import Archive
from seglit.data.augment import Augment
from seglit.data.base import SegmentationDataModule
from seglit.data.batch import Batch, Sample
from seglit.data.cache import Cache
from seglit.data.dataset import SegmentationDataset
from seglit.data.file_dataset import FolderDataset
from seglit.data.file_pairs import PairsDataModule
from seglit.data.folder import FolderDataModule
from seglit.data.hugging_face import HuggingFaceDataModule
from seglit.data.samples import Samples
from seglit.data.synthetic import SyntheticDataModule, SyntheticDataset

__all__ = [
    "AnnotationDataModule",
    "Archive",
    "Augment",
    "Batch",
    "Cache",
    "FolderDataModule",
    "FolderDataset",
    "HuggingFaceDataModule",
    "PairsDataModule",
    "Sample",
    "Samples",
    "SegmentationDataModule",
    "SegmentationDataset",
    "SyntheticDataModule",
    "SyntheticDataset",
]
