"""ADE20K in its SceneParsing release: 150 classes of things and stuff."""

from typing import Any

from seglit.data.public.ade20k_classes import CLASSES
from seglit.data.public.base import Part, PublicDataModule
from seglit.images.pairs import Pair, Split
from seglit.labels import Labels

_ADE20K = Part(
    "ADEChallengeData2016",
    "https://data.csail.mit.edu/places/ADEchallenge/ADEChallengeData2016.zip",
    "7328b3957e407ddae1d3cbf487f149ef",
)
_FOLDERS: dict[Split, str] = {"train": "training", "val": "validation"}


class ADE20KDataModule(PublicDataModule):
    """ADE20K's SceneParsing release: stored 1 to 150 are the classes, 0 (anything else) is void.

    train is its training (20,210 images), val its validation (2,000). There is no test: its masks are not public.

    Below root lies what ADEChallengeData2016.zip unpacks to:

        ADEChallengeData2016/images/{training,validation}/*.jpg
        ADEChallengeData2016/annotations/{training,validation}/*.png

    Args:
        root: The folder that the archive is unpacked in.
        download: Whether it is downloaded where it is missing (0.9 GB).
        loader: Batches and augmentation, see `SegmentationDataModule`.

    Raises:
        InputError: The tree is missing and not to be downloaded.
    """

    def __init__(
        self,
        root: str,
        download: bool = False,
        **loader: Any,
    ) -> None:
        values: dict[str, int | list[int]] = {name: stored for stored, name in enumerate(CLASSES, start=1)}
        labels = Labels.create(list(CLASSES), values, ignore_values=[0], palette=list(CLASSES.values()))
        source = "`download: true` fetches it, or unpack ADEChallengeData2016.zip there"
        super().__init__(root, labels, [_ADE20K], source, download, **loader)

    def find(self, split: Split) -> list[Pair]:
        """Names the pairs of a split; see `PublicDataModule.find`."""
        if split == "test":
            return []
        tree, folder = self.root / _ADE20K.path, _FOLDERS[split]
        images = sorted((tree / "images" / folder).glob("*.jpg"))
        return [Pair(image, tree / "annotations" / folder / f"{image.stem}.png", image.stem) for image in images]
