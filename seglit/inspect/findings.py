"""What is wrong with a folder, or worth knowing, by the rules of `seglit.inspect.rules`."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from seglit.inspect.coding import Coding, Value
from seglit.inspect.duplicates import Duplicate
from seglit.inspect.facts import LOSSY
from seglit.inspect.layout import Layout
from seglit.inspect.rules import DRAWN_COPIES, LEFT_OUT, RULES, Severity
from seglit.inspect.survey import Survey
from seglit.labels import IGNORE_INDEX

_SHOWN = 50
_LEAST = 3  # pairs that make a train, a val and a test split


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Args:
        code: The rule's name.
        severity: See `Severity`.
        message: What it is, in one line.
        advice: What to do about it.
        count: How many files (or values) it concerns.
        files: The first of them, with what is particular to each.
    """

    code: str
    severity: Severity
    message: str
    advice: str
    count: int
    files: list[tuple[Path, str]]


def find_all(
    root: Path, layout: Layout, survey: Survey, coding: Coding, duplicates: Iterable[Duplicate]
) -> list[Finding]:
    """Everything found, errors first."""
    every = [
        *_broken(survey),
        *_pairs(layout),
        *_blurred(survey, coding),
        *_one_split(coding),
        *_duplicates(layout, duplicates),
        *_names(root, layout),
        *_coded(survey, coding),
        *_empty(survey, coding),
        *_images(survey),
    ]
    if layout.public:  # read whole
        every = [replace(finding, advice=finding.advice.removesuffix(f"; {LEFT_OUT}")) for finding in every]
    return sorted(every, key=lambda finding: finding.severity != "error")


def _finding(
    code: str,
    files: Iterable[tuple[Path | None, str]] = (),
    count: int | None = None,
    severity: Severity | None = None,
    **gaps: object,
) -> Iterator[Finding]:
    """A finding by a rule; none where it concerns no file and no count is given."""
    listed = [(path, detail) for path, detail in files if path is not None]
    count = len(listed) if count is None else count
    if listed or count:
        rule = RULES[code]
        message, advice = (text.format(count=count, **gaps) for text in rule[1:])
        yield Finding(code, severity or rule.severity, message, advice, count, listed[:_SHOWN])


def _broken(survey: Survey) -> Iterator[Finding]:
    bombs = [each for each in survey.unreadable_images if "decompression bomb" in each[1]]
    yield from _finding("decompression_bomb", bombs)
    yield from _finding("unreadable_image", (each for each in survey.unreadable_images if each not in bombs))
    yield from _finding("unreadable_mask", ((pair.mask, why) for pair, why in survey.unreadable_masks))
    yield from _finding("size_mismatch", ((pair.mask, sizes) for pair, sizes in survey.mismatched))


def _pairs(layout: Layout) -> Iterator[Finding]:
    for code, paths in (
        ("image_without_mask", layout.found.images_alone),
        ("mask_without_image", layout.found.masks_alone),
        ("listed_but_missing", layout.missing),
        ("in_two_splits", layout.found.twice),
    ):
        yield from _finding(code, ((path, "") for path in paths))
    twice = set(layout.found.twice)
    found = {pair.split for pair in layout.pairs if pair.image not in twice}
    if "val" not in {*found, *layout.settings.get("splits", ())} and found != {"all"}:
        yield from _finding("no_validation", count=1)
    if found == {"all"} and len(layout.pairs) < _LEAST:
        yield from _finding("too_few", count=1, pairs=len(layout.pairs))


def _blurred(survey: Survey, coding: Coding) -> Iterator[Finding]:
    if coding.blurred is None:
        return
    lossy = any(file_format in LOSSY for _, file_format, _ in survey.mask_kinds)
    real = {each.stored for each in coding.values}
    between = {
        count.first: f"value {list(value) if isinstance(value, tuple) else value}"
        for value, count in reversed(survey.values.items())
        if value not in real
    }
    count = sum(count.images > 0 for count in survey.values.values()) - len(coding.values)
    code = "jpeg_masks" if lossy else "antialiased_masks"
    yield from _finding(code, reversed(between.items()), count, share=coding.blurred)


def _one_split(coding: Coding) -> Iterator[Finding]:
    splits = {split for value in coding.values for split in value.count.splits}
    groups: dict[tuple[str, ...], list[Value]] = defaultdict(list)
    for value in coding.values:
        groups[tuple(sorted(splits - set(value.count.splits)))].append(value)
    groups.pop((), None)
    for missing, values in groups.items():
        untrained = "train" in missing and any(value.class_name is not None for value in values)
        shown = ", ".join(f"{value.stored} ({value.class_name or 'void'})" for value in values[:8])
        yield from _finding(
            "value_never_trained" if untrained else "value_missing_in_split",
            ((value.count.first, f"the first of {value.count.images} that hold {value.stored}") for value in values),
            splits=" and ".join(missing),
            values=f"{shown}{', ...' * (len(values) > 8)}",
        )


def _duplicates(layout: Layout, duplicates: Iterable[Duplicate]) -> Iterator[Finding]:
    # copies among images that are split at random leak, too
    drawn = isinstance(layout.settings.get("splits", {}).get("val"), float)
    groups: dict[str, list[tuple[Path, str]]] = defaultdict(list)
    for each in duplicates:
        code = f"{'exact' if each.exact else 'near'}_{'leak' if each.leak else 'duplicate'}"
        detail = f"like {each.one.image.name}{f' in {each.one.split}' * each.leak}"
        groups[code].append((each.other.image, detail))
    for code, files in groups.items():
        for finding in _finding(code, files):
            leaks = drawn and code.endswith("duplicate")
            yield replace(finding, severity="error", advice=DRAWN_COPIES) if leaks else finding


def _names(root: Path, layout: Layout) -> Iterator[Finding]:
    folded: dict[str, list[Path]] = defaultdict(list)
    for image in dict.fromkeys(pair.image for pair in layout.pairs):
        folded[image.as_posix().lower()].append(image)
    yield from _finding(
        "case_only_names", ((path, f"beside {paths[0].name}") for paths in folded.values() for path in paths[1:])
    )
    within = root.resolve()
    folders = {path.parent: path.parent.resolve().is_relative_to(within) for pair in layout.pairs for path in pair[:2]}
    linked = (path for pair in layout.pairs for path in pair[:2] if not folders[path.parent] or path.is_symlink())
    outside = (path for path in linked if path.exists() and not path.resolve().is_relative_to(within))
    yield from _finding("symlink_outside", ((path, f"leads to {path.resolve()}") for path in outside))


def _coded(survey: Survey, coding: Coding) -> Iterator[Finding]:
    grey = [value.stored for value in coding.classes if isinstance(value.stored, int)]
    beyond = [value for value in coding.void if value.hint.startswith(f"only {IGNORE_INDEX} classes fit")]
    yield from _finding(
        "too_many_values",
        ((value.count.first, f"holds {value.stored}") for value in beyond),
        values=len(coding.values),
    )
    if len(coding.classes) == 1:
        yield from _finding("one_class", count=1, value=coding.classes[0].stored)
    if grey == [0, 255]:
        yield from _finding("binary_0_255", count=2)
    elif grey and grey == list(range(1, len(grey) + 1)):
        yield from _finding("off_by_one", count=len(grey))
    if len({kind[0] == "colours" for kind in survey.mask_kinds}) > 1:
        kinds = survey.mask_kinds.items()
        yield from _finding(
            "mixed_mask_coding",
            ((survey.first_of[kind], f"the first of {count} {kind[0]}") for kind, count in kinds),
            sum(survey.mask_kinds.values()),
            kinds=", ".join(f"{count} {kind[0]} {kind[1]}" for kind, count in kinds),
        )


def _empty(survey: Survey, coding: Coding) -> Iterator[Finding]:
    names = {value.stored: value.class_name for value in coding.values}
    void = {value.stored for value in coding.void}
    for value, files in survey.single.items():
        code = "all_void_masks" if value in void else "single_class_masks"
        yield from _finding(code, files.first, files.count, value=names.get(value) or value)


def _images(survey: Survey) -> Iterator[Finding]:
    yield from _finding("exif_turned", survey.turned.first, survey.turned.count)
    yield from _finding("cmyk", survey.cmyk.first, survey.cmyk.count)
    constant = survey.constant
    yield from _finding(
        "constant_channels",
        count=len(constant),
        severity="error" if len(constant) == survey.channels else "note",
        channels=", ".join(map(str, constant)),
    )
    kinds = survey.image_kinds.most_common()
    deep = [(kind, count) for kind, count in kinds if kind[2] != "uint8"]
    yield from _finding(
        "more_than_8_bits",
        ((survey.first_of[kind], f"the first of {count} {kind[2]}") for kind, count in deep),
        sum(count for _, count in deep),
        types=" and ".join(sorted({kind[2] for kind, _ in deep})),
        low=survey.low,
        high=survey.high,
    )
    if len({kind[1:] for kind, _ in kinds}) > 1:
        unlike = any(kind[2] != "uint8" or kind[1] > 4 for kind, _ in kinds)
        yield from _finding(
            "mixed_images",
            ((survey.first_of[kind], f"the first of {count} {kind[0]}") for kind, count in kinds),
            sum(count for _, count in kinds),
            severity="error" if unlike else "note",
            kinds=", ".join(f"{count} x {kind[0]} ({kind[1]} channels, {kind[2]})" for kind, count in kinds),
        )
