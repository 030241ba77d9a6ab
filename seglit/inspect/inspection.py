"""A folder inspected: read once, understood, and what is wrong with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seglit.drawing.progress_bar import progress_bar
from seglit.errors import InputError
from seglit.inspect.advice import Advice, advise
from seglit.inspect.coding import Coding, find_coding
from seglit.inspect.duplicates import find_duplicates
from seglit.inspect.findings import Finding, find_all
from seglit.inspect.layout import Layout, find_layout
from seglit.inspect.survey import Survey, read_all


@dataclass(frozen=True)
class Inspection:
    """All that is known of a folder.

    Args:
        root: The folder.
        layout: How it is laid out.
        survey: What was counted.
        coding: How the masks code their classes.
        advice: What to start training from.
        findings: What is wrong, or worth knowing, errors first.
    """

    root: Path
    layout: Layout
    survey: Survey
    coding: Coding
    advice: Advice
    findings: list[Finding]

    @property
    def is_clean(self) -> bool:
        """Whether there is no error among the findings."""
        return all(finding.severity != "error" for finding in self.findings)

    def below(self, path: Path) -> str:
        """A path as it is shown: relative to the folder, if it lies below."""
        return (path.relative_to(self.root) if path.is_relative_to(self.root) else path).as_posix()


def inspect_folder(
    root: Path,
    images: str | None = None,
    masks: str | None = None,
    pairs: str | None = None,
    class_names: Sequence[str] | None = None,
    workers: int | None = None,
) -> Inspection:
    """Reads a folder of images and masks.

    Args:
        root: The folder.
        images: Folder of the images, relative to root, `{split}` standing for a split; found if not given.
        masks: Folder of the masks, likewise.
        pairs: CSV of the pairs with columns image and mask; found if not given.
        class_names: The classes in the order of their stored values; a value that is not named is void.
        workers: Reading processes; by default one a core.

    Raises:
        InputError: It could not be read at all.
    """
    layout = find_layout(root, images, masks, pairs)
    if not layout.pairs:
        raise InputError(f"{root}: no image has a mask ({layout.description})")
    survey = Survey(layout.pairs)
    with progress_bar("pairs") as progress:
        task = progress.add_task("reading", total=len(layout.pairs))
        for index, facts in enumerate(read_all(layout.pairs, workers)):
            survey.add(index, facts)
            progress.advance(task)
    if not survey.values:
        raise InputError(f"{root}: no pair of the {len(layout.pairs)} could be read: {_first_reason(survey)}")
    coding = find_coding(survey, class_names)
    if layout.public:
        coding.questions = []  # its configuration knows
    findings = find_all(root, layout, survey, coding, find_duplicates(survey))
    return Inspection(root, layout, survey, coding, advise(survey, coding), findings)


def _first_reason(survey: Survey) -> str:
    if survey.unreadable_images:
        path, why = survey.unreadable_images[0]
    elif survey.unreadable_masks:
        path, why = survey.unreadable_masks[0][0].mask, survey.unreadable_masks[0][1]
    else:
        path, why = survey.mismatched[0][0].mask, survey.mismatched[0][1]
    return f"{path.name}: {why}"
