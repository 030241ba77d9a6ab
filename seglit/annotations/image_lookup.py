"""Finds the images that annotation files name, also where these state the paths of another machine."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path, PurePosixPath

from seglit.annotations.reader import AnnotatedImage, Annotations
from seglit.errors import InputError
from seglit.images.listing import files_below, is_file
from seglit.images.pairs import AnySplit, Missing


class ImageLookup:
    """The images below a root, by the names in annotation files.

    An image is taken from where the file says. If it is not there, because the path is absolute, of a server or of
    another system, it is searched below the root by its base name; of several, the one whose path agrees longest.

    Args:
        root: The data root.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._moved: dict[Path, list[str]] = defaultdict(list)

    def find(self, name: str, folder: Path, file: Path, *alternatives: str) -> Path | Missing:
        """Finds an image.

        Args:
            name: The name in the annotation file.
            folder: The folder that names are relative to.
            file: The annotation file, for messages.
            alternatives: Other base names to search, in this order.

        Raises:
            InputError: The name is empty.
        """
        path = PurePosixPath(name.replace("\\", "/"))
        if not path.name:
            raise InputError(f"{file}: an image has no file name")
        is_inside = not path.is_absolute() and ".." not in path.parts and ":" not in path.parts[0]
        stated = folder / (path if is_inside else path.name)
        if is_inside and is_file(stated):
            return stated
        for base in (path.name, *alternatives):
            if matches := self._by_name[_normal(base)]:
                found = _best(matches, path, folder)
                if len(found) > 1:
                    listed = ", ".join(match.relative_to(self.root).as_posix() for match in found[:3])
                    message = f"{file}: image {name} is in several folders ({listed}){way_on(stated, self.root)}"
                    return Missing([stated], message)
                self._moved[file].append(name)
                return found[0]
        message = f"{file}: image {name}: no such file in {folder}, nor elsewhere below {self.root}"
        return Missing([stated], message + way_on(stated, self.root))

    def notes(self) -> list[str]:
        """Says, once for each annotation file, that images are not where it says."""
        return [
            f"{file}: {len(names)} image{'s' * (len(names) > 1)} not where it says (first {names[0]}), found by name "
            f"below {self.root}"
            for file, names in self._moved.items()
        ]

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        """Base name, in one Unicode form, to the images."""
        by_name: dict[str, list[Path]] = defaultdict(list)
        for path in files_below(self.root):
            by_name[_normal(path.name)].append(path)
        return by_name


class ListedImages:
    """Collects the images that annotation files list, wherever they are.

    Args:
        root: The data root.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.annotations = Annotations()
        self._lookup = ImageLookup(root)
        self._listed: set[tuple[Path, Path]] = set()

    def add(
        self,
        name: str,
        folder: Path,
        file: Path,
        split: AnySplit,
        size: tuple[int, int] | None,
        raw: bytes,
        *alternatives: str,
    ) -> None:
        """Adds an image, or records that it is missing; see `AnnotatedImage` and `ImageLookup.find`.

        Raises:
            InputError: The file lists the image twice.
        """
        image = self._lookup.find(name, folder, file, *alternatives)
        if isinstance(image, Missing):
            self.annotations.missing.append(image)
            return
        if (file, image) in self._listed:
            raise InputError(f"{file}: lists the image {name} twice; join its annotations")
        self._listed.add((file, image))
        below = image.relative_to(folder if image.is_relative_to(folder) else self.root)
        entry = AnnotatedImage(image, file, below.with_suffix("").as_posix(), split, size, raw, is_shared=True)
        self.annotations.images.append(entry)

    @contextmanager
    def reading(self, file: Path) -> Iterator[None]:
        """Records an annotation file that turns out to be invalid, without its images; others may be valid."""
        counts = len(self.annotations.images), len(self.annotations.missing)
        try:
            yield
        except InputError as error:
            del self.annotations.images[counts[0] :], self.annotations.missing[counts[1] :]
            self.annotations.broken[file] = error

    def finish(self, notes: Sequence[str] = ()) -> Annotations:
        """Returns all images, with these notes and those on images that are elsewhere.

        Raises:
            InputError: The first of the invalid files, if no other lists an image.
        """
        if self.annotations.broken and not self.annotations.images:
            raise next(iter(self.annotations.broken.values()))
        self.annotations.notes = [*notes, *self._lookup.notes()]
        return self.annotations


def _normal(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _best(matches: Sequence[Path], path: PurePosixPath, folder: Path) -> list[Path]:
    """The matches whose folders agree longest with the path; of these, those below `folder`, if there are any."""

    def agreement(match: Path) -> int:
        pairs = zip(reversed(match.parts[:-1]), reversed(path.parts[:-1]), strict=False)
        return next((i for i, (own, stated) in enumerate(pairs) if _normal(own) != _normal(stated)), len(path.parts))

    longest = max(map(agreement, matches))
    best = [match for match in matches if agreement(match) == longest]
    below = [match for match in best if match.is_relative_to(folder)]
    return below or best


def way_on(image: Path, root: Path) -> str:
    """Returns the end of a message on a file without which training can go on."""
    name = image.relative_to(root).as_posix() if image.is_relative_to(root) else image.name
    return f"; to go on without it, set `exclude: [{name}]`"
