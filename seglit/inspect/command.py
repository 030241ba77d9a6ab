"""`seglit inspect`: reports on a folder of images and masks before training."""

import shlex
from json import dumps
from pathlib import Path

from rich.console import Console

from seglit.errors import InputError
from seglit.inspect.configuration import write_configuration
from seglit.inspect.inspection import Inspection, inspect_folder
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
    force: bool = False,
    mask_divisor: int | None = None,
) -> int:
    """Inspects a folder of images and masks: prints its contents and problems, and writes the data configuration.

    Args:
        root: The folder.
        images: Folder of the images below root, with `{split}` in place of a split, or column; inferred if not given.
        masks: Folder of the masks, likewise.
        pairs: CSV of the pairs with columns image and mask; inferred if not given.
        class_names: The classes in the order of their stored values, such as `sky,road,car`; other values are void.
        write: Data configuration to write, such as configs/data/mine.yaml.
        report: Folder to write an HTML report to, index.html, with pictures of the findings.
        json: Print everything as JSON.
        workers: Worker processes; by default one per core.
        force: Let --write overwrite a file that was edited.
        mask_divisor: Stored integers are class * mask_divisor + instance; 1: they are classes; inferred if not given.

    Returns:
        0, or 1 if any finding is an error.

    Raises:
        InputError: The folder cannot be read at all, or `write` names no YAML file.
    """
    if write and not write.endswith((".yaml", ".yml")):
        raise InputError(f"--write {write}: the name of a configuration ends with .yaml: --write {write}.yaml")
    names = [name.strip() for name in class_names.split(",")] if class_names else None
    folder = Path(root).expanduser().absolute()
    inspection = inspect_folder(folder, images, masks, pairs, names, workers, mask_divisor)
    console = Console(stderr=json, soft_wrap=True, highlight=False)
    if json:
        print(dumps(as_plain(inspection), indent=1))
    else:
        print_summary(console, inspection)
    if write:
        _write(console, Path(write).expanduser(), inspection, force)
    if report:
        _write_report(console, Path(report).expanduser() / "index.html", inspection)
    return int(not inspection.is_clean)


def _write(console: Console, file: Path, inspection: Inspection, force: bool) -> None:
    """Writes the configuration, and prints the commands that train with it."""
    kept = write_configuration(file, inspection, force=force)
    said = f"not written: {file} {kept}; --force overwrites it" if kept else f"written: {file}"
    named = shlex.quote(str(file))
    console.print(f"{said}; train with `seglit fit --data {named}`", markup=False)
    model = inspection.advice.model
    if model.pretrained:  # a download, so it is not the first command
        command = f"seglit fit --data {named} {model.options}"
        console.print(f"or, with network access, from pretrained weights: `{command}`", markup=False)


def _write_report(console: Console, page: Path, inspection: Inspection) -> None:
    """Writes the report and prints its path."""
    from seglit.inspect.page import write_report

    write_report(page, inspection)
    console.print(f"report: {page}", markup=False)
