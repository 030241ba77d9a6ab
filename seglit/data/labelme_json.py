"""Polygons drawn with labelme, as masks for any folder of images."""

from typing import Any

import numpy as np
import numpy.typing as npt

from seglit.annotations.json_files import uncovered
from seglit.annotations.labelme import draw_shapes
from seglit.data.dataset import Source
from seglit.data.folder import FolderDataset, PairsDataModule
from seglit.errors import InputError, did_you_mean
from seglit.images.matching import find_pairs
from seglit.images.pairs import Pair, Pairing, PairSettings, Split
from seglit.images.picture import read_image
from seglit.labels import IGNORE_INDEX, Labels


class LabelmeDataset(FolderDataset):
    """Images and their labelme files.

    Args:
        pairs: The files, in order; the mask is a JSON.
        labels: The classes.
        values: A shape's label to its class index, or void.
        fill: Class index of the pixels in no shape.
        in_channels: See `FolderDataset`.
    """

    def __init__(
        self,
        pairs: list[Pair],
        labels: Labels,
        values: dict[str, int],
        fill: int,
        in_channels: int = 3,
    ) -> None:
        super().__init__(pairs, labels, in_channels)
        self.values = values
        self.fill = fill

    def read(self, index: int) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8], str]:
        """Reads the image upright, as labelme shows it, and draws its shapes; see `SegmentationDataset.read`."""
        pair = self.pairs[index]
        image = read_image(pair.image, self.in_channels)
        mask = draw_shapes(pair.mask, image.shape[:2], self.values, self.fill, pair.image.name)
        return image, mask, pair.name

    def source(self, index: int) -> Source:
        """The two files, and what the labels mean; see `SegmentationDataset.source`."""
        return super().source(index)._replace(options=(self.in_channels, self.fill, self.values))


class LabelmeDataModule(PairsDataModule):
    """Images with labelme's JSON beside them, or in a folder of their own.

    Polygons, rectangles, circles and masks are drawn in the order of the file, later ones over earlier ones; a shape
    covers every pixel that its outline touches. Both are as in labelme's own export, and so are images without a JSON:
    passed over, because nobody has looked at them. (An image that shows nothing has a JSON without shapes.)

    Args:
        root: The folder that everything below is relative to.
        class_names: One name a class, in the order of the class indices: the labels of the shapes, and `background`.
        images: Folder of the images; sub-folders are read too. `{split}` stands for train, val or test.
        annotations: Folder of the JSON files; None finds them beside the images.
        background: Class of the pixels in no shape; None makes them void.
        ignore_labels: Labels of shapes that are void.
        splits: For flat folders: split to list file (`train: train.txt`), or split to share (`val: 0.1`; the rest is
            train). Beside split folders, a share is drawn from train for a split that has no folder.
        split_seed: Draws the shares; apart from `seed`, so that another run seed keeps the split.
        palette: RGB colours that pictures draw the classes in.
        loader: Batches and augmentation, see `SegmentationDataModule`.

    Raises:
        InputError: A folder, list or JSON is missing, or a shape is of another kind or label.
    """

    def __init__(
        self,
        root: str,
        class_names: list[str],
        images: str = "images/{split}",
        annotations: str | None = None,
        background: str | None = "background",
        ignore_labels: list[str] | None = None,
        splits: dict[str, float | str] | None = None,
        split_seed: int = 0,
        palette: list[list[int]] | None = None,
        **loader: Any,
    ) -> None:
        settings = PairSettings(
            images, annotations or images, mask_name="{stem}.json", splits=splits, split_seed=split_seed
        )
        super().__init__(root, Labels.create(class_names, palette=palette), settings, **loader)
        self.fill = uncovered(class_names, background)
        self.values = {name: index for index, name in enumerate(class_names)}
        self.values |= dict.fromkeys(ignore_labels or [], IGNORE_INDEX)

    def dataset(self, split: Split) -> LabelmeDataset:
        """Makes the data set of a split."""
        return LabelmeDataset(self.pairs_of(split), self.labels, self.values, self.fill, self.in_channels)

    def find(self) -> Pairing:
        """Finds the images that have a JSON; the others are passed over."""
        found = find_pairs(self.root, self.settings, (".json",))
        if found.masks_alone:
            file = found.masks_alone[0]
            images = [*(pair.image.stem for pair in found.pairs), *(image.stem for image in found.images_alone)]
            raise InputError(f"{file}: its image {file.stem}.* is not there{did_you_mean(file.stem, images)}")
        found.images_alone = {}
        return found
