"""Images annotated in labelme JSON."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seglit.annotations.json_files import uncovered
from seglit.annotations.labelme import draw_shapes
from seglit.data.dataset import Source
from seglit.data.file_pairs import PairsDataModule
from seglit.data.folder import FolderDataset
from seglit.errors import InputError, did_you_mean
from seglit.images.pairs import Pairing, PairSettings, Split
from seglit.images.read import read_image
from seglit.labels import IGNORE_INDEX, Labels


@dataclass
class LabelmeDataset(FolderDataset):
    """Images and their labelme files.

    Args:
        pairs: The files, in order; the mask is a JSON file.
        labels: The classes.
        in_channels: See `FolderDataset`.
        values: Label of a shape to class index or void.
        fill: Class index of pixels outside all shapes.
    """

    values: dict[str, int]
    fill: int

    def read(self, index: int) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8], str]:
        """Reads the image, applies its EXIF orientation, and draws its shapes; see `SegmentationDataset.read`."""
        pair = self.pairs[index]
        image = read_image(pair.image, self.in_channels, self.nodata)
        mask = draw_shapes(pair.mask, image.shape[:2], self.values, self.fill, pair.image.name)
        return image, mask, pair.name

    def source(self, index: int) -> Source:
        """Returns the two files, and the classes of the labels."""
        return super().source(index)._replace(options=(self.in_channels, self.nodata, self.fill, self.values))


class LabelmeDataModule(PairsDataModule):
    """Images with labelme JSON files, beside the images or in a folder of their own.

    As in labelme's own export, polygons, rectangles, circles and masks are drawn in the order of the file, later ones
    over earlier ones; a shape covers every pixel that its outline touches; and images without a JSON file are ignored,
    since nobody has annotated them. (An image that shows no object has a JSON file without shapes.)

    Args:
        root: The folder that all other paths are relative to.
        class_names: One name per class, in the order of the class indices: labels of shapes, and `background`.
        images: Folder of the images, sub-folders included. `{split}` stands for train, val or test.
        annotations: Folder of the JSON files; None finds them beside the images.
        background: Class of pixels outside all shapes; None makes them void.
        ignore_labels: Labels of shapes that are void.
        splits: For flat folders: split to list file (`train: train.txt`), or split to share (`val: 0.1`; the rest is
            train). For split folders: share of train to use as a split that has no folder.
        split_seed: Seed of the shares; separate from `seed`, so the split is the same for every seed of a run.
        palette: RGB colours to draw the classes in.
        loader: Batches and augmentation, see `SegmentationDataModule`.

    Raises:
        InputError: A folder, list or JSON file is missing, or a shape has another type or label.
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
            images, annotations or images, "{stem}.*", "{stem}.json", splits, split_seed, mask_suffixes=(".json",)
        )
        super().__init__(root, Labels.create(class_names, palette=palette), settings, **loader)
        self.fill = uncovered(class_names, background)
        self.values = {name: index for index, name in enumerate(class_names)}
        self.values |= dict.fromkeys(ignore_labels or [], IGNORE_INDEX)

    def dataset(self, split: Split) -> LabelmeDataset:
        """Returns the data set of a split."""
        return LabelmeDataset(
            self.pairs_of(split), self.labels, self.in_channels, self.values, self.fill, nodata=self.nodata
        )

    def find(self) -> Pairing:
        """Finds the images that have a JSON file."""
        pairing = super().find()
        if pairing.masks_without_image:
            file = pairing.masks_without_image[0]
            images = [*(pair.image.stem for pair in pairing.pairs), *(x.stem for x in pairing.images_without_mask)]
            raise InputError(f"{file}: its image {file.stem}.* does not exist{did_you_mean(file.stem, images)}")
        pairing.images_without_mask = {}
        return pairing
