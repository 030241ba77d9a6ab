"""What names say: a folder's role and split, and which mask belongs to which image."""

import re
from bisect import bisect
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from difflib import SequenceMatcher
from pathlib import Path

SPLITS = {
    "train": ("train", "training", "trainset", "trn"),
    "val": ("val", "valid", "validation", "valset", "dev", "eval"),
    "test": ("test", "testing", "testset", "tst"),
}
"""How folders and list files spell the splits."""

_IMAGE_WORDS = "image images img imgs jpegimages photo photos picture pictures rgb input inputs raw scene scenes frames"
_MASK_WORDS = (
    "mask masks label labels lbl labelids annotation annotations annot annots ann anns gt gts groundtruth truth seg "
    "segs semantic segmentation segmentations segmentationclass segmap segmaps segmentationmasks target targets trimap "
    "trimaps"
)
IMAGE_WORDS = frozenset(_IMAGE_WORDS.split())
MASK_WORDS = frozenset(_MASK_WORDS.split())

Pattern = tuple[str, str, str, str]
"""What stands before and after the part that the names of an image and its mask share: image's two, mask's two."""
SAME: Pattern = ("", "", "", "")


def role_of(part: str) -> str:
    """Role that a folder's name says: image, mask or unknown."""
    words = set(_words(part))
    return "mask" if words & MASK_WORDS else "image" if words & IMAGE_WORDS else "unknown"


def split_of(part: str) -> str:
    """Split that a folder's or file's name says: train, val, test or all."""
    words = set(_words(part))
    return next((split for split, spellings in SPLITS.items() if words & set(spellings)), "all")


def _words(name: str) -> list[str]:
    """The words of a file or folder name: split at marks, at capitals and before known mask words ('trainannot')."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    words = re.split(r"[^A-Za-z0-9]+", spaced.lower())
    split_words = [word for spellings in SPLITS.values() for word in spellings]
    parts: list[str] = []
    for word in [*words, re.sub(r"[^a-z0-9]", "", name.lower())]:
        known = next((s for s in sorted(split_words, key=len, reverse=True) if word.startswith(s) and word != s), None)
        if known and word[len(known) :] in IMAGE_WORDS | MASK_WORDS:
            parts += [known, word[len(known) :]]
        else:
            parts.append(word)
    return parts


def find_pattern(listed: Iterable[tuple[list[Path], list[Path]]]) -> Pattern | None:
    """What the names differ by: of all that a mask and an image named much like it differ by, what matches most.

    Args:
        listed: Images and masks of each split.
    """
    stems = [([path.stem for path in images], [path.stem for path in masks]) for images, masks in listed]
    votes = Counter([SAME])
    for images, masks in stems:
        forward, backward = sorted(images), sorted(stem[::-1] for stem in images)
        for place in range(0, len(masks), max(1, len(masks) // 100)):
            mask = masks[place]
            near = images[place : place + 1]
            for names, name, step in ((forward, mask, 1), (backward, mask[::-1], -1)):
                at = max(1, bisect(names, name))
                near += [each[::step] for each in names[at - 1 : at + 1]]
            votes.update({difference for image in near if (difference := _difference(image, mask))})
    counts = {pattern: _matching(stems, pattern) for pattern, _ in votes.most_common(20)}
    best = max(counts, key=lambda pattern: (counts[pattern], -len("".join(pattern))))
    return best if counts[best] else None


def _matching(stems: Iterable[tuple[list[str], list[str]]], pattern: Pattern) -> int:
    """How many names of images and masks a pattern makes equal."""
    before, after, mask_before, mask_after = pattern
    return sum(len(_cores(images, before, after) & _cores(masks, mask_before, mask_after)) for images, masks in stems)


def _cores(stems: Iterable[str], before: str, after: str) -> set[str]:
    return {core for stem in stems if (core := core_of(stem, before, after)) is not None}


def core_of(stem: str, before: str, after: str) -> str | None:
    """What stands between two ends in a name; None where it has not both."""
    fits = stem.startswith(before) and stem.removeprefix(before).endswith(after)
    return stem.removeprefix(before).removesuffix(after) if fits else None


def _difference(image: str, mask: str) -> Pattern | None:
    shared = SequenceMatcher(None, image, mask, autojunk=False).find_longest_match()
    if not shared.size:
        return None
    ends = shared.a + shared.size, shared.b + shared.size
    return image[: shared.a], image[ends[0] :], mask[: shared.b], mask[ends[1] :]


def find_endings(listed: Iterable[tuple[list[Path], list[Path]]]) -> Pattern | None:
    """The ending that tells masks from the images beside them; '' where only the suffix does."""
    endings: Counter[Pattern] = Counter()
    twins = 0
    for files, _ in listed:
        stems = Counter(path.with_suffix("") for path in files)
        twins += sum(count == 2 for count in stems.values())
        for path in stems:
            told = ((_image_beside(path.with_name(core), stems), core, after) for core, after in _endings(path.name))
            image, core, after = next((each for each in told if each[0]), (None, "", ""))
            if image:
                endings["", image.name.removeprefix(core), "", after] += 1
    if endings and endings.total() >= twins:
        return endings.most_common(1)[0][0]
    return SAME if twins else None


def _endings(name: str) -> Iterator[tuple[str, str]]:
    """What may be the image's name in that of a mask, and the ending after it, the shortest ending first."""
    marks = [mark.span() for mark in re.finditer(r"[ _.-]+", name)]
    if marks and name[marks[-1][1] :].lower() in MASK_WORDS:
        yield from ((name[:start], name[start:]) for start, _ in reversed(marks) if start)


def _image_beside(core: Path, stems: Container[Path]) -> Path | None:
    """The image of a mask whose name without its ending is `core`: cat, or cat_image."""
    named = (core.with_name(f"{core.name}{mark}{word}") for word in sorted(IMAGE_WORDS) for mark in "_-. ")
    return next((path for path in (core, *named) if path in stems), None)


def tell_apart(files: list[Path], pattern: Pattern) -> tuple[list[Path], list[Path]]:
    """Images and masks of a folder that holds both."""
    _, image_after, _, mask_after = pattern
    if mask_after:
        masks = [path for path in files if path.stem.endswith(mask_after)]
        taken = set(masks)
        return [path for path in files if path not in taken and path.stem.endswith(image_after)], masks
    # cat.jpg + cat.png: the mask is what is stored without loss
    twins = Counter(path.with_suffix("") for path in files)
    suffixes = Counter(path.suffix.lower() for path in files if twins[path.with_suffix("")] == 2)
    lossless = max(suffixes, key=lambda suffix: (suffix in (".png", ".bmp", ".tif", ".tiff", ".npy"), suffixes[suffix]))
    masks = [path for path in files if path.suffix.lower() == lossless]
    return [path for path in files if path.suffix.lower() != lossless], masks
