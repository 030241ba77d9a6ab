"""Images annotated in COCO JSON: polygons and run-length encodings."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seglit.annotations.coco import FORMAT, Annotated, category_names, find_regions, read_coco
from seglit.annotations.coco_regions import draw_regions
from seglit.annotations.json_files import json_errors, uncovered
from seglit.data.dataset import Source
from seglit.data.file_pairs import PairsDataModule
from seglit.data.folder import FolderDataset
from seglit.errors import InputError
from seglit.images.listing import is_file, nearest_entry
from seglit.images.matching import apply_lists, listed_file, missing_file
from seglit.images.pairs import SPLITS, AnySplit, Pair, Pairing, PairSettings, Split
from seglit.images.read import read_image
from seglit.labels import Labels


@dataclass
class CocoDataset(FolderDataset):
    """Images and their regions in a COCO file.

    Args:
        pairs: The files, in order; the mask is the COCO file.
        labels: The classes.
        in_channels: See `FolderDataset`.
        annotated: Image file to its annotations.
        fill: Class index of pixels outside all regions.
    """

    annotated: Mapping[Path, Annotated]
    fill: int

    def read(self, index: int) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8], str]:
        """Reads the image, applies its EXIF orientation, and draws its regions; see `SegmentationDataset.read`."""
        pair = self.pairs[index]
        height, width, regions = self.annotated[pair.image]
        image = read_image(pair.image, self.in_channels, self.nodata)
        if image.shape[:2] != (height, width):
            raise InputError(
                f"{pair.mask}: states that {pair.image.name} has {height} x {width} pixels (height x width); after "
                f"applying its EXIF orientation it has {image.shape[0]} x {image.shape[1]}"
            )
        where = f"{pair.mask}: image {pair.name}"
        return image, draw_regions(json.loads(regions), height, width, self.fill, where), pair.name

    def source(self, index: int) -> Source:
        """Returns the image and its annotations; other images' annotations do not matter."""
        pair = self.pairs[index]
        return Source(pair.name, (pair.image,), (self.in_channels, self.nodata, self.fill, self.annotated[pair.image]))


class CocoDataModule(PairsDataModule):
    """Images with COCO JSON: one file per split, or one for all splits.

    COCO does not order the regions of an image. Larger ones are drawn first, so that objects on or inside others stay
    visible; ties keep the order of the file. Crowds (`iscrowd: 1`) outline groups roughly and are void, except under
    single objects. Requires `pip install "seglit[coco]"`.

    Args:
        root: The folder that all other paths are relative to.
        images: Folder of the images, which `file_name` is relative to; `{split}` stands for train, val or test.
        annotations: The JSON file; without `{split}` one file for all splits, which `splits` divides.
        class_names: One name per class, in the order of the class indices: names of categories, and `background`.
            Regions of other categories are ignored. None is `background` and all categories of train, by id.
        background: Class of pixels outside all regions; None makes them void.
        splits: For one JSON file: split to list file (`train: train.txt`), or split to share (`val: 0.1`; the rest is
            train). For a JSON file per split: share of train to use as a split that has no file.
        split_seed: Seed of the shares; separate from `seed`, so the split is the same for every seed of a run.
        palette: RGB colours to draw the classes in.
        loader: Batches and augmentation, see `SegmentationDataModule`.

    Raises:
        InputError: A JSON file, image or class is missing, or a region is neither polygons nor a run-length encoding.
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
            with json_errors(file, FORMAT):
                class_names = category_names(self._parsed[file], background)
        labels = Labels.create(class_names, palette=palette)
        super().__init__(root, labels, PairSettings(images, images, splits=splits, split_seed=split_seed), **loader)
        self.annotations = annotations
        self.fill = uncovered(class_names, background)
        self._annotated: dict[Path, Annotated] = {}

    def dataset(self, split: Split) -> CocoDataset:
        """Returns the data set of a split."""
        pairs = self.pairs_of(split)
        return CocoDataset(pairs, self.labels, self.in_channels, self._annotated, self.fill, nodata=self.nodata)

    def searched(self, split: Split) -> str:
        """Says where the images of a split were searched, for error messages."""
        divided = f", splits is {self.settings.splits}" if self.settings.splits else ""
        file = self.root / self.annotations.replace("{split}", split)
        return f"looked in {file}{divided}{'' if file.is_file() else nearest_entry(file)}"

    def find(self) -> Pairing:
        """Finds the images that the COCO files list, and stores their annotations."""
        pairing = Pairing()
        splits: tuple[AnySplit, ...] = SPLITS if "{split}" in self.annotations else ("all",)
        for split in splits:
            file = self.root / self.annotations.replace("{split}", split)
            if split == "all" or file.is_file():
                self._list(pairing, split, file, self.root / str(self.settings.images).replace("{split}", split))
        if self.settings.lists:
            apply_lists(pairing, self.root, self.settings)
        return pairing

    def _list(self, pairing: Pairing, split: AnySplit, file: Path, images: Path) -> None:
        data = self._parsed.pop(file, None) or read_coco(file)  # frees the parsed file
        listed: set[Path] = set()
        with json_errors(file, FORMAT):
            regions = find_regions(data, file, self.labels.class_names, self.fill)
            for entry in data["images"]:
                name = str(entry["file_name"])
                image = listed_file(images, name, f"{file}: image")
                if not is_file(image):
                    pairing.missing.append(missing_file(image, image, f"{file}: image"))
                if image in listed:
                    raise InputError(f"{file}: lists the image {name} twice; give its annotations one image_id")
                listed.add(image)
                text = json.dumps(regions.get(entry["id"], [])).encode()
                self._annotated[image] = Annotated(int(entry["height"]), int(entry["width"]), text)
                pairing.pairs.append(Pair(image, file, Path(name).with_suffix("").as_posix(), split))
