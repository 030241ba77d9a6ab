"""Pascal VOC 2012, and its training set enlarged by the Semantic Boundaries Dataset."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torchvision.datasets import SBDataset
from torchvision.datasets.voc import DATASET_YEAR_DICT

from seglit.data.augment import Pipeline
from seglit.data.folder import FolderDataset
from seglit.data.public.base import Part, PublicDataModule, read_names
from seglit.errors import InputError
from seglit.images.pairs import Pair, Split
from seglit.images.picture import read_image
from seglit.labels import Labels

CLASSES = {
    "background": (0, 0, 0),
    "aeroplane": (128, 0, 0),
    "bicycle": (0, 128, 0),
    "bird": (128, 128, 0),
    "boat": (0, 0, 128),
    "bottle": (128, 0, 128),
    "bus": (0, 128, 128),
    "car": (128, 128, 128),
    "cat": (64, 0, 0),
    "chair": (192, 0, 0),
    "cow": (64, 128, 0),
    "diningtable": (192, 128, 0),
    "dog": (64, 0, 128),
    "horse": (192, 0, 128),
    "motorbike": (64, 128, 128),
    "person": (192, 128, 128),
    "pottedplant": (0, 64, 0),
    "sheep": (128, 64, 0),
    "sofa": (0, 192, 0),
    "train": (128, 192, 0),
    "tvmonitor": (0, 64, 128),
}

_VOC = Part("VOCdevkit/VOC2012", DATASET_YEAR_DICT["2012"]["url"], DATASET_YEAR_DICT["2012"]["md5"])
_SBD = Part("benchmark_RELEASE/dataset", SBDataset.url, SBDataset.md5)


class VOCDataset(FolderDataset):
    """Pairs of VOC; a mask of SBD is a MATLAB file."""

    def read(self, index: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], str]:
        """Reads a pair; see `SegmentationDataset.read`."""
        pair = self.pairs[index]
        if pair.mask.suffix != ".mat":
            return super().read(index)
        from scipy.io import loadmat

        stored = loadmat(pair.mask)["GTcls"][0]["Segmentation"][0]  # (H, W) uint8 in a struct of 1 x 1
        image = read_image(pair.image, self.in_channels)
        if image.shape[:2] != stored.shape:
            raise InputError(
                f"{pair.mask}: the mask is {stored.shape[0]} x {stored.shape[1]} pixels (height x width), its image "
                f"{image.shape[0]} x {image.shape[1]}; they must be of one size"
            )
        return image, self.labels.encode(stored, str(pair.mask)), pair.name


class VOCDataModule(PublicDataModule):
    """Pascal VOC 2012: 20 classes and background, 255 (borders and hard objects) is void.

    train is VOC's own (1,464 images), val too (1,449). There is no test: its masks are not public, and VOC scores on
    a server. With `sbd`, train is VOC's and SBD's training and validation images without those of val: the usual
    10,582 of "train_aug". An image that both have keeps VOC's mask, which is finer and has the void borders.

    Below root lies what the archives unpack to:

        VOCdevkit/VOC2012/{JPEGImages,SegmentationClass}
        VOCdevkit/VOC2012/ImageSets/Segmentation/{train,val}.txt
        benchmark_RELEASE/dataset/{img,cls,train.txt,val.txt}      (SBD; masks as MATLAB files, which scipy reads)

    Args:
        root: The folder that the archives are unpacked in.
        sbd: Whether SBD's masks are trained on too.
        download: Whether what is missing is downloaded (VOC 2 GB, SBD 1.4 GB).
        loader: Batches and augmentation, see `SegmentationDataModule`.

    Raises:
        InputError: A part is missing and not to be downloaded.
    """

    def __init__(
        self,
        root: str,
        sbd: bool = False,
        download: bool = False,
        **loader: Any,
    ) -> None:
        labels = Labels.create(list(CLASSES), ignore_values=[255], palette=list(CLASSES.values()))
        parts = [_VOC, _SBD] if sbd else [_VOC]
        archives = " and ".join(Path(part.url).name for part in parts)
        source = f"`download: true` fetches it, or unpack {archives} there"
        super().__init__(root, labels, parts, source, download, **loader)
        self.sbd = sbd

    def dataset(self, split: Split, pipeline: Pipeline | None = None) -> VOCDataset:
        """Makes the data set of a split."""
        return VOCDataset(self.pairs(split), self.labels, self.in_channels, pipeline, self.seed)

    def find(self, split: Split) -> list[Pair]:
        """Names the pairs of a split; see `PublicDataModule.find`."""
        if split == "test":
            return []
        own = self._own(split)
        if split == "val" or not self.sbd:
            return own
        known = {pair.name for pair in (*own, *self._own("val"))}
        folder = self.root / _SBD.path
        names = {name for file in ("train.txt", "val.txt") for name in read_names(folder / file)}
        return own + [
            Pair(folder / "img" / f"{name}.jpg", folder / "cls" / f"{name}.mat", name) for name in sorted(names - known)
        ]

    def _own(self, split: Split) -> list[Pair]:
        """VOC's pairs of a split, without SBD's."""
        folder = self.root / _VOC.path
        names = read_names(folder / "ImageSets" / "Segmentation" / f"{split}.txt")
        return [
            Pair(folder / "JPEGImages" / f"{name}.jpg", folder / "SegmentationClass" / f"{name}.png", name)
            for name in names
        ]
