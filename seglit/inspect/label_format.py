"""Folders in a label format: what its reader finds, and how the survey draws it."""

from collections.abc import Collection
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from seglit.annotations.draw import DrawSettings, draw, draw_settings
from seglit.annotations.reader import AnnotatedImage, Annotations, Reader, names_of, with_background
from seglit.annotations.recognition import recognise
from seglit.annotations.regions import Box, Dots, Line, Unsupported
from seglit.errors import InputError
from seglit.images.listing import is_file
from seglit.images.pairs import AnySplit, Pair, Pairing
from seglit.labels import IGNORE_INDEX

BACKGROUND = "background"
LINE_WIDTH = 3
"""Width that lines and points are drawn with, since formats state none."""


class ShapeKind(NamedTuple):
    """A kind of shape that needs a setting, and whether it is drawn by it, or skipped."""

    kind: str
    drawn: bool


class DrawnMask(NamedTuple):
    """A mask of an image's regions.

    Args:
        indices: Class indices (H, W), void 255.
        kinds: The kinds of its shapes that need a setting.
        crowds: The labels of its crowds, which are void.
    """

    indices: npt.NDArray[np.uint8]
    kinds: frozenset[ShapeKind]
    crowds: frozenset[str]


@dataclass(frozen=True)
class RegionDrawer:
    """Reads the regions of images and draws them; as small as the tasks of worker processes require."""

    reader: Reader
    drawing: DrawSettings

    def draw(self, entry: AnnotatedImage, size: tuple[int, int]) -> DrawnMask:
        """Draws the regions of an image of `size` (height, width); shapes that cannot be drawn are skipped.

        Raises:
            InputError: The annotations are invalid, or were made for another size.
        """
        entry.check_size(size)
        regions = self.reader.regions(entry, size)
        kinds = {
            ShapeKind(region.kind, not isinstance(region.shape, Unsupported))
            for region in regions
            if isinstance(region.shape, Line | Dots | Unsupported)
            or (isinstance(region.shape, Box) and region.shape.bounding)
        }
        drawable = [region for region in regions if not isinstance(region.shape, Unsupported)]
        crowds = frozenset(region.label for region in drawable if region.crowd)
        return DrawnMask(draw(drawable, size, self.drawing, entry.where), frozenset(kinds), crowds)


@dataclass
class AnnotatedFolder:
    """What a reader finds in a folder.

    Args:
        reader: Of the folder's label format.
        found: What it finds.
        class_names: Background and all its classes, in the order of the drawn indices.
        twice: Image that is annotated in two places, to the reason to leave it out.
    """

    reader: Reader
    found: Annotations
    class_names: list[str] = field(init=False)
    entries: dict[tuple[Path, AnySplit], AnnotatedImage] = field(init=False, default_factory=dict)
    twice: dict[Path, str] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Finds the classes.

        Raises:
            InputError: There are more than fit.
        """
        names = names_of(self.reader, self.found, skip_invalid=True)  # the survey reports what is invalid
        if len(names) >= IGNORE_INDEX and self.found.class_names is not None:
            used = set(names_of(self.reader, replace(self.found, class_names=None), skip_invalid=True))
            names = [name for name in names if name in used]
        self.class_names = with_background(names, BACKGROUND, self.reader.void_labels)
        if len(self.class_names) > IGNORE_INDEX:
            raise InputError(
                f"{self.found.images[0].annotations}: uses {len(self.class_names)} classes with the background, but "
                f"only {IGNORE_INDEX} fit; choose some, with class_names of seglit.data.AnnotationDataModule"
            )
        for entry in self.found.images:
            other = self.entries.setdefault((entry.image, entry.split), entry)
            if other is not entry:
                files = " and ".join(dict.fromkeys(str(each.annotations) for each in (other, entry)))
                self.twice[entry.image] = f"is annotated twice, in {files}"

    def drawer(self, names: Collection[str] | None = None, ignored: Collection[str] = ()) -> RegionDrawer:
        """Returns how masks of some classes, by default all, are drawn."""
        names = self.class_names if names is None else [name for name in self.class_names if name in names]
        fill = names.index(BACKGROUND) if BACKGROUND in names else IGNORE_INDEX
        strokes = LINE_WIDTH, True, ()
        return RegionDrawer(
            self.reader, draw_settings(self.reader, self.found.class_names, names, fill, ignored, strokes)
        )

    def entry(self, pair: Pair) -> AnnotatedImage:
        """Returns the annotations of a pair."""
        return self.entries[pair.image, pair.split]

    def mask_file(self, pair: Pair) -> Path:
        """Returns the file that messages name for the mask of a pair: the image, if it has no annotation file alone."""
        return pair.image if self.entry(pair).is_shared or not is_file(pair.mask) else pair.mask

    @property
    def unlabelled(self) -> list[Path]:
        """The images without an annotation file, in formats in which that means that they show nothing."""
        return [entry.image for entry in self.found.images if not is_file(entry.annotations)]

    @property
    def pairing(self) -> Pairing:
        """The annotated images, with the annotation file as mask."""
        pairs = [
            Pair(entry.image, entry.annotations, entry.name, entry.split)
            for entry in self.entries.values()
            if entry.image not in self.twice
        ]
        return Pairing(pairs, missing=self.found.missing)

    @property
    def settings(self) -> dict[str, Any]:
        """The reader's class path, and those of its arguments that differ from their defaults."""
        kind = type(self.reader)
        settings: dict[str, Any] = {"class_path": f"seglit.annotations.{kind.__name__}"}
        default = {each.name: each.default for each in fields(kind)}  # type: ignore[arg-type]  # all are dataclasses
        values = {name: value for name, value in vars(self.reader).items() if value != default[name]}
        return {**settings, "init_args": values} if values else settings


def find_annotations(root: Path) -> AnnotatedFolder | None:
    """Finds the annotated images of a folder in a label format; None if it is in none.

    Raises:
        InputError: An annotation file is invalid, or none of its images exist.
    """
    reader = recognise(root)
    found = None if reader is None else reader.find(root)
    if reader is None or found is None:
        return None
    if not found.images:
        for missing in found.missing:
            raise InputError(missing.message + missing.hint())
        return None
    return AnnotatedFolder(reader, found)
