"""`seglit inspect`: a folder understood before a step is trained."""

from json import dumps
from pathlib import Path

from rich.console import Console

from seglit.drawing.progress_bar import progress_bar
from seglit.errors import InputError
from seglit.inspect.advice import advise
from seglit.inspect.coding import find_coding
from seglit.inspect.configuration import write_configuration
from seglit.inspect.duplicates import find_duplicates
from seglit.inspect.findings import find_all
from seglit.inspect.layout import find_layout
from seglit.inspect.survey import Survey, read_all
from seglit.inspect.text import as_plain, print_summary


def inspect(
    root: str,
    images: str | None = None,
    masks: str | None = None,
    pairs: str | None = None,
    class_names: str | None = None,
    write: str | None = None,
    report: str | None = None,
    json: bool = False,
    workers: int | None = None,
) -> int:
    """Reads a folder of images and masks, says what is in it and what is wrong, and writes the configuration.

    Args:
        root: The folder.
        images: Folder of the images, relative to root, `{split}` standing for a split; found if not given.
        masks: Folder of the masks, likewise.
        pairs: CSV of the pairs with columns image and mask; found if not given.
        class_names: The classes in the order of their stored values, as in `sky,road,car`; a value that is not named
            is void.
        write: Data configuration to write, such as configs/data/mine.yaml.
        report: Folder to write a page to look at, index.html.
        json: Print everything as JSON.
        workers: Reading processes; by default one a core.

    Returns:
        0 for clean, 1 for findings that would spoil a training.

    Raises:
        InputError: It could not be read at all.
    """
    folder = Path(root).expanduser().absolute()
    layout = find_layout(folder, images, masks, pairs)
    if not layout.pairs:
        raise InputError(f"{root}: no image has a mask ({layout.description})")
    console = Console(stderr=json, soft_wrap=True)
    survey = Survey(layout.pairs)
    with progress_bar("pairs") as progress:
        task = progress.add_task("reading", total=len(layout.pairs))
        for index, facts in enumerate(read_all(layout.pairs, workers)):
            survey.add(index, facts)
            progress.advance(task)
    if not survey.values:
        raise InputError(f"{root}: no pair of the {len(layout.pairs)} could be read: {_first_reason(survey)}")
    coding = find_coding(survey, [name.strip() for name in class_names.split(",")] if class_names else None)
    if layout.public:
        coding.questions = []  # its data module knows
    advice = advise(survey, coding)
    findings = find_all(folder, layout, survey, coding, find_duplicates(survey))
    if json:
        print(dumps(as_plain(folder, layout, survey, coding, advice, findings), indent=1))
    else:
        print_summary(console, folder, layout, survey, coding, advice, findings)
    if write:
        path = Path(write)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(write_configuration(folder, layout, survey, coding, advice), encoding="utf-8")
        console.print(
            f"written: {write}; train with `seglit fit --data {write} --model configs/model/unet.yaml`",
            highlight=False,
            markup=False,
        )
    if report:
        from seglit.inspect.page import write_page

        page = write_page(Path(report), folder, layout, survey, coding, advice, findings)
        console.print(f"report: {page}", highlight=False, markup=False)
    return int(any(finding.spoils for finding in findings))


def _first_reason(survey: Survey) -> str:
    if survey.unreadable_images:
        path, why = survey.unreadable_images[0]
    elif survey.unreadable_masks:
        path, why = survey.unreadable_masks[0][0].mask, survey.unreadable_masks[0][1]
    else:
        path, why = survey.mismatched[0][0].mask, survey.mismatched[0][1]
    return f"{path.name}: {why}"
