"""Findings about a folder, errors and notes, by the rules of `seglit.inspect.rules`."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from seglit.inspect.coding import Coding
from seglit.inspect.duplicates import Duplicate
from seglit.inspect.group_proposal import GroupProposal, find_series
from seglit.inspect.layout import Layout
from seglit.inspect.meaning import Value, shown
from seglit.inspect.rules import COPIES, DRAWN_COPIES, LEFT_OUT, ROWS_LEFT_OUT, RULES, Severity
from seglit.inspect.similar_names import find_similar
from seglit.inspect.survey import Survey
from seglit.inspect.wording import counted

_FIRST_FILES = 50
_MIN_PAIRS = 3  # for one pair in each of train, val and test


@dataclass(frozen=True)
class Finding:
    """One finding.

    Args:
        code: The rule's name.
        severity: See `Severity`.
        message: What it is, in one line.
        advice: What to do about it.
        count: Number of files (or values) concerned.
        files: The first of them, each with a detail or ''.
    """

    code: str
    severity: Severity
    message: str
    advice: str
    count: int
    files: list[tuple[Path, str]]


def find_all(
    root: Path,
    layout: Layout,
    survey: Survey,
    coding: Coding,
    duplicates: Iterable[Duplicate],
    group: GroupProposal | None,
) -> list[Finding]:
    """Returns all findings, errors first."""
    findings = [
        *_files(layout, survey),
        *_blurred(survey, coding),
        *_missing_values(coding),
        *_duplicates(layout, duplicates),
        *_series(layout, group),
        *_names(root, layout),
        *_coding(survey, coding),
        *_images(survey),
        *_reading(survey),
        *_annotations(layout, survey),
        *_parts(layout, survey),
    ]
    if not layout.can_exclude:
        instead = "" if layout.rows is None else f"; {ROWS_LEFT_OUT}"
        findings = [replace(each, advice=each.advice.replace(f"; {LEFT_OUT}", instead)) for each in findings]
    return sorted(findings, key=lambda finding: finding.severity != "error")


def _finding(
    code: str,
    files: Iterable[tuple[Path, str]] = (),
    count: int | None = None,
    severity: Severity | None = None,
    **fields: object,
) -> Iterator[Finding]:
    """Yields a finding by a rule; nothing if it concerns no file and no count is given."""
    files = list(files)
    count = len(files) if count is None else count
    if count:
        rule = RULES[code]
        message, advice = (text.format(count=count, **fields) for text in rule[1:])
        yield Finding(code, severity or rule.severity, message, advice, count, files[:_FIRST_FILES])


def _files(layout: Layout, survey: Survey) -> Iterator[Finding]:
    bombs = [(path, why) for path, why in survey.unreadable_images if "decompression bomb" in why]
    yield from _finding("decompression_bomb", bombs)
    yield from _finding("unreadable_image", (image for image in survey.unreadable_images if image not in bombs))
    yield from _finding("unreadable_mask", ((survey.mask_file(pair), why) for pair, why in survey.unreadable_masks))
    yield from _finding("size_mismatch", ((pair.numbered(pair.mask), sizes) for pair, sizes in survey.mismatched))
    pairing = layout.pairing
    yield from _finding("uneven_stack", pairing.uneven_stacks.items())
    for code, paths in (
        ("image_without_mask", pairing.images_without_mask),
        ("mask_without_image", pairing.masks_without_image),
        ("listed_but_missing", layout.missing),
        ("in_two_splits", pairing.in_several_splits),
    ):
        yield from _finding(code, ((path, "") for path in paths))
    repeated = set(pairing.in_several_splits)
    splits = {pair.split for pair in layout.pairs if pair.image not in repeated}
    if "val" not in {*splits, *layout.settings.get("splits", ())} and splits != {"all"}:
        yield from _finding("no_validation", count=1)
    if splits == {"all"} and (count := len({pair.image for pair in layout.pairs})) < _MIN_PAIRS:
        yield from _finding("too_few", count=1, images=counted(count, "image"))


def _blurred(survey: Survey, coding: Coding) -> Iterator[Finding]:
    if coding.blurred is None:
        return
    real = {value.stored for value in coding.values}
    first: dict[Path, str] = {}
    for stored, count in survey.values.items():
        if stored not in real:
            first.setdefault(count.first, f"value {shown(stored)}")
    code = "jpeg_masks" if survey.has_lossy_masks else "antialiased_masks"
    yield from _finding(code, first.items(), len(survey.values) - len(real), share=coding.blurred)


def _missing_values(coding: Coding) -> Iterator[Finding]:
    splits = {split for value in coding.values for split in value.count.splits}
    by_missing: dict[tuple[str, ...], list[Value]] = defaultdict(list)
    for value in coding.values:
        by_missing[tuple(sorted(splits - set(value.count.splits)))].append(value)
    by_missing.pop((), None)
    for missing, values in by_missing.items():
        untrained = "train" in missing and any(value.class_name is not None for value in values)
        names = ", ".join(f"{value.stored} ({value.class_name or 'void'})" for value in values[:8])
        yield from _finding(
            "value_never_trained" if untrained else "value_missing_in_split",
            ((value.count.first, f"the first of {value.count.images} with {value.stored}") for value in values),
            splits=" and ".join(missing),
            values=f"{names}{', ...' * (len(values) > 8)}",
        )


def _duplicates(layout: Layout, duplicates: Iterable[Duplicate]) -> Iterator[Finding]:
    # duplicates among images that are split at random leak, too
    drawn = "val" in layout.settings.get("splits", {}) and "val" not in {pair.split for pair in layout.pairs}
    by_code: dict[str, list[tuple[Path, str]]] = defaultdict(list)
    for duplicate in duplicates:
        original, copy = duplicate.original, duplicate.copy
        is_leak = original.split != copy.split
        code = f"{'exact' if duplicate.exact else 'near'}_{'leak' if is_leak else 'duplicate'}"
        like = original.numbered(original.image).name
        by_code[code].append((copy.numbered(copy.image), f"like {like}{f' in {original.split}' * is_leak}"))
    advice = DRAWN_COPIES if drawn else COPIES
    for code, files in by_code.items():
        yield from _finding(code, files, severity="error" if drawn else None, copies=advice)


def _series(layout: Layout, group: GroupProposal | None) -> Iterator[Finding]:
    if group is None or group.duplicates:  # those are a question
        return
    series = find_series(pair.file_name for pair in layout.pairs)
    images = {pair.file_name: pair.image for pair in layout.pairs}
    files = ((images[first], f"the first of {len(others) + 1}") for first, *others in series)
    yield from _finding("numbered_names", files, pattern=json.dumps(group.pattern), groups=group.groups)


def _names(root: Path, layout: Layout) -> Iterator[Finding]:
    folded: dict[str, list[Path]] = defaultdict(list)
    for image in dict.fromkeys(pair.image for pair in layout.pairs):
        folded[image.as_posix().lower()].append(image)
    yield from _finding(
        "case_only_names", ((path, f"beside {paths[0].name}") for paths in folded.values() for path in paths[1:])
    )
    within = root.resolve()
    parents = {path.parent for pair in layout.pairs for path in pair.files}
    folders = {parent: parent.resolve().is_relative_to(within) for parent in parents}
    linked = (path for pair in layout.pairs for path in pair.files if not folders[path.parent] or path.is_symlink())
    outside = (path for path in dict.fromkeys(linked) if path.exists() and not path.resolve().is_relative_to(within))
    yield from _finding("symlink_outside", ((path, f"leads to {path.resolve()}") for path in outside))


def _coding(survey: Survey, coding: Coding) -> Iterator[Finding]:
    similar = [*find_similar(coding.classes)]
    yield from _finding(
        "similar_names",
        ((rare.count.first, f"the first of {rare.count.images} with {rare.class_name}") for rare, _ in similar),
        names=", ".join(f"{rare.class_name} and {frequent.class_name}" for rare, frequent in similar),
    )
    classes = [value.stored for value in coding.classes]
    if len(classes) == 1:
        value = coding.classes[0].class_name if survey.is_drawn else classes[0]
        yield from _finding("one_class", count=1, value=value)
    if classes == [0, 255]:
        yield from _finding("binary_0_255", count=2)
    elif classes == list(range(1, len(classes) + 1)):
        yield from _finding("off_by_one", count=len(classes))
    if len({kind.coding == "colours" for kind in survey.mask_kinds if kind.coding != "grey"}) > 1:
        kinds = survey.mask_kinds.items()
        yield from _finding(
            "mixed_mask_coding",
            ((survey.first_of[kind], f"the first of {count} {kind.coding}") for kind, count in kinds),
            survey.mask_kinds.total(),
            kinds=", ".join(f"{count} {kind.coding} {kind.file_format}" for kind, count in kinds),
        )
    names = {value.stored: value.class_name for value in coding.values}
    void = {value.stored for value in coding.void}
    for stored, masks in survey.single_valued.items():
        code = "all_void_masks" if stored in void else "single_class_masks"
        yield from _finding(code, ((mask, "") for mask in masks), value=names.get(stored) or stored)


def _reading(survey: Survey) -> Iterator[Finding]:
    reading, orientation = survey.reading, survey.reading.orientation
    reason = f"; {orientation.reason}" if orientation.reason else ""
    yield from _finding("exif_turned", ((image, "") for image in survey.turned), reason=reason)
    if orientation.is_mixed:
        by_size = survey.evidence.orientations.by_size
        sized = ((file, f"its size shows it {way}") for way, files in by_size.items() for file in files)
        severity: Severity = "error" if orientation.question else "note"
        yield from _finding("mixed_orientation", sized, severity=severity, reason=orientation.reason)
    if reading.settings.divisor > 1:
        yield from _finding("instance_numbers", count=1, divisor=reading.settings.divisor)
    if reading.scale is not None:
        yield from _finding("scaled_masks", count=1, scale=reading.scale)


def _annotations(layout: Layout, survey: Survey) -> Iterator[Finding]:
    if layout.annotated is None:
        return
    broken = layout.annotated.found.broken.items()
    yield from _finding("broken_annotations", ((file, str(why).removeprefix(f"{file}: ")) for file, why in broken))
    yield from _finding("annotated_twice", layout.annotated.twice.items())
    skipped = {kind: count for kind, count in survey.shapes.items() if not kind.drawn}
    yield from _finding(
        "skipped_shapes",
        ((survey.first_of[kind], f"the first of {count} with a {kind.kind}") for kind, count in skipped.items()),
        kinds=", ".join(sorted(kind.kind for kind in skipped)),
    )
    yield from _finding("unlabelled", ((image, "") for image in layout.annotated.unlabelled))
    for note in layout.annotated.found.notes:
        yield from _finding("annotation_note", count=1, note=note)


def _parts(layout: Layout, survey: Survey) -> Iterator[Finding]:
    yield from _finding("no_mask_file", ((pair.image, "") for pair in layout.pairs if pair.parts == ()))
    if survey.parts is None:
        return
    disputed = sum(pixels for _, pixels in survey.disputed)
    classes = sum(count.pixels for value, count in survey.values.items() if value != survey.parts.fill)
    yield from _finding(
        "disputed_pixels",
        ((mask, f"{pixels} pixels") for mask, pixels in survey.disputed),
        severity="error" if disputed * 2 > classes else None,
        share=disputed / max(1, classes),
    )


def _images(survey: Survey) -> Iterator[Finding]:
    yield from _finding("cmyk", ((image, "") for image in survey.cmyk))
    yield from _finding("no_data", ((image, f"{share:.1%} of its values") for image, share in survey.incomplete))
    constant = survey.constant
    yield from _finding(
        "constant_channels",
        count=len(constant),
        severity="error" if len(constant) == survey.channels else "note",
        channels=", ".join(map(str, constant)),
    )
    kinds = survey.image_kinds.most_common()
    deep = [(kind, count) for kind, count in kinds if kind.dtype != "uint8"]
    yield from _finding(
        "more_than_8_bits",
        ((survey.first_of[kind], f"the first of {count} {kind.dtype}") for kind, count in deep),
        sum(count for _, count in deep),
        types=" and ".join(sorted({kind.dtype for kind, _ in deep})),
        low=survey.low,
        high=survey.high,
    )
    if len({(kind.channels, kind.dtype) for kind, _ in kinds}) > 1:
        yield from _finding(
            "mixed_images",
            ((survey.first_of[kind], f"the first of {count} {kind.mode}") for kind, count in kinds),
            survey.image_kinds.total(),
            severity="error" if deep or any(kind.channels > 4 for kind, _ in kinds) else "note",
            kinds=", ".join(
                f"{count} x {kind.mode} ({counted(kind.channels, 'channel')}, {kind.dtype})" for kind, count in kinds
            ),
        )
