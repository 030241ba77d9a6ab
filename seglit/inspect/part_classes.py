"""The classes that the names of mask files state, in the order in which the survey numbers them."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from seglit.images.pairs import Pair
from seglit.inspect.label_format import BACKGROUND
from seglit.labels import IGNORE_INDEX

FOREGROUND = "foreground"
"""The class of files whose names state none."""


@dataclass(frozen=True)
class PartClasses:
    """The classes of masks in several files.

    Args:
        texts: What stands for `{class}` in names; "" without `{class}`.
    """

    texts: frozenset[str]

    @property
    def are_numbers(self) -> bool:
        """Whether all classes are integers."""
        return all(text.isdecimal() for text in self.texts)

    @cached_property
    def indices(self) -> dict[str, int]:
        """Text in place of `{class}` to the class index in the survey."""
        keys = {text: int(text) if self.are_numbers else text for text in self.texts}
        order = sorted({*keys.values()}, key=lambda key: (str(key).lower() != BACKGROUND, key))
        offset = int(self.fill == 0)
        return {text: offset + order.index(key) for text, key in keys.items()}

    @property
    def fill(self) -> int:
        """The index of pixels in no file: 0, the background, or void if there are files of the background."""
        names = {str(int(text)) if self.are_numbers else text.lower() for text in self.texts}
        return IGNORE_INDEX if {BACKGROUND, "0"} & names else 0

    @property
    def names(self) -> list[str]:
        """The names of all classes, in the order of their indices."""
        names = [BACKGROUND] if self.fill == 0 else []
        by_index = {index: text for text, index in self.indices.items()}
        for _, text in sorted(by_index.items()):
            names.append(f"class_{int(text)}" if self.are_numbers else text or FOREGROUND)
        return names

    @property
    def integers(self) -> dict[int, int]:
        """Class index to the integer in the names, 0 for the background; empty if names have no integers."""
        integers = {index: int(text) for text, index in self.indices.items()} if self.are_numbers else {}
        return {0: 0, **integers} if integers else {}


def find_part_classes(pairs: Iterable[Pair]) -> PartClasses | None:
    """Returns the classes of masks in several files; None if masks are in one file."""
    in_parts = [pair.parts for pair in pairs if pair.parts is not None]
    return PartClasses(frozenset(part.class_name for parts in in_parts for part in parts)) if in_parts else None
