"""What a reader of a label format does: finds the annotated images of a folder, and the regions of each."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, NamedTuple

from seglit.annotations.regions import Region
from seglit.errors import InputError
from seglit.images.pairs import SPLIT_WORDS, SPLITS, AnySplit, Missing, Split
from seglit.labels import Color


class AnnotatedImage(NamedTuple):
    """An image and where its annotations are.

    Args:
        image: The image file.
        annotations: The annotation file.
        name: The image's path below its folder, without suffix.
        split: The split that the format states; "all" if it states none.
        size: Height and width that the format states, in pixels.
        raw: JSON of what `regions` needs beside the annotation file. Kept as text, because workers share its memory;
            Python lists would be copied into each worker, page by page, when accessed.
        is_shared: Whether the annotation file is for many images, and `raw` holds all that it says of this one.
    """

    image: Path
    annotations: Path
    name: str
    split: AnySplit = "all"
    size: tuple[int, int] | None = None
    raw: bytes = b""
    is_shared: bool = False

    @property
    def where(self) -> str:
        """The annotation file, and the image if the file has several, for error messages."""
        return f"{self.annotations}: image {self.name}" if self.is_shared else str(self.annotations)

    def check_size(self, size: tuple[int, int], stated: tuple[int, int] | None = None) -> None:
        """Checks the size of the upright image against the stated one.

        Raises:
            InputError: They differ.
        """
        stated = stated or self.size
        if stated is not None and stated != size:
            raise InputError(
                f"{self.where}: was drawn on {stated[0]} x {stated[1]} pixels (height x width), but its image "
                f"{self.image.name} has {size[0]} x {size[1]}"
            )


@dataclass
class Annotations:
    """What a reader finds in a folder.

    Args:
        images: The annotated images, in order.
        missing: Files that annotations name, but that do not exist.
        broken: Annotation files that cannot be read, each with the reason, if others can.
        class_names: The classes that the format lists, in its order; None if it lists none.
        colors: The colours of classes that the format states.
        notes: What a user should know, in one line each, such as images that were not where the format says.
    """

    images: list[AnnotatedImage] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    broken: dict[Path, InputError] = field(default_factory=dict)
    class_names: tuple[str, ...] | None = None
    colors: Mapping[str, Color] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class Reader(ABC):
    """Reader of a label format; its arguments are paths relative to the data root.

    Attributes:
        format_name: For messages.
        in_file_order: Whether regions are drawn in the order of the file; if not, larger regions are drawn first.
        outlined: Whether a shape covers every pixel that its outline touches; if not, the pixels whose centres are
            inside it.
        background_labels: Labels that mean background by the conventions of the tool.
        void_labels: Labels that mean void by the conventions of the tool.
        images: Folder of the images, which list files of a split may be relative to.
    """

    format_name: ClassVar[str]
    in_file_order: ClassVar[bool] = True
    outlined: ClassVar[bool] = False
    background_labels: ClassVar[tuple[str, ...]] = ()
    void_labels: ClassVar[tuple[str, ...]] = ()
    images: str = "."

    @abstractmethod
    def find(self, root: Path) -> Annotations:
        """Finds all annotated images below a root.

        Raises:
            InputError: A file is missing, or no file is in the format.
        """

    @abstractmethod
    def regions(self, entry: AnnotatedImage, size: tuple[int, int]) -> list[Region]:
        """Returns the regions of an image of `size` (height, width), in the order of the format.

        Raises:
            InputError: The annotations are not in the format.
        """

    def labels(self, entry: AnnotatedImage) -> list[str]:
        """Returns the label of each region of an image; reads no image."""
        return [region.label for region in self.regions(entry, entry.size or (1, 1))]

    def searched(self, root: Path, split: Split) -> str:
        """Says where the images of a split were searched, for error messages."""
        return f"looked in {root}"

    def class_names(self, root: Path) -> list[str]:
        """Returns the classes as the exporter wrote them, in its order; see `names_of`."""
        return names_of(self, self.find(root))


def names_of(reader: Reader, found: Annotations, skip_invalid: bool = False) -> list[str]:
    """Returns the classes that the format lists, else the labels that are used, sorted; no background, no void.

    Raises:
        InputError: Annotations are invalid, and `skip_invalid` is not set.
    """
    if found.class_names is not None:
        return list(found.class_names)
    used: set[str] = set()
    for entry in found.images:
        try:
            used.update(reader.labels(entry))
        except InputError:
            if not skip_invalid:
                raise
    return sorted(used.difference(reader.background_labels, reader.void_labels))


def with_background(names: Sequence[str], background: str | None, void: Collection[str] = ()) -> list[str]:
    """Returns the classes of a format without void ones, after the background unless it is one of them."""
    classes = [name for name in names if name not in void]
    return [*([background] if background is not None and background not in classes else []), *classes]


def stated_palette(
    class_names: Sequence[str], colors: Mapping[str, Color], background: str | None
) -> list[list[int]] | None:
    """Returns the colours that a format states, if all classes have different ones; one for background is optional."""
    stated = dict(colors) if background is None else {background: (0, 0, 0), **colors}
    palette = [list(stated[name]) for name in class_names if name in stated]
    distinct = len({*map(tuple, palette)}) == len(class_names)
    return palette if distinct else None


def split_paths(root: Path, pattern: str) -> dict[AnySplit, str]:
    """Returns the path of each split that exists, for a pattern relative to the root.

    `{split}` in the pattern stands for train, val or test, or their other spellings, such as valid; without it, the
    only split is "all".
    """
    if "{split}" not in pattern:
        return {"all": pattern}
    paths: dict[AnySplit, str] = {}
    for split in SPLITS:
        spelled = [pattern.replace("{split}", spelling) for spelling in SPLIT_WORDS[split]]
        if existing := [path for path in spelled if (root / path).exists()]:
            paths[split] = existing[0]
    return paths


def split_in(names: Sequence[str]) -> AnySplit:
    """Returns the split that one of these names spells, as in a path; "all" if none does."""
    lowered = {name.lower() for name in names}
    return next((split for split in SPLITS if lowered.intersection(SPLIT_WORDS[split])), "all")


def hex_color(text: object) -> Color | None:
    """Returns the colour of `#rrggbb`; None for anything else."""
    try:
        red, green, blue = bytes.fromhex(str(text).strip().removeprefix("#"))
    except ValueError:
        return None
    return red, green, blue
