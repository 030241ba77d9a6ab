"""Images annotated with a labelling tool: regions are drawn to masks when they are read."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pytorch_lightning.utilities import rank_zero_info

from seglit.annotations.draw import DrawSettings, draw, draw_settings
from seglit.annotations.image_lookup import way_on
from seglit.annotations.reader import (
    AnnotatedImage,
    Annotations,
    Reader,
    names_of,
    stated_palette,
    with_background,
)
from seglit.data.cache_key import code_of
from seglit.data.dataset import SegmentationDataset, Source
from seglit.data.file_pairs import PairsDataModule, check_root
from seglit.errors import InputError, did_you_mean, printable
from seglit.images.listing import is_file
from seglit.images.matching import apply_lists
from seglit.images.pairs import Pair, Pairing, PairSettings, Split
from seglit.images.read import read_image
from seglit.labels import IGNORE_INDEX, Labels


@dataclass
class AnnotatedDataset(SegmentationDataset):
    """Images and their annotations.

    Args:
        entries: The images, in order.
        reader: Reads the regions of an image.
        drawing: How regions become masks.
        in_channels: See `seglit.images.read.read_image`.
        nodata: Likewise.
    """

    entries: list[AnnotatedImage]
    reader: Reader
    drawing: DrawSettings
    in_channels: int
    nodata: tuple[float, ...]

    def __len__(self) -> int:
        """Number of images."""
        return len(self.entries)

    def read(self, index: int) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8], str]:
        """Reads the image, applies its EXIF orientation, and draws its regions; see `SegmentationDataset.read`."""
        entry = self.entries[index]
        image = read_image(entry.image, self.in_channels, self.nodata)
        size = image.shape[0], image.shape[1]
        entry.check_size(size)
        return image, draw(self.reader.regions(entry, size), size, self.drawing, entry.where), entry.name

    def name_of(self, index: int) -> str:
        """Returns the name of an image."""
        return self.entries[index].name

    def source(self, index: int) -> Source:
        """Returns the files of an image and the settings they are read by; other images' annotations do not matter."""
        entry = self.entries[index]
        per_image = [entry.annotations] if is_file(entry.annotations) and not entry.is_shared else []
        code = code_of(type(self.reader)).hex()
        options = self.in_channels, self.nodata, self.drawing, self.reader, code, entry.size, entry.raw
        return Source(entry.name, (entry.image, *per_image), options)


class AnnotationDataModule(PairsDataModule):
    """Images annotated with a labelling tool, in the tool's own files.

    Every label format has a reader in `seglit.annotations`, whose documentation states what it draws in which order:
    `Coco`, `Cvat`, `LabelStudio`, `Labelme`, `Supervisely`, `Via` and `Yolo`.

    Args:
        root: The folder that all other paths are relative to.
        reader: The label format, such as `seglit.annotations.Yolo`, with its paths.
        class_names: One name per class, in the order of the class indices: labels of regions, and `background`. If the
            format lists its classes, those that are not named here are not drawn; in other formats, a label that is not
            named is an error. None is `background` and all classes of the format, or all labels that are used.
        background: Class of pixels outside all regions; None makes them void.
        ignore_labels: Labels of regions that are void.
        line_width: Width of lines and diameter of points, in pixels; None makes them errors.
        draw_boxes: Draw the bounding boxes of objects whose outline is not stated as rectangles; if not, they are
            errors.
        skip_shapes: Kinds of shapes that are not drawn: polygon, box, line, point, ellipse, bitmap, or the tool's name
            for another.
        splits: Split to list file (`train: train.txt`), or to a share of the images without split, or of train (`val:
            0.1`). `{folds: 5, fold: 0}` makes fold 0 of 5 val.
        split_seed: Seed of the shares; separate from `seed`, so the split is the same for every seed of a run.
        group: What must stay in one split, and is one for confidence intervals, such as a patient or a video: a regular
            expression whose first group, searched in the names, identifies it.
        exclude: Images, or annotation files, to exclude, relative to root.
        palette: RGB colours to draw the classes in; default: those that the format states for all classes.
        loader: Batches and augmentation, see `SegmentationDataModule`.

    Raises:
        InputError: A file or class is missing, or annotations are invalid.
    """

    def __init__(
        self,
        root: str,
        reader: Reader,
        class_names: list[str] | None = None,
        background: str | None = "background",
        ignore_labels: list[str] | None = None,
        line_width: float | None = None,
        draw_boxes: bool = False,
        skip_shapes: list[str] | None = None,
        splits: dict[str, float | str] | None = None,
        split_seed: int = 0,
        group: str | None = None,
        exclude: list[str] | None = None,
        palette: list[list[int]] | None = None,
        **loader: Any,
    ) -> None:
        if line_width is not None and not 0 < line_width < 1000:
            raise InputError(f"line_width is {line_width}; give a width in pixels above 0, such as 3")
        self.reader = reader
        self._found: Annotations | None = None
        if class_names is None:
            check_root(Path(root))
            self._found = _without(reader.find(Path(root)), Path(root), exclude or ())
            void = {*(ignore_labels or ()), *reader.void_labels}
            class_names = with_background(names_of(reader, self._found), background, void)
            palette = palette or stated_palette(class_names, self._found.colors, background)
        settings = PairSettings(
            reader.images, reader.images, splits=splits, split_seed=split_seed, group=group, exclude=exclude or ()
        )
        super().__init__(root, Labels.create(class_names, palette=palette), settings, **loader)
        self.fill = uncovered(class_names, background)
        self.ignore_labels = ignore_labels or []
        self.strokes = line_width, draw_boxes, tuple(skip_shapes or ())
        self._entries: dict[Path, AnnotatedImage] = {}

    def dataset(self, split: Split) -> AnnotatedDataset:
        """Returns the data set of a split."""
        entries = [self._entries[pair.image] for pair in self.pairs_of(split)]
        return AnnotatedDataset(entries, self.reader, self.drawing, self.in_channels, self.nodata)

    def searched(self, split: Split) -> str:
        """Says where the images of a split were searched, for error messages."""
        divided = f", splits is {self.settings.splits}" if self.settings.splits else ""
        return f"{self.reader.searched(self.root, split)}{divided}"

    def find(self) -> Pairing:
        """Finds the annotated images."""
        for note in self.found.notes:
            rank_zero_info(printable(note))
        pairing = Pairing(missing=self.found.missing)
        for entry in self.found.images:
            if (other := self._entries.get(entry.image)) and other.split == entry.split:
                files = " and ".join(dict.fromkeys(str(each.annotations) for each in (other, entry)))
                raise InputError(f"{entry.image}: is annotated twice, in {files}")
            self._entries[entry.image] = entry
            pairing.pairs.append(Pair(entry.image, entry.annotations, entry.name, entry.split))
        if self.settings.lists:
            apply_lists(pairing, self.root, self.settings)
        return pairing

    @cached_property
    def found(self) -> Annotations:
        """What the reader finds below the root, without excluded images."""
        return self._found or _without(self.reader.find(self.root), self.root, self.settings.exclude)

    @cached_property
    def drawing(self) -> DrawSettings:
        """How regions become masks.

        Raises:
            InputError: A class is not one of the format's.
        """
        names, declared = self.labels.class_names, self.found.class_names
        if declared is not None:
            unknown = [name for index, name in enumerate(names) if index != self.fill and name not in declared]
            if unknown:
                raise InputError(
                    f"{self.root}: its annotations, in {self.reader.format_name}, have no class {unknown[0]!r}"
                    f"{did_you_mean(unknown[0], declared)}"
                )
        return draw_settings(self.reader, declared, names, self.fill, self.ignore_labels, self.strokes)


def uncovered(class_names: Sequence[str], background: str | None) -> int:
    """Returns the class index of the pixels that no annotation covers; void if `background` is None.

    Raises:
        InputError: `background` is not a class.
    """
    if background is None:
        return IGNORE_INDEX
    if background not in class_names:
        raise InputError(
            f"background is {background!r}, which is not among class_names{did_you_mean(background, class_names)}; "
            "add it, or set `background: null` to make pixels without annotation void"
        )
    return class_names.index(background)


def _without(found: Annotations, root: Path, exclude: Collection[str]) -> Annotations:
    """Removes excluded images and annotation files.

    Raises:
        InputError: An annotation file that is not excluded cannot be read.
    """
    excluded = {root / path for path in exclude}
    for file, error in found.broken.items():
        if file not in excluded:
            raise InputError(f"{error}{way_on(file, root)}") from error
    found.images = [entry for entry in found.images if not excluded & {entry.image, entry.annotations}]
    found.missing = [missing for missing in found.missing if not excluded.intersection(missing.images)]
    return found
