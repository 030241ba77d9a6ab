"""COCO JSON (polygons and run-length codes), as masks for any folder of images."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seglit.annotations.coco import FORMAT, Annotated, category_names, find_regions, read_coco
from seglit.annotations.coco_regions import draw_regions
from seglit.annotations.json_files import uncovered, understanding
from seglit.data.augment import Augment, Pipeline
from seglit.data.cache import Cache, Source
from seglit.data.folder import FolderDataModule, FolderDataset
from seglit.errors import InputError
from seglit.images.listing import nearest_entry
from seglit.images.pairs import SPLITS, Pair, Split, listed_file, refuse_overlap
from seglit.images.picture import read_image
from seglit.labels import Labels


class CocoDataset(FolderDataset):
    """Images, and their regions in a COCO file.

    Args:
        pairs: The files, in order; the mask is the COCO file.
        labels: The classes.
        annotated: Image file to what is known of it.
        fill: Class index of the pixels in no region.
        in_channels: See `FolderDataset`.
        pipeline: See `SegmentationDataset`.
        seed: See `SegmentationDataset`.
    """

    def __init__(
        self,
        pairs: list[Pair],
        labels: Labels,
        annotated: Mapping[Path, Annotated],
        fill: int,
        in_channels: int = 3,
        pipeline: Pipeline | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(pairs, labels, in_channels, pipeline, seed)
        self.annotated = annotated
        self.fill = fill

    def read(self, index: int) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8], str]:
        """Reads the image upright and draws its regions; see `SegmentationDataset.read`."""
        pair = self.pairs[index]
        height, width, regions = self.annotated[pair.image]
        image = read_image(pair.image, self.in_channels)
        if image.shape[:2] != (height, width):
            raise InputError(
                f"{pair.mask}: says that {pair.image.name} has {height} x {width} pixels (height x width); upright, as "
                f"its EXIF says, it has {image.shape[0]} x {image.shape[1]}"
            )
        where = f"{pair.mask}: image {pair.name}"
        return image, draw_regions(json.loads(regions), height, width, self.fill, where), pair.name

    def source(self, index: int) -> Source:
        """The image, and what the COCO file says of it alone; see `SegmentationDataset.source`."""
        pair = self.pairs[index]
        return Source(pair.name, (pair.image,), (self.in_channels, self.fill, self.annotated[pair.image]))


class CocoDataModule(FolderDataModule):
    """Images with COCO JSON: one file a split, or one for all.

    COCO knows no order among the regions of an image. Larger ones are drawn first, so that what lies on or in
    something else stays visible; equal ones in the order of the file. Crowds (`iscrowd: 1`) outline groups roughly:
    they are void, except where single objects lie on them. It needs `pip install "seglit[coco]"`.

    Args:
        root: The folder that everything below is relative to.
        images: Folder of the images, which the files' `file_name` is relative to; `{split}` stands for train, val or
            test.
        annotations: The JSON; without `{split}` one for all, which `splits` divides.
        class_names: One name a class, in the order of the class indices: names of categories, and `background`.
            Regions of other categories are left out. None takes `background`, then all categories of train by id.
        background: Class of the pixels in no region; None makes them void.
        splits: Where one JSON is for all: list files or shares; see `FolderDataModule`.
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
        InputError: A JSON, image or class is missing, or a region is no polygon or run-length code.
    """

    def __init__(
        self,
        root: str,
        images: str = "images/{split}",
        annotations: str = "annotations/{split}.json",
        class_names: list[str] | None = None,
        background: str | None = "background",
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
        self._parsed: dict[Path, dict[str, Any]] = {}
        if class_names is None:
            file = Path(root) / annotations.replace("{split}", "train")
            self._parsed[file] = read_coco(file)
            with understanding(file, FORMAT):
                class_names = category_names(self._parsed[file], background)
        super().__init__(
            root,
            class_names,
            images=images,
            masks=images,
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
        self.annotations = annotations
        self.fill = uncovered(class_names, background)
        self._annotated: dict[Path, Annotated] = {}

    def dataset(self, split: Split, pipeline: Pipeline | None = None) -> CocoDataset:
        """Makes the data set of a split."""
        pairs = self.pairs_of(split)
        return CocoDataset(pairs, self.labels, self._annotated, self.fill, self.in_channels, pipeline, self.seed)

    def _where(self, split: Split) -> str:
        divided = f", splits is {self.splits}" if self.splits else ""
        file = self.root / self.annotations.replace("{split}", split)
        return f"looked in {file}{divided}{'' if file.is_file() else nearest_entry(file)}"

    def _find(self) -> dict[Split, list[Pair]]:
        if "{split}" not in self.annotations:
            return self._divide(self._listed(self.root / self.annotations, self.root / str(self.images)))
        found: dict[Split, list[Pair]] = {"train": [], "val": [], "test": []}
        for split in SPLITS:
            file = self.root / self.annotations.replace("{split}", split)
            if file.is_file():
                found[split] = self._listed(file, self.root / str(self.images).replace("{split}", split))
        refuse_overlap(found)
        return self._fill(found)

    def _listed(self, file: Path, images: Path) -> list[Pair]:
        """The images that a COCO file lists, found in their folder; keeps what it says of each."""
        data = self._parsed.pop(file, None) or read_coco(file)  # once it is turned into text, nobody needs the rest
        pairs: dict[Path, Pair] = {}
        with understanding(file, FORMAT):
            regions = find_regions(data, file, self.labels.class_names, self.fill)
            for entry in data["images"]:
                name = str(entry["file_name"])
                image = listed_file(images, name, f"{file}: image")
                if image in pairs:
                    raise InputError(f"{file}: lists the image {name} twice; give all its annotations one image_id")
                text = json.dumps(regions.get(entry["id"], [])).encode()
                self._annotated[image] = Annotated(int(entry["height"]), int(entry["width"]), text)
                pairs[image] = Pair(image, file, Path(name).with_suffix("").as_posix())
        return list(pairs.values())
