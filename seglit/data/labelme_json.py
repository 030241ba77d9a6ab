"""Polygons drawn with labelme, as masks for any folder of images."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seglit.annotations.json_files import uncovered
from seglit.annotations.labelme import draw_shapes
from seglit.data.augment import Augment, Pipeline
from seglit.data.cache import Cache, Source
from seglit.data.folder import FolderDataModule, FolderDataset
from seglit.errors import InputError, did_you_mean
from seglit.images.listing import picture_folders, pictures_below
from seglit.images.pairs import Pair, Split
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
        pipeline: See `SegmentationDataset`.
        seed: See `SegmentationDataset`.
    """

    def __init__(
        self,
        pairs: list[Pair],
        labels: Labels,
        values: dict[str, int],
        fill: int,
        in_channels: int = 3,
        pipeline: Pipeline | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(pairs, labels, in_channels, pipeline, seed)
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


class LabelmeDataModule(FolderDataModule):
    """Images with labelme's JSON beside them, or in a folder of their own.

    Polygons, rectangles, circles and masks are drawn in the order of the file, later ones over earlier ones; a shape
    covers every pixel that its outline touches. Both are as in labelme's own export, and so are images without a JSON:
    passed over, because nobody has looked at them. (An image that shows nothing has a JSON without shapes.)

    Args:
        root: The folder that everything below is relative to.
        class_names: One name a class, in the order of the class indices: the labels of the shapes, and `background`.
        images: Folder of the images; see `FolderDataModule`.
        annotations: Folder of the JSON files; None finds them beside the images.
        background: Class of the pixels in no shape; None makes them void.
        ignore_labels: Labels of shapes that are void.
        splits: For flat folders: list files or shares; see `FolderDataModule`.
        split_seed: See `FolderDataModule`.
        palette: RGB colours that pictures draw the classes in.
        in_channels: See `FolderDataModule`.
        batch_size: See `SegmentationDataModule`.
        crop_size: See `SegmentationDataModule`.
        augment: See `SegmentationDataModule`.
        num_workers: See `SegmentationDataModule`.
        seed: See `SegmentationDataModule`.
        mean: See `SegmentationDataModule`.
        std: See `SegmentationDataModule`.
        cache: See `SegmentationDataModule`.

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
        in_channels: int = 3,
        batch_size: int = 8,
        crop_size: tuple[int, int] | None = None,
        augment: Augment | None = None,
        num_workers: int | None = None,
        seed: int = 0,
        mean: list[float] | None = None,
        std: list[float] | None = None,
        cache: Cache | None = None,
    ) -> None:
        super().__init__(
            root,
            class_names,
            images=images,
            masks=annotations or images,
            splits=splits,
            split_seed=split_seed,
            palette=palette,
            in_channels=in_channels,
            batch_size=batch_size,
            crop_size=crop_size,
            augment=augment,
            num_workers=num_workers,
            seed=seed,
            mean=mean,
            std=std,
            cache=cache,
        )
        self.fill = uncovered(class_names, background)
        self.values = {name: index for index, name in enumerate(class_names)}
        self.values |= dict.fromkeys(ignore_labels or [], IGNORE_INDEX)

    def dataset(self, split: Split, pipeline: Pipeline | None = None) -> LabelmeDataset:
        """Makes the data set of a split."""
        return LabelmeDataset(
            self.pairs_of(split), self.labels, self.values, self.fill, self.in_channels, pipeline, self.seed
        )

    def _match(self, images: Path, masks: Path) -> list[Pair]:
        by_name = {path.relative_to(images).with_suffix("").as_posix(): path for path in pictures_below(images)}
        pairs: list[Pair] = []
        for file in sorted(file for folder, _ in picture_folders(masks) for file in folder.glob("[!.]*.json")):
            name = file.relative_to(masks).with_suffix("").as_posix()
            if name not in by_name:
                raise InputError(f"{file}: its image {name}.* is not in {images}{did_you_mean(name, list(by_name))}")
            pairs.append(Pair(by_name[name], file, name))
        return pairs
