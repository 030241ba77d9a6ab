"""Cityscapes: streets of 50 German, Swiss and French cities, finely labelled."""

from typing import Any

from torchvision.datasets import Cityscapes

from seglit.data.public.base import Part, PublicDataModule
from seglit.errors import InputError
from seglit.images.pairs import Pair, Split
from seglit.labels import Labels

_PAGE = "https://www.cityscapes-dataset.com/downloads"


class CityscapesDataModule(PublicDataModule):
    """Cityscapes with its 19 scored classes; the other 15 of the 34 ids in `*_gtFine_labelIds.png` are void.

    train (2,975 images) and val (500) are Cityscapes' own. There is no test: its mask files hold nothing, and
    Cityscapes scores on a server. Images are 1024 x 2048 (height x width).

    Below root lies what the archives unpack to; both need a login, so nothing is downloaded:

        leftImg8bit/{train,val}/CITY/*_leftImg8bit.png             (leftImg8bit_trainvaltest.zip, 11 GB)
        gtFine/{train,val}/CITY/*_gtFine_labelIds.png              (gtFine_trainvaltest.zip, 241 MB)

    `*_gtFine_labelTrainIds.png`, which some tools make, are not read: the same numbers mean other classes there.

    Args:
        root: The folder that the archives are unpacked in.
        loader: Batches and augmentation, see `SegmentationDataModule`.

    Raises:
        InputError: A part is missing.
    """

    def __init__(
        self,
        root: str,
        **loader: Any,
    ) -> None:
        stored = [each for each in Cityscapes.classes if each.id >= 0]  # licence plates, -1, are in no mask
        scored = [each for each in stored if not each.ignore_in_eval]  # in the order of their training ids
        labels = Labels.create(
            [each.name for each in scored],
            mask_values={each.name: each.id for each in scored},
            ignore_values=[each.id for each in stored if each.ignore_in_eval],
            palette=[each.color for each in scored],
        )
        parts = [Part("leftImg8bit", _PAGE), Part("gtFine", _PAGE)]
        source = f"log in at {_PAGE}, fetch leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip, unpack both there"
        super().__init__(root, labels, parts, source, False, **loader)

    def find(self, split: Split) -> list[Pair]:
        """Names the pairs of a split; see `PublicDataModule.find`."""
        if split == "test":
            return []
        pairs: list[Pair] = []
        for image in sorted((self.root / "leftImg8bit" / split).glob("*/*_leftImg8bit.png")):
            city, stem = image.parent.name, image.name.removesuffix("_leftImg8bit.png")
            folder = self.root / "gtFine" / split / city
            mask = folder / f"{stem}_gtFine_labelIds.png"
            if not mask.is_file() and (folder / f"{stem}_gtFine_labelTrainIds.png").is_file():
                raise InputError(
                    f"{mask}: no such file; {stem}_gtFine_labelTrainIds.png is not read, unpack gtFine_trainvaltest.zip"
                )
            pairs.append(Pair(image, mask, f"{city}/{stem}"))
        return pairs
