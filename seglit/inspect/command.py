"""`seglit inspect`: a folder understood before a step is trained."""

from json import dumps
from pathlib import Path

from rich.console import Console

from seglit.inspect.configuration import write_configuration
from seglit.inspect.inspection import inspect_folder
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
    names = [name.strip() for name in class_names.split(",")] if class_names else None
    found = inspect_folder(Path(root).expanduser().absolute(), images, masks, pairs, names, workers)
    console = Console(stderr=json, soft_wrap=True)
    if json:
        print(dumps(as_plain(found), indent=1))
    else:
        print_summary(console, found)
    if write:
        path = Path(write)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(write_configuration(found), encoding="utf-8")
        console.print(f"written: {write}; train with `seglit fit --data {write}`", highlight=False, markup=False)
    if report:
        from seglit.inspect.page import write_page

        console.print(f"report: {write_page(Path(report), found)}", highlight=False, markup=False)
    return int(not found.is_clean)
