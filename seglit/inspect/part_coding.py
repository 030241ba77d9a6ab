"""The classes of masks in several files, and the settings that read them."""

from collections.abc import Sequence
from pathlib import Path

from seglit.errors import InputError
from seglit.inspect.coding import Coding
from seglit.inspect.meaning import Value
from seglit.inspect.part_classes import PartClasses
from seglit.inspect.survey import Survey, ValueCount
from seglit.labels import IGNORE_INDEX, Stored


def find_part_coding(survey: Survey, parts: PartClasses, class_names: Sequence[str] | None) -> Coding:
    """Returns the classes of the files, and the background if it occurs, and numbers the survey's values by them.

    Also states the class of pixels in no file in the survey's pairs.

    Raises:
        InputError: The user gave class names, but the files state theirs, or have another number of classes.
    """
    names = _names(parts, class_names)
    first = _first_files(survey, parts)
    used = [index for index in range(len(names)) if index in survey.values or index in first]
    indices: dict[Stored, Stored] = {old: index for index, old in enumerate(used)}
    survey.renumber({**indices, IGNORE_INDEX: IGNORE_INDEX})
    fill = used.index(parts.fill) if parts.fill in used else IGNORE_INDEX
    survey.pairs = [pair._replace(fill=fill) for pair in survey.pairs]
    total = sum(count.pixels for count in survey.values.values())
    values: list[Value] = []
    for index, old in enumerate(used):
        count = survey.values.get(index) or ValueCount(first[old])  # all files of a class may be empty
        values.append(Value(index, count, count.pixels / total, names[old]))
    if IGNORE_INDEX in survey.values:
        count = survey.values[IGNORE_INDEX]
        values.append(Value(IGNORE_INDEX, count, count.pixels / total, hint="pixels in no file"))
    rest = f"; pixels in none are {names[0]}" if parts.fill in used else ""
    coding = Coding(f"several files per image, in which what is not 0 is the class{rest}", values)
    coding.settings["class_names"] = [names[old] for old in used]
    stored = {names[old]: parts.integers[old] for old in used if old in parts.integers}
    if [*stored.values()] != [*range(len(stored))]:
        coding.settings["mask_values"] = stored
    if class_names is None and (parts.are_numbers or "" in parts.texts):
        coding.questions.append(
            "what are the classes called? give --class_names, the background first, or edit class_names in the file"
        )
    if "" in parts.texts:
        coding.questions.append(
            "are all files of an image objects of one class? if their names state classes, write {class} in mask_name"
        )
    return coding


def _first_files(survey: Survey, parts: PartClasses) -> dict[int, Path]:
    """The first file of each class, without the images that the configuration excludes."""
    unusable = {path for path, _ in survey.unreadable_images}
    unusable |= {pair.image for pair, _ in (*survey.unreadable_masks, *survey.mismatched)}
    first: dict[int, Path] = {}
    for pair in survey.pairs:
        for part in pair.parts or () if pair.image not in unusable else ():
            first.setdefault(parts.indices[part.class_name], part.path)
    return first


def _names(parts: PartClasses, class_names: Sequence[str] | None) -> list[str]:
    names = parts.names
    if class_names is None:
        return names
    if not parts.are_numbers and "" not in parts.texts:
        raise InputError(
            f"--class_names: the names come from the mask files, {', '.join(names[:20])}; to change them, rename the "
            "files"
        )
    if len(class_names) != len(names):
        raise InputError(
            f"--class_names has {len(class_names)} names, but the mask files have {len(names)} classes: "
            f"{', '.join(names[:20])}"
        )
    return list(class_names)
