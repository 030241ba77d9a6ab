"""Patterns of file names: `{stem}` is what image and mask share, `{class}` a class, `*` anything.

A final `.*` is any suffix. A pattern with folders, such as `{stem}/masks/*.png`, is compared with as many parts of a
path.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from itertools import count
from typing import NamedTuple

from seglit.errors import InputError
from seglit.images.listing import normalized

_FIELD = re.compile(r"(\{stem\}|\{class\}|\*)")
_JOINED = re.compile(r"(\{stem\}|\{class\}|\*)(\{stem\}|\{class\}|\*)")
_ANY = "[^/]+"


class PartName(NamedTuple):
    """The image that one of its mask files belongs to, by its key, and the file's class; "" without `{class}`."""

    key: str
    class_name: str


def has_parts(mask_name: str) -> bool:
    """Whether a pattern of mask names stands for several files of an image."""
    return "{class}" in mask_name or "*" in mask_name.removesuffix(".*")


def check_patterns(image_name: str, mask_name: str) -> None:
    """Checks that file names can be matched without ambiguity.

    Raises:
        InputError: `image_name` names several files, or `mask_name` has no `{stem}`, or nothing after it.
    """
    if has_parts(image_name):
        raise InputError(f"image_name is {image_name!r}; `{{class}}` and `*` may only be in mask_name")
    if not has_parts(mask_name):
        return
    if "{stem}" not in mask_name:
        raise InputError(f"mask_name is {mask_name!r}; it needs `{{stem}}`, the part of the name shared with the image")
    if joined := _JOINED.search(mask_name):
        raise InputError(
            f"mask_name is {mask_name!r}; {joined[1]} and {joined[2]} need a character between them, such as _"
        )


def stem_of(name: str, pattern: str) -> str | None:
    """The part of a name that `{stem}` stands for in a pattern; None if the name does not match."""
    return next(iter(stems_of([normalized(name)], pattern)), None)


def stems_of(names: Iterable[str], pattern: str) -> set[str]:
    """The stems of the names, in Unicode's form NFC, that match a pattern."""
    expression = _expression(normalized(pattern))
    groups = [group for name, group in expression.groupindex.items() if name.startswith("stem")]
    stems = (match.group(0, *groups)[1:] for match in map(expression.fullmatch, names) if match)
    return {texts[0] for texts in stems if len({*texts}) == 1}


def key_of(path: str, image_name: str) -> str | None:
    """The folders and the stem of an image, relative to the images' folder; None if it does not match `image_name`."""
    parts = path.split("/")
    depth = image_name.count("/") + 1
    stem = stem_of("/".join(parts[-depth:]), image_name)
    return None if stem is None else "/".join([*parts[:-depth], stem])


class PartNames:
    """Finds the image and the class of mask files by their names.

    A name may be read in several ways, because stems and classes contain any characters. A class that is known is
    preferred, then the image with the longest key.

    Args:
        mask_name: The pattern.
        keys: The keys of all images. The folders in a key come first in the mask's path, or where `{stem}` is.
        class_names: The known classes; empty if none are.
    """

    def __init__(self, mask_name: str, keys: Iterable[str], class_names: Collection[str] = ()) -> None:
        self._before, _, self._after = normalized(mask_name).partition("{stem}")
        known = "|".join([*sorted(map(re.escape, class_names), key=len, reverse=True), "[0-9]+"])
        self._classes = [known, _ANY] if class_names else [_ANY]
        self._keys: dict[str, dict[str, str]] = defaultdict(dict)  # folder to stem to key
        for key in keys:
            parts = key.split("/")
            for depth in range(len(parts)):
                self._keys["/".join(parts[:depth])]["/".join(parts[depth:])] = key
        self._lengths = {
            folder: sorted({len(stem) for stem in stems}, reverse=True) for folder, stems in self._keys.items()
        }

    def find(self, path: str) -> PartName | None:
        """Returns the image and the class of a mask, by its path below the masks' folder; None if it is of no image."""
        for classes in self._classes:
            if names := list(self._readings(path, classes)):
                return max(names, key=lambda name: len(name.key))
        return None

    def _readings(self, path: str, classes: str) -> Iterator[PartName]:
        before = _expression(self._before, classes)
        parts = path.split("/")
        for depth in range(len(parts)):
            folder = "/".join(parts[:depth])
            rest = "/".join(parts[depth:])
            for length in self._lengths.get(folder, ()):
                for start in range(len(rest) - length + 1):
                    stem = rest[start : start + length]
                    if (key := self._keys[folder].get(stem)) is None:
                        continue
                    after = _expression(self._after, classes, re.escape(stem) if "{stem}" in self._after else _ANY)
                    ends = before.fullmatch(rest, 0, start), after.fullmatch(rest, start + length)
                    if all(ends) and len(names := _values(ends, "class")) < 2:
                        yield PartName(key, next(iter(names), ""))


def _values(matches: Iterable[re.Match[str] | None], field: str) -> set[str]:
    """The different texts that a field stands for."""
    groups = (group for match in matches if match for group in match.groupdict().items())
    return {text for name, text in groups if name.startswith(field)}


@lru_cache(4096)
def _expression(pattern: str, class_name: str = _ANY, stem: str = "[^/]*") -> re.Pattern[str]:
    """Compiles a pattern; each of its fields is a group called by the field and a number."""
    number = count()
    expressions = {"{stem}": ("stem", stem), "{class}": ("class", class_name)}

    def expression(text: str) -> str:
        if text not in expressions:
            return "[^/]*" if text == "*" else re.escape(text)
        field, content = expressions[text]
        return f"(?P<{field}{next(number)}>{content})"

    suffix = r"\.[^./]+" if pattern.endswith(".*") else ""
    return re.compile("".join(map(expression, _FIELD.split(pattern.removesuffix(".*")))) + suffix)
