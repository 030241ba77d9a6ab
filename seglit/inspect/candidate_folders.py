"""Tells by content which of several folders holds the masks, where names do not: few values, and names that fit."""

import os
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from seglit.annotations.reader import split_paths
from seglit.errors import InputError
from seglit.images.listing import picture_folders
from seglit.images.pairs import SPLIT_WORDS
from seglit.inspect.folder_content import Content, read_content
from seglit.inspect.names import count_pairs, find_pattern, role_of, split_of

_MOST_CANDIDATES = 12  # of more folders, such as one for each scene or class, none is a folder of masks
_MATCHED = 0.8  # share of the files of the smaller folder that a pattern of names has to match

Folders = Mapping[str, list[Path]]
"""Split, or "all", to the folder; as a list, as folders found by names are."""


class Choice(NamedTuple):
    """The folders of images and of masks, and a question if others may hold the masks too."""

    images: Folders
    masks: Folders
    questions: tuple[str, ...] = ()


@dataclass(eq=False)
class Candidate:
    """Folders that differ only by the name of a split, such as training/1st_manual and test/1st_manual.

    Args:
        root: The root of the data.
        pattern: Their path relative to the root, with `{split}` in place of a split.
        role: What the names say: image, mask or unknown.
        files: Split, or "all", to the folder and its pictures.
    """

    root: Path
    pattern: str
    role: str
    files: dict[str, tuple[Path, list[Path]]] = field(default_factory=dict)

    @cached_property
    def content(self) -> Content:
        """What a few of the files hold."""
        return read_content([file for _, files in self.files.values() for file in files])

    @property
    def folders(self) -> Folders:
        """The folder of each split."""
        return {split: [folder] for split, (folder, _) in self.files.items()}

    def fits(self, images: "Candidate") -> bool:
        """Whether its names map one to one to those of images."""
        matched, expected = 0, 0
        for split, (_, files) in images.files.items():
            if masks := self.files.get(split) or self.files.get("all"):
                listed = [(files, masks[1])]
                pattern = find_pattern(listed)
                matched += count_pairs(listed, pattern) if pattern else 0
                expected += min(len(files), len(masks[1]))
        return matched >= max(1, _MATCHED * expected)

    @property
    def option(self) -> str | None:
        """The value of `--images` or `--masks` that names the folders; None if no pattern does."""
        found = split_paths(self.root, self.pattern)
        named = {split: self.root / path for split, path in found.items()}
        return self.pattern if named == {split: folder for split, (folder, _) in self.files.items()} else None


FolderPair = tuple[Candidate, Candidate]
"""Folders of images, and folders of masks that may be theirs."""


def choose_folders(root: Path) -> Choice | None:
    """Chooses the folder of masks by content; None if names decide, or if no folder looks like one of masks.

    A folder of masks has few values, and its names map one to one to those of the images. Of several, one whose files
    are nearly the same (a camera's field of view) holds no labels; then a name such as `masks` decides, then sharp
    edges.

    Raises:
        InputError: Several folders are equally plausible.
    """
    candidates = _find_candidates(root)
    named, labelled, unknown = ([c for c in candidates if c.role == role] for role in ("image", "mask", "unknown"))
    is_clear = len(labelled) == 1 and len(named) + len(unknown) == 1
    if is_clear or len(named) > 1 or len(candidates) > _MOST_CANDIDATES:
        return None
    possible = [
        (images, masks)
        for images in named or unknown
        for masks in (*labelled, *unknown)
        if masks is not images and masks.fits(images) and masks.content.has_few_values
        if named or not images.content.has_few_values
    ]
    varied = [pair for pair in possible if not pair[1].content.is_constant] or possible
    best = [pair for pair in varied if pair[1].role == "mask"] or varied
    best = [pair for pair in best if not pair[1].content.is_blurred] or best
    if not best:
        return None
    if len(best) > 1:
        raise InputError(
            f"{root}: more than one folder may contain the masks: {_held(best)}; choose one: {_commands(root, best)}"
        )
    images, masks = best[0]
    others = [pair for pair in possible if pair[1] is not masks]
    others += [(images, other) for other in labelled if other is not masks and (images, other) not in others]
    return Choice(images.folders, masks.folders, _question(root, masks, others))


def _question(root: Path, chosen: Candidate, others: Sequence[FolderPair]) -> tuple[str, ...]:
    """Asks whether the chosen folder is right, if there are others."""
    if not others:
        return ()
    holds = f"{chosen.pattern}, which holds {chosen.content}"
    return (f"are the masks in {holds}? {_held(others)}; to choose: {_commands(root, others)}",)


def _held(pairs: Iterable[FolderPair]) -> str:
    """What the folders of masks hold."""
    return "; ".join(f"{masks.pattern} holds {masks.content}" for masks in dict.fromkeys(masks for _, masks in pairs))


def _commands(root: Path, pairs: Iterable[FolderPair]) -> str:
    """The commands that choose folders of images and masks."""
    commands = []
    for images, masks in pairs:
        if images.option is None or masks.option is None:
            return "list the pairs in a CSV with columns image and mask (--pairs)"
        options = "--images", images.option, "--masks", masks.option
        commands.append(f"`{shlex.join(['seglit', 'inspect', str(root), *options])}`")
    return " or ".join(commands)


def _find_candidates(root: Path) -> list[Candidate]:
    """Finds the folders of pictures, those of one kind for several splits together."""
    listed = {folder: names for folder, names in picture_folders(root) if names}
    below = [folder for folder in listed if folder != root]
    shared = len(Path(os.path.commonpath(below)).relative_to(root).parts) if below else 0
    with_roles = [folder for folder in listed if _role(folder.relative_to(root).parts) != "unknown"]
    candidates: dict[tuple[str, str], Candidate] = {}
    for folder, names in listed.items():
        base = _base(root, folder, shared, with_roles)
        parts = base.relative_to(root).parts
        split = next((split for part in reversed(parts) if (split := split_of(part)) != "all"), "all")
        pattern = "/".join(_without_split(part, split) for part in parts) or "."
        candidate = candidates.setdefault((pattern, ""), Candidate(root, pattern, _role(parts)))
        if candidate.files.get(split, (base,))[0] != base:  # spelt in two ways
            relative = base.relative_to(root).as_posix()
            candidate = candidates.setdefault((pattern, relative), Candidate(root, relative, _role(parts)))
        candidate.files.setdefault(split, (base, []))[1].extend(folder / name for name in names)
    return _without_lone_splits(root, list(candidates.values()))


def _without_lone_splits(root: Path, candidates: list[Candidate]) -> list[Candidate]:
    """Treats a folder, not of images, that is named as a split without any other as an ordinary one: a class `test`."""
    number = Counter(split for candidate in candidates for split in candidate.files)
    whole = {candidate.pattern: candidate for candidate in candidates if "all" in candidate.files}
    for candidate in candidates:
        (split, (folder, files)), *others = candidate.files.items()
        if split == "all" or others or number[split] > 1 or not whole or candidate.role == "image":
            continue
        above = whole.get(folder.parent.relative_to(root).as_posix())
        if above is not None:
            above.files["all"][1].extend(files)
            candidate.files.clear()
        else:
            candidate.pattern, candidate.files = folder.relative_to(root).as_posix(), {"all": (folder, files)}
    return [candidate for candidate in candidates if candidate.files]


def _role(parts: Sequence[str]) -> str:
    return next((role for part in reversed(parts) if (role := role_of(part)) != "unknown"), "unknown")


def _base(root: Path, folder: Path, shared: int, with_roles: Iterable[Path]) -> Path:
    """The folder that pictures are of: up to the last part that states a role or split, or the first other part."""
    parts = folder.relative_to(root).parts
    states = [role_of(part) != "unknown" or split_of(part) != "all" for part in parts]
    depth = max((i for i, stated in enumerate(states, 1) if stated), default=0)
    if _role(parts) != "unknown":
        return root.joinpath(*parts[:depth])
    depth = max(shared, depth)
    depth += all(states[shared:depth])  # a folder of any name, such as one of scenes
    while root.joinpath(*parts[:depth]) != folder and any(
        other.is_relative_to(root.joinpath(*parts[:depth])) for other in with_roles
    ):
        depth += 1
    return root.joinpath(*parts[:depth])


def _without_split(part: str, split: str) -> str:
    """A part of a path with `{split}` in place of a split's spelling."""
    if split == "all" or split_of(part) != split:
        return part
    spellings = sorted(SPLIT_WORDS[split], key=len, reverse=True)  # type: ignore[index]  # one of SPLITS
    return re.sub("|".join(spellings), "{split}", part, count=1)
