"""Infers from names which folders hold images or masks, of which split, and which mask belongs to which image."""

import re
from bisect import bisect
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from difflib import SequenceMatcher
from pathlib import Path

from seglit.images.listing import normalized
from seglit.images.name_patterns import stems_of
from seglit.images.pairs import SPLIT_WORDS

_IMAGE_WORDS = "image images img imgs jpegimages photo photos picture pictures rgb input inputs raw scene scenes frames"
_MASK_WORDS = (
    "mask masks label labels lbl labelids annotation annotations annot annots ann anns gt gts groundtruth truth seg "
    "segs semantic segmentation segmentations segmentationclass segmap segmaps segmentationmasks target targets trimap "
    "trimaps"
)
IMAGE_WORDS = frozenset(_IMAGE_WORDS.split())
MASK_WORDS = frozenset(_MASK_WORDS.split())

Pattern = tuple[str, str]
"""Names of an image and its mask without file suffix; `{stem}` stands for what they have in common."""
_CHANCE = 10  # a pattern that fits fewer than one in so many names fits by chance
SAME: Pattern = ("{stem}", "{stem}")


def role_of(part: str) -> str:
    """Returns the role in a folder's name: image, mask or unknown."""
    words = set(_words(part))
    return "mask" if words & MASK_WORDS else "image" if words & IMAGE_WORDS else "unknown"


def split_of(part: str) -> str:
    """Returns the split in the name of a folder or file: train, val, test or all."""
    words = set(_words(part))
    return next((split for split, spellings in SPLIT_WORDS.items() if words & set(spellings)), "all")


def _words(name: str) -> list[str]:
    """Splits a name into words: at punctuation, at capitals, and after a split before a role ('trainannot')."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    words = re.split(r"[^A-Za-z0-9]+", spaced.lower())
    splits = sorted((word for spellings in SPLIT_WORDS.values() for word in spellings), key=len, reverse=True)
    parts: list[str] = []
    for word in [*words, re.sub(r"[^a-z0-9]", "", name.lower())]:
        split = next((split for split in splits if word.startswith(split) and word != split), "")
        role = word.removeprefix(split)
        parts += [split, role] if split and role in IMAGE_WORDS | MASK_WORDS else [word]
    return parts


def find_pattern(listed: Iterable[tuple[list[Path], list[Path]]]) -> Pattern | None:
    """Infers the pattern that turns image names into mask names, by majority vote.

    Candidates are the differences between a mask's name and similar image names; the one that matches most pairs wins.

    Args:
        listed: Images and masks of each split.
    """
    stems = [(_stems(images), _stems(masks)) for images, masks in listed]
    votes = Counter([SAME])
    for images, masks in stems:
        forward, backward = sorted(images), sorted(stem[::-1] for stem in images)
        for index in range(0, len(masks), max(1, len(masks) // 100)):
            mask = masks[index]
            similar = images[index : index + 1]
            for names, name, step in ((forward, mask, 1), (backward, mask[::-1], -1)):
                position = max(1, bisect(names, name))
                similar += [neighbour[::step] for neighbour in names[position - 1 : position + 1]]
            votes.update({difference for image in similar if (difference := _difference(image, mask))})
    counts = {pattern: _count(stems, pattern) for pattern, _ in votes.most_common(20)}
    best = max(counts, key=lambda pattern: (counts[pattern], -len("".join(pattern))))
    total = min(sum(map(len, names)) for names in zip(*stems, strict=True))
    return best if counts[best] and counts[best] * _CHANCE >= total else None


def count_pairs(listed: Iterable[tuple[list[Path], list[Path]]], pattern: Pattern) -> int:
    """Counts the images that have a mask by a pattern."""
    return _count([(_stems(images), _stems(masks)) for images, masks in listed], pattern)


def _stems(paths: Iterable[Path]) -> list[str]:
    return [normalized(path.stem) for path in paths]


def _count(stems: Iterable[tuple[list[str], list[str]]], pattern: Pattern) -> int:
    return sum(len(stems_of(images, pattern[0]) & stems_of(masks, pattern[1])) for images, masks in stems)


def _difference(image: str, mask: str) -> Pattern | None:
    start, _, size = SequenceMatcher(None, image, mask, autojunk=False).find_longest_match()
    common = image[start : start + size]
    return (image.replace(common, "{stem}", 1), mask.replace(common, "{stem}", 1)) if size else None


def find_endings(listed: Iterable[tuple[list[Path], list[Path]]]) -> Pattern | None:
    """Infers the ending of masks that lie beside their images; `SAME` if only the file suffix differs."""
    endings: Counter[Pattern] = Counter()
    same_stems = 0
    for files, _ in listed:
        stems = Counter(path.with_suffix("") for path in files)
        same_stems += sum(count == 2 for count in stems.values())
        for path in stems:
            for core, ending in _mask_endings(path.name):
                if image := _image_beside(path.with_name(core), stems):
                    endings[f"{{stem}}{image.name.removeprefix(core)}", f"{{stem}}{ending}"] += 1
                    break
    if endings and endings.total() >= same_stems:
        return endings.most_common(1)[0][0]
    return SAME if same_stems else None


def _mask_endings(name: str) -> Iterator[tuple[str, str]]:
    """Splits a name that ends in a word for masks into core and ending, shortest ending first."""
    marks = [mark.span() for mark in re.finditer(r"[ _.-]+", name)]
    if marks and name[marks[-1][1] :].lower() in MASK_WORDS:
        yield from ((name[:start], name[start:]) for start, _ in reversed(marks) if start)


def _image_beside(core: Path, stems: Container[Path]) -> Path | None:
    """Finds the image of a mask whose name without its ending is `core`: cat, or cat_image."""
    candidates = (core.with_name(f"{core.name}{mark}{word}") for word in sorted(IMAGE_WORDS) for mark in "_-. ")
    return next((path for path in (core, *candidates) if path in stems), None)


def mask_suffix(files: list[Path]) -> str:
    """Returns the file suffix of masks that differ from the images beside them only by it: `.png` of cat.jpg + cat.png.

    A lossless format is preferred, then the most frequent one.
    """
    stems = Counter(path.with_suffix("") for path in files)
    paired = Counter(path.suffix.lower() for path in files if stems[path.with_suffix("")] == 2)
    best = max(paired, key=lambda suffix: (suffix in (".png", ".bmp", ".tif", ".tiff", ".gif", ".npy"), paired[suffix]))
    return Counter(path.suffix for path in files if path.suffix.lower() == best).most_common(1)[0][0]
