"""Inspection of a folder: layout, survey, mask coding, findings and advice."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from seglit.annotations.written_classes import find_written_classes
from seglit.drawing.progress_bar import progress_bar
from seglit.errors import InputError, printable
from seglit.inspect.advice import Advice, advise
from seglit.inspect.coding import Coding, find_coding
from seglit.inspect.duplicates import find_duplicates
from seglit.inspect.findings import Finding, find_all
from seglit.inspect.group_proposal import GroupProposal, propose_group
from seglit.inspect.layout import Layout, find_layout
from seglit.inspect.mask_reading import MaskReading
from seglit.inspect.part_classes import find_part_classes
from seglit.inspect.part_coding import find_part_coding
from seglit.inspect.read_pairs import read_all
from seglit.inspect.region_coding import find_region_coding
from seglit.inspect.stack_questions import stack_questions
from seglit.inspect.survey import Survey


@dataclass(frozen=True)
class Inspection:
    """The result of `inspect_folder`.

    Args:
        root: The folder.
        layout: The layout of its files.
        survey: The accumulated facts of all pairs.
        coding: How the masks code their classes.
        advice: Suggested settings.
        findings: All findings, errors first.
        group: What would keep frames of a video in one split; None if the splits are not drawn, or names do not tell.
    """

    root: Path
    layout: Layout
    survey: Survey
    coding: Coding
    advice: Advice
    findings: list[Finding]
    group: GroupProposal | None

    @property
    def is_clean(self) -> bool:
        """Whether no finding is an error."""
        return all(finding.severity != "error" for finding in self.findings)

    def below(self, path: Path) -> str:
        """Returns a path relative to the folder, if it is below it."""
        return (path.relative_to(self.root) if path.is_relative_to(self.root) else path).as_posix()


def inspect_folder(
    root: Path,
    images: str | None = None,
    masks: str | None = None,
    pairs: str | None = None,
    class_names: Sequence[str] | None = None,
    workers: int | None = None,
    mask_divisor: int | None = None,
) -> Inspection:
    """Reads and inspects a folder of images and masks.

    Args:
        root: The folder.
        images: Folder of the images, see `find_layout`.
        masks: Folder of the masks, likewise.
        pairs: CSV of the pairs, likewise.
        class_names: The classes in the order of their stored values; values without a name are void.
        workers: Worker processes; default: one per core.
        mask_divisor: Stored integers are class * mask_divisor + instance; 1: they are classes; default: inferred.

    Raises:
        InputError: The layout cannot be inferred, no pair can be read, or there are more classes than fit.
    """
    layout = find_layout(root, images, masks, pairs)
    annotated = layout.annotated
    if annotated is not None and class_names is not None:
        raise InputError(
            f"--class_names: the names come from the annotations, {', '.join(annotated.class_names[:20])}; to choose "
            "some, edit class_names in the written configuration"
        )
    _check_pairs(root, layout)
    survey = _survey(layout, workers, mask_divisor)
    if not survey.values:
        of_masks = ((pair.mask, why) for pair, why in (*survey.unreadable_masks, *survey.mismatched))
        path, why = [*survey.unreadable_images, *of_masks][0]
        raise InputError(f"{root}: none of the {len(layout.pairs)} pairs can be read; {path.name}: {why}")
    coding = _coding(root, layout, survey, class_names)
    duplicates = find_duplicates(survey)
    group = propose_group(layout.pairs, layout.split_settings, duplicates)
    # or its configuration answers
    asked = [*coding.questions, *_questions(survey, group), *stack_questions(layout.data_root, layout.pairing)]
    coding.questions = [] if layout.public else [*layout.questions, *asked]
    findings = find_all(root, layout, survey, coding, duplicates, group)
    return Inspection(root, layout, survey, coding, advise(survey, coding), findings, group)


def _check_pairs(root: Path, layout: Layout) -> None:
    """Raises InputError if there is nothing to read."""
    if layout.pairs:
        return
    for image, why in layout.pairing.uneven_stacks.items():
        raise InputError(f"{image}: {why}")
    raise InputError(f"{root}: no image has a mask ({layout.description}); name the folders with --images and --masks")


def _coding(root: Path, layout: Layout, survey: Survey, class_names: Sequence[str] | None) -> Coding:
    if layout.annotated is not None:
        return find_region_coding(survey, layout.annotated)
    if layout.public:
        return find_coding(survey, class_names)
    if survey.parts is not None:
        coding = find_part_coding(survey, survey.parts, class_names)
    else:
        coding = _stored_coding(root, survey, class_names)
    for name, (value, reason) in survey.reading.yaml.items():
        coding.settings[name], coding.comments[name] = value, reason
    return coding


def _stored_coding(root: Path, survey: Survey, class_names: Sequence[str] | None) -> Coding:
    """Infers how masks in one file code their classes, with the names that an exporter wrote."""
    try:
        written, unclear = find_written_classes(root), ""
    except InputError as error:
        written, unclear = None, printable(f"which names are right? {error}")
    coding = find_coding(survey, class_names, written)
    if unclear and class_names is None:
        coding.questions.append(unclear)
    return coding


def _survey(layout: Layout, workers: int | None, divisor: int | None) -> Survey:
    """Reads all pairs, and again if that shows that they are to be read otherwise."""
    parts = find_part_classes(layout.pairs)
    if divisor is not None and (layout.public or layout.rows or layout.annotated or parts):
        raise InputError("--mask_divisor: applies to masks that are one file each, with integers; these are not")
    first = _read(Survey(layout.pairs, annotated=layout.annotated, rows=layout.rows, parts=parts), workers)
    if not first.image_kinds:  # none can be read
        return first
    unstated = first.unstated_nodata  # not to be in any statistic
    # public data have a configuration that says how, and rows no such settings
    reading = MaskReading() if layout.public or layout.rows else first.evidence.conclude(divisor)
    if unstated or first.evidence.must_read_again(reading):
        return _read(Survey(layout.pairs, unstated, layout.annotated, layout.rows, parts, reading), workers)
    first.reading = reading
    return first


def _questions(survey: Survey, group: GroupProposal | None) -> Iterator[str]:
    """Yields what only the user can answer about how the files are read and divided."""
    yield from filter(None, (survey.reading.orientation.question, survey.reading.question))
    if survey.nodata:
        values = ", ".join(f"{value:g}" for value in dict.fromkeys(survey.nodata) if not math.isnan(value))
        yield (
            f"do pixels of {values} have no data? they are far outside the other values, and repeated; the written "
            "configuration says so (`nodata`): remove it if they are measurements"
        )
    if group is not None and group.duplicates:
        yield (
            f"do images belong together, as frames of a video? `group: {json.dumps(group.pattern)}` gives {group}; the "
            "written configuration has it as a comment"
        )


def _read(survey: Survey, workers: int | None) -> Survey:
    with progress_bar("pairs") as progress:
        task = progress.add_task("reading", total=len(survey.pairs))
        for index, facts in enumerate(read_all(survey, workers)):
            survey.add(index, facts)
            progress.advance(task)
    return survey
