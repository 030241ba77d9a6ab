"""Pascal VOC 2012 with the training images of the Semantic Boundaries Dataset, whose masks are MATLAB files."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torchvision.datasets import SBDataset

from seglit.config.bounded_yaml import load_yaml
from seglit.config.named_configs import find_config
from seglit.data.archives import Archive
from seglit.data.file_dataset import FolderDataset
from seglit.data.folder import FolderDataModule
from seglit.errors import InputError
from seglit.images.listing import nearest_entry, read_list
from seglit.images.matching import missing_file
from seglit.images.pairs import Pair, Pairing, Split
from seglit.images.picture import Picture, open_picture

SBD = Archive("benchmark_RELEASE/dataset", SBDataset.url, SBDataset.md5)


class VOCWithSBDDataset(FolderDataset):
    """Pairs of VOC and SBD; masks of SBD are MATLAB files."""

    def read(self, index: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], str]:
        """Reads a pair; see `SegmentationDataset.read`."""
        pair = self.pairs[index]
        if pair.mask.suffix != ".mat":
            return super().read(index)
        from scipy.io import loadmat

        stored = loadmat(pair.mask)["GTcls"][0]["Segmentation"][0]  # (H, W) uint8 in a 1 x 1 struct
        mask = Picture.of_array(stored, pair.mask)
        image = open_picture(pair.image, self.reader.in_channels)
        return *self.reader.decode(image, mask), pair.name


class VOCWithSBDDataModule(FolderDataModule):
    """Pascal VOC 2012 with the training split "train_aug": 10,582 images of VOC and SBD that are not in VOC's val.

    An image in both keeps VOC's mask, which is finer and has void borders. val is VOC's (1,449 images); there is no
    test split. Classes, colours and void are those of configs/data/voc.yaml.

    Args:
        root: The folder with the unpacked archives: VOCdevkit/VOC2012 and benchmark_RELEASE/dataset.
        loader: Downloading, batches and augmentation, see `PairsDataModule`.

    Raises:
        InputError: A part is missing and `download` is not set.
    """

    def __init__(self, root: str, **loader: Any) -> None:
        voc: dict[str, Any] = load_yaml(find_config("data", "voc").read_text(encoding="utf-8"))["init_args"]
        super().__init__(
            root,
            voc["class_names"],
            images=voc["images"],
            masks=voc["masks"],
            splits=voc["splits"],
            ignore_values=voc["ignore_values"],
            palette=voc["palette"],
            archives=[*(Archive(**archive) for archive in voc["archives"]), SBD],
            **loader,
        )

    def dataset(self, split: Split) -> VOCWithSBDDataset:
        """Returns the data set of a split."""
        return VOCWithSBDDataset(self.pairs_of(split), self.reader)

    def find(self) -> Pairing:
        """Finds the pairs of VOC, and those that only SBD has."""
        pairing = super().find()
        folder = self.root / SBD.path
        in_voc = {pair.name for pair in pairing.pairs}
        names = {name for file in ("train.txt", "val.txt") for name in _read_names(folder / file)}
        for name in sorted(names - in_voc):
            pair = Pair(folder / "img" / f"{name}.jpg", folder / "cls" / f"{name}.mat", name, "train")
            pairing.missing += [missing_file(pair.image, path, "SBD:") for path in pair[:2] if not path.is_file()]
            pairing.pairs.append(pair)
        return pairing


def _read_names(file: Path) -> list[str]:
    if not file.is_file():
        raise InputError(f"{file}: no such list of names{nearest_entry(file)}")
    return read_list(file)
