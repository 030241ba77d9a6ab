"""Oxford-IIIT Pet: cats and dogs of 37 breeds, each cut out by a trimap."""

import random
from typing import Any, Literal

from seglit.data.public.base import Part, PublicDataModule, read_names
from seglit.errors import InputError
from seglit.images.pairs import Pair, Split
from seglit.labels import Labels

_SITE = "https://www.robots.ox.ac.uk/~vgg/data/pets/data"
_FOLDER = "oxford-iiit-pet"  # as torchvision has it; the checksums are torchvision's too
_PARTS = [
    Part(f"{_FOLDER}/images", f"{_SITE}/images.tar.gz", "5c4f3ee8e5d25df40f4fd59a7f44e54c", "images"),
    Part(f"{_FOLDER}/annotations", f"{_SITE}/annotations.tar.gz", "95a8c909bbe2e81eed6a22bccdf3f68f", "annotations"),
]


class OxfordPetDataModule(PublicDataModule):
    """Oxford-IIIT Pet: pet against background; the trimap's border, a band of several pixels, is void.

    test is the set's own (3,669 images). It has no val: a share of its trainval (3,680), drawn by `split_seed` from
    the names alone, is val; the rest is train.

    Below root lies, as torchvision has it, what the archives unpack to:

        oxford-iiit-pet/images/*.jpg                               (images.tar.gz)
        oxford-iiit-pet/annotations/{trimaps/*.png,trainval.txt,test.txt}      (annotations.tar.gz)

    Args:
        root: The folder that holds oxford-iiit-pet.
        val_share: Share of trainval that is val.
        split_seed: Draws that share; apart from `seed`, so that another run seed keeps the split.
        border: Whether the trimap's border is void, counts as pet, or is a class of its own.
        download: Whether what is missing is downloaded (0.8 GB).
        loader: Batches and augmentation, see `SegmentationDataModule`.

    Raises:
        InputError: A part is missing and not to be downloaded, or `val_share` is no share.
    """

    def __init__(
        self,
        root: str,
        val_share: float = 0.1,
        split_seed: int = 0,
        border: Literal["void", "pet", "class"] = "void",
        download: bool = False,
        **loader: Any,
    ) -> None:
        if not 0 < val_share < 1:
            raise InputError(f"val_share is {val_share}; it is a share of trainval, between 0 and 1")
        source = f"`download: true` fetches it, or unpack images.tar.gz and annotations.tar.gz in {_FOLDER}"
        super().__init__(root, _labels(border), _PARTS, source, download, **loader)
        self.val_share = val_share
        self.split_seed = split_seed

    def find(self, split: Split) -> list[Pair]:
        """Names the pairs of a split; see `PublicDataModule.find`."""
        tree = self.root / _FOLDER
        names = read_names(tree / "annotations" / f"{'test' if split == 'test' else 'trainval'}.txt")
        if split != "test":
            names.sort()
            random.Random(self.split_seed).shuffle(names)
            count = round(self.val_share * len(names))
            names = names[:count] if split == "val" else names[count:]
        return [
            Pair(tree / "images" / f"{name}.jpg", tree / "annotations" / "trimaps" / f"{name}.png", name)
            for name in names
        ]


def _labels(border: str) -> Labels:
    """Stored are 1 pet, 2 background, 3 border."""
    if border == "class":
        values: dict[str, int | list[int]] = {"background": 2, "pet": 1, "border": 3}
        return Labels.create(list(values), values, palette=[[60, 60, 70], [230, 85, 75], [245, 185, 65]])
    values = {"background": 2, "pet": [1, 3] if border == "pet" else 1}
    void = [3] if border == "void" else []
    return Labels.create(list(values), values, ignore_values=void, palette=[[60, 60, 70], [230, 85, 75]])
