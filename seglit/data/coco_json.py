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
from seglit.data.dataset import Source
from seglit.data.folder import FolderDataset, PairsDataModule
from seglit.errors import InputError
from seglit.images.listing import is_file, nearest_entry
from seglit.images.matching import apply_lists, listed_file, missing_file
from seglit.images.pairs import SPLITS, AnySplit, Pair, Pairing, PairSettings, Split
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
    """

    def __init__(
        self,
        pairs: list[Pair],
        labels: Labels,
        annotated: Mapping[Path, Annotated],
        fill: int,
        in_channels: int = 3,
    ) -> None:
        super().__init__(pairs, labels, in_channels)
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


class CocoDataModule(PairsDataModule):
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
        splits: Where one JSON is for all: split to list file (`train: train.txt`), or split to share (`val: 0.1`; the
            rest is train). Beside a JSON for each split, a share is drawn from train for a split that has none.
        split_seed: Draws the shares; apart from `seed`, so that another run seed keeps the split.
        palette: RGB colours that pictures draw the classes in.
        loader: Batches and augmentation, see `SegmentationDataModule`.

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
        **loader: Any,
    ) -> None:
        self._parsed: dict[Path, dict[str, Any]] = {}
        if class_names is None:
            file = Path(root) / annotations.replace("{split}", "train")
            self._parsed[file] = read_coco(file)
            with understanding(file, FORMAT):
                class_names = category_names(self._parsed[file], background)
        labels = Labels.create(class_names, palette=palette)
        super().__init__(root, labels, PairSettings(images, images, splits=splits, split_seed=split_seed), **loader)
        self.annotations = annotations
        self.fill = uncovered(class_names, background)
        self._annotated: dict[Path, Annotated] = {}

    def dataset(self, split: Split) -> CocoDataset:
        """Makes the data set of a split."""
        pairs = self.pairs_of(split)
        return CocoDataset(pairs, self.labels, self._annotated, self.fill, self.in_channels)

    def looked_in(self, split: Split) -> str:
        """Where the images of a split are listed, for messages."""
        divided = f", splits is {self.settings.splits}" if self.settings.splits else ""
        file = self.root / self.annotations.replace("{split}", split)
        return f"looked in {file}{divided}{'' if file.is_file() else nearest_entry(file)}"

    def find(self) -> Pairing:
        """Finds the images that the COCO files list, and keeps what these say of each."""
        found = Pairing()
        splits: tuple[AnySplit, ...] = SPLITS if "{split}" in self.annotations else ("all",)
        for split in splits:
            file = self.root / self.annotations.replace("{split}", split)
            if split == "all" or file.is_file():
                self._list(found, split, file, self.root / str(self.settings.images).replace("{split}", split))
        if self.settings.lists:
            apply_lists(found, self.root, self.settings)
        return found

    def _list(self, found: Pairing, split: AnySplit, file: Path, images: Path) -> None:
        data = self._parsed.pop(file, None) or read_coco(file)  # once it is turned into text, nobody needs the rest
        listed: set[Path] = set()
        with understanding(file, FORMAT):
            regions = find_regions(data, file, self.labels.class_names, self.fill)
            for entry in data["images"]:
                name = str(entry["file_name"])
                image = listed_file(images, name, f"{file}: image")
                if not is_file(image):
                    found.missing.append(missing_file(image, image, f"{file}: image"))
                if image in listed:
                    raise InputError(f"{file}: lists the image {name} twice; give all its annotations one image_id")
                listed.add(image)
                text = json.dumps(regions.get(entry["id"], [])).encode()
                self._annotated[image] = Annotated(int(entry["height"]), int(entry["width"]), text)
                found.pairs.append(Pair(image, file, Path(name).with_suffix("").as_posix(), split))
