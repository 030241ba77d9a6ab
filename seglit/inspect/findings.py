"""What is wrong with a folder, or worth knowing: each with its files and what to do about it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from seglit.inspect.coding import Coding, Value
from seglit.inspect.duplicates import Twins
from seglit.inspect.facts import LOSSY
from seglit.inspect.layout import Layout
from seglit.inspect.survey import Survey
from seglit.labels import IGNORE_INDEX

_SHOWN = 50
_LEAST = 3  # pairs that make a train, a val and a test split


@dataclass
class Finding:
    """One thing that was found.

    Args:
        code: A short name, for machines.
        spoils: Whether a training on the files as they are would fail or mislead.
        message: What it is, in one line.
        advice: What to do about it.
        count: How many files (or values) it concerns.
        files: The first of them, with what is particular to each.
    """

    code: str
    spoils: bool
    message: str
    advice: str
    count: int
    files: list[tuple[Path, str]] = field(default_factory=list)


def find_all(root: Path, layout: Layout, survey: Survey, coding: Coding, twins: list[Twins]) -> list[Finding]:
    """Everything found, what spoils a training first."""
    every = [
        *_broken(survey),
        *_alone(layout),
        *_splits(layout),
        *_mismatched(survey),
        *_blurred(survey, coding),
        *_one_split(coding),
        *_twice(layout, twins),
        *_names(root, layout),
        *_coded(survey, coding),
        *_empty(survey, coding),
        *_images(survey),
    ]
    if layout.public:  # read whole
        every = [replace(finding, advice=finding.advice.removesuffix(f"; {_LEFT_OUT}")) for finding in every]
    return sorted(every, key=lambda finding: not finding.spoils)


def _finding(
    code: str, message: str, advice: str, files: Iterable[tuple[Path, str]], *, spoils: bool
) -> Iterator[Finding]:
    files = list(files)
    if files:
        yield Finding(code, spoils, f"{message} ({len(files)})", advice, len(files), files[:_SHOWN])


_LEFT_OUT = "the written configuration leaves them out (`exclude`)"


def _broken(survey: Survey) -> Iterator[Finding]:
    bombs = [(path, why) for path, why in survey.unreadable_images if "decompression bomb" in why]
    rest = [(path, why) for path, why in survey.unreadable_images if "decompression bomb" not in why]
    masks = [(pair.mask, why) for pair, why in survey.unreadable_masks]
    yield from _finding(
        "decompression_bomb",
        "images of more pixels than are safe to unpack",
        f"cut them into tiles; {_LEFT_OUT}",
        bombs,
        spoils=True,
    )
    yield from _finding(
        "unreadable_image", "images that cannot be read", f"fetch or export them anew; {_LEFT_OUT}", rest, spoils=True
    )
    yield from _finding(
        "unreadable_mask", "masks that cannot be read", f"fetch or export them anew; {_LEFT_OUT}", masks, spoils=True
    )


def _alone(layout: Layout) -> Iterator[Finding]:
    yield from _finding(
        "image_without_mask",
        "images without a mask",
        f"add the masks, or remove the images; {_LEFT_OUT}",
        ((path, "") for path in layout.found.images_alone),
        spoils=True,
    )
    yield from _finding(
        "mask_without_image",
        "masks without an image",
        "add the images, or remove the masks; they are passed over",
        ((path, "") for path in layout.found.masks_alone),
        spoils=False,
    )


def _splits(layout: Layout) -> Iterator[Finding]:
    yield from _finding(
        "listed_but_missing",
        "images that are listed, but they or their masks are not there",
        f"add the files, or remove them from the list; {_LEFT_OUT}",
        ((path, "") for path in layout.missing),
        spoils=True,
    )
    yield from _finding(
        "in_two_splits",
        "images that are listed in more than one split",
        f"scores on them are not honest: keep each in one; {_LEFT_OUT}",
        ((path, "") for path in layout.found.twice),
        spoils=True,
    )
    twice = set(layout.found.twice)
    found = {pair.split for pair in layout.pairs if pair.image not in twice}
    if "val" not in {*found, *layout.settings.get("splits", ())} and found != {"all"}:
        yield Finding("no_validation", True, "no images for validation", "`fit` needs some: name them val", 0)
    if found == {"all"} and len(layout.pairs) < _LEAST:
        yield Finding("too_few", True, f"{len(layout.pairs)} pairs cannot be split", "label more images", 0)


def _mismatched(survey: Survey) -> Iterator[Finding]:
    yield from _finding(
        "size_mismatch",
        "masks of another size than their image",
        f"export image and mask at one size, masks without interpolation; {_LEFT_OUT}",
        ((pair.mask, sizes) for pair, sizes in survey.mismatched),
        spoils=True,
    )


def _blurred(survey: Survey, coding: Coding) -> Iterator[Finding]:
    if coding.blurred is None:
        return
    lossy = any(file_format in LOSSY for _, file_format, _ in survey.mask_kinds)
    between = [
        (count.first, f"value {list(value) if isinstance(value, tuple) else value}")
        for value, count in survey.values.items()
        if count.first is not None and all(value != each.stored for each in coding.values)
    ]
    unique = list({path: (path, detail) for path, detail in between}.values())
    what = (
        "saved as JPEG, which invents values around every edge" if lossy else "anti-aliased: edges hold blended values"
    )
    yield Finding(
        "jpeg_masks" if lossy else "antialiased_masks",
        True,
        f"masks are {what} ({coding.blurred:.1%} of the pixels)",
        "export them as PNG without smoothing; the written configuration takes the nearest real value and makes the "
        "rest void (`mask_tolerance`)",
        sum(count.images > 0 for count in survey.values.values()) - len(coding.values),
        unique[:_SHOWN],
    )


def _one_split(coding: Coding) -> Iterator[Finding]:
    splits = {split for value in coding.values for split in value.count.splits}
    groups: dict[tuple[str, ...], list[Value]] = defaultdict(list)
    for value in coding.values:
        groups[tuple(sorted(splits - set(value.count.splits)))].append(value)
    groups.pop((), None)
    for missing, values in groups.items():
        where = " and ".join(missing)
        untrained = "train" in missing and any(value.class_name is not None for value in values)
        shown = ", ".join(f"{value.stored} ({value.class_name or 'void'})" for value in values[:8])
        yield Finding(
            "value_missing_in_split",
            untrained,
            f"values that do not occur in {where}: {shown}{', ...' * (len(values) > 8)}",
            "they can never be learned: split anew, or merge them into another class"
            if untrained
            else f"their scores on {where} will be n/a, or 0 where they are predicted; split anew if it matters",
            len(values),
            [
                (value.count.first, f"the first of {value.count.images} that hold {value.stored}")
                for value in values[:_SHOWN]
                if value.count.first is not None
            ],
        )


def _twice(layout: Layout, twins: list[Twins]) -> Iterator[Finding]:
    # copies among images that are split at random leak, too
    drawn = isinstance(layout.settings.get("splits", {}).get("val"), float)
    groups: dict[tuple[bool, bool], list[tuple[Path, str]]] = defaultdict(list)
    for each in twins:
        detail = f"like {each.one.image.name} in {each.one.split}" if each.leak else f"like {each.one.image.name}"
        groups[each.leak, each.exact].append((each.other.image, detail))
    for (leak, exact), files in groups.items():
        alike = "the same pixels" if exact else "nearly the same picture (perceptual hash)"
        yield from _finding(
            f"{'exact' if exact else 'near'}_{'leak' if leak else 'duplicate'}",
            f"images in one split that are {alike} as one in another"
            if leak
            else f"images repeated within a split: {alike}",
            "scores on them are not honest: keep each scene in one split"
            if leak
            else "split at random, copies leak: remove them, or say the splits in train.txt and val.txt"
            if drawn
            else "remove the copies, unless they are frames of one video that belong together",
            files,
            spoils=leak or drawn,
        )


def _names(root: Path, layout: Layout) -> Iterator[Finding]:
    folded: dict[str, list[Path]] = defaultdict(list)
    for image in dict.fromkeys(pair.image for pair in layout.pairs):
        folded[image.as_posix().lower()].append(image)
    within = root.resolve()
    folders = {path.parent: path.parent.resolve().is_relative_to(within) for pair in layout.pairs for path in pair[:2]}
    linked = [path for pair in layout.pairs for path in pair[:2] if not folders[path.parent] or path.is_symlink()]
    outside = [
        (path, f"leads to {path.resolve()}")
        for path in linked
        if path.exists() and not path.resolve().is_relative_to(within)
    ]
    same = [(path, f"beside {paths[0].name}") for paths in folded.values() for path in paths[1:]]
    yield from _finding(
        "case_only_names",
        "names that differ from another only by case",
        "rename them: on Windows and macOS one overwrites the other",
        same,
        spoils=False,
    )
    yield from _finding(
        "symlink_outside",
        "links that lead out of the folder",
        "copy the files in: a copy of the folder would not hold them",
        outside,
        spoils=False,
    )


def _coded(survey: Survey, coding: Coding) -> Iterator[Finding]:
    grey = [value.stored for value in coding.classes if isinstance(value.stored, int)]
    fit = [value for value in coding.void if value.hint.startswith(f"only {IGNORE_INDEX} classes fit")]
    if fit:
        yield Finding(
            "too_many_values",
            True,
            f"masks hold {len(coding.values)} values, but only {IGNORE_INDEX} classes fit in 8 bits",
            "are they numbers of objects, or depths? map them to classes; the written configuration makes the rarest "
            f"{len(fit)} void",
            len(fit),
            [(value.count.first, f"holds {value.stored}") for value in fit[:_SHOWN] if value.count.first is not None],
        )
    if len(coding.classes) == 1:
        yield Finding(
            "one_class",
            True,
            f"the masks hold one class alone, {coding.classes[0].stored}",
            "there is nothing to tell it from: check how the masks were exported",
            1,
        )
    if grey == [0, 255]:
        yield Finding("binary_0_255", False, "masks are coded 0 and 255", "the configuration maps them to 0 and 1", 2)
    elif grey and grey == list(range(1, len(grey) + 1)):
        yield Finding(
            "off_by_one",
            False,
            f"classes are coded from 1 on (1 to {len(grey)})",
            "the configuration maps them to 0 and up (`mask_values`)",
            len(grey),
        )
    if len({kind[0] == "colours" for kind in survey.mask_kinds}) > 1:
        shown = ", ".join(f"{count} {kind[0]} {kind[1]}" for kind, count in survey.mask_kinds.items())
        yield Finding(
            "mixed_mask_coding",
            True,
            f"masks are coded in more than one way: {shown}",
            "export all masks in one coding",
            sum(survey.mask_kinds.values()),
            [(survey.first_of[kind], f"the first of {count} {kind[0]}") for kind, count in survey.mask_kinds.items()],
        )


def _empty(survey: Survey, coding: Coding) -> Iterator[Finding]:
    void = {value.stored for value in coding.void}
    for value, files in survey.single.items():
        name = next((each.class_name for each in coding.values if each.stored == value), None)
        if value in void:
            yield Finding(
                "all_void_masks",
                False,
                f"{files.count} masks are void throughout",
                "they are neither trained on nor scored; remove them, or check how they were exported",
                files.count,
                files.first,
            )
        else:
            yield Finding(
                "single_class_masks",
                False,
                f"{files.count} masks hold one class alone, {name or value}",
                "fine if the pictures show nothing else",
                files.count,
                files.first,
            )


def _images(survey: Survey) -> Iterator[Finding]:
    if survey.turned.count:
        yield Finding(
            "exif_turned",
            False,
            f"{survey.turned.count} images are turned by their EXIF orientation",
            "seglit turns image and mask alike; other programs may not",
            survey.turned.count,
            survey.turned.first,
        )
    if survey.cmyk.count:
        yield Finding(
            "cmyk",
            False,
            f"{survey.cmyk.count} images are CMYK",
            "they are converted to RGB without a colour profile; export them as RGB if colours matter",
            survey.cmyk.count,
            survey.cmyk.first,
        )
    if constant := survey.constant:
        yield Finding(
            "constant_channels",
            len(constant) == survey.channels,
            f"channels that hold one value throughout, counted from 0: {', '.join(map(str, constant))}",
            "they tell nothing: leave them out, or check how the images were exported",
            len(constant),
        )
    kinds = {(channels, dtype) for _, channels, dtype in survey.image_kinds}
    deep = sorted({dtype for _, dtype in kinds if dtype != "uint8"})
    if deep:
        yield Finding(
            "more_than_8_bits",
            False,
            f"images hold {' and '.join(deep)} values, {survey.low:g} to {survey.high:g}",
            "the configuration normalises by their own mean and std",
            sum(count for kind, count in survey.image_kinds.items() if kind[2] != "uint8"),
            [
                (survey.first_of[kind], f"the first of {count} {kind[2]}")
                for kind, count in survey.image_kinds.items()
                if kind[2] != "uint8"
            ],
        )
    if len(kinds) > 1:
        shown = ", ".join(
            f"{count} x {mode} ({channels} channels, {dtype})"
            for (mode, channels, dtype), count in survey.image_kinds.most_common()
        )
        bands = {channels for channels, dtype in kinds if dtype != "uint8" or channels > 4}
        yield Finding(
            "mixed_images",
            len(bands) > 0,
            f"images are of several kinds: {shown}",
            "8-bit grey and RGB are read as one; export any others alike",
            sum(survey.image_kinds.values()),
            [(survey.first_of[kind], f"the first of {count} {kind[0]}") for kind, count in survey.image_kinds.items()],
        )
