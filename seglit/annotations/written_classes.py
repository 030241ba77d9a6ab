"""Class names that exporters write beside masks, with the colours or values that stand for them."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from seglit.errors import InputError
from seglit.images.listing import files_below, reading_table
from seglit.labels import Color

_FILES = ("labelmap.txt", "_classes.csv", "class_dict.csv", "class_names.txt")


@dataclass(frozen=True)
class WrittenClasses:
    """Classes that an exporter has written.

    Args:
        file: Where.
        names: In the order of the file.
        colors: RGB colour of each, if masks are coloured.
        values: Stored value of each, if masks are not.
    """

    file: Path
    names: tuple[str, ...]
    colors: Mapping[str, Color] = field(default_factory=dict)
    values: Mapping[str, int] = field(default_factory=dict)


def find_written_classes(root: Path) -> WrittenClasses | None:
    """Returns the classes written in a folder or below it; None if there are none.

    `labelmap.txt` (CVAT, Pascal VOC: `name:r,g,b:parts:actions`), `_classes.csv` (Roboflow: `Pixel Value, Class`),
    `class_dict.csv` (`name,r,g,b`) and `class_names.txt` (labelme: a name per line, in the order of the values).

    Raises:
        InputError: Such a file is not in its format, or two of them differ.
    """
    found: WrittenClasses | None = None
    for file in sorted(files_below(root, (".txt", ".csv")), key=lambda path: (len(path.parts), path)):
        if file.name.lower() not in _FILES:
            continue
        classes = _read(file)
        if found is None:
            found = classes
        elif file.name == found.file.name and (classes.names, classes.colors) != (found.names, found.colors):
            raise InputError(f"{file}: names other classes than {found.file}")
    return found


def _read(file: Path) -> WrittenClasses:
    try:
        match file.name.lower():
            case "labelmap.txt":
                colors = dict(_labelmap_line(line) for line in _lines(file) if not line.startswith("#"))
                return WrittenClasses(file, tuple(colors), colors=colors)
            case "class_names.txt":
                names = tuple(line for line in _lines(file) if line not in ("__ignore__", "_ignore_"))
                return WrittenClasses(file, names, values={name: index for index, name in enumerate(names)})
            case "_classes.csv":
                rows = [row for row in csv.reader(_lines(file), skipinitialspace=True) if row][1:]
                values = {row[1].strip(): int(row[0]) for row in rows}
                return WrittenClasses(file, tuple(values), values=values)
            case _:
                with reading_table(file) as table:
                    colors = {row["name"].strip(): _color([row["r"], row["g"], row["b"]]) for row in table}
                return WrittenClasses(file, tuple(colors), colors=colors)
    except (IndexError, KeyError, ValueError) as error:
        raise InputError(f"{file}: is not a list of classes ({error})") from error


def _lines(file: Path) -> list[str]:
    return [line.strip() for line in file.read_text("utf-8-sig", "replace").splitlines() if line.strip()]


def _labelmap_line(line: str) -> tuple[str, Color]:
    # a name may contain colons
    name, color, *_ = [part[::-1] for part in reversed(line[::-1].split(":", 3))]
    return name, _color(color.split(","))


def _color(parts: list[str]) -> Color:
    red, green, blue = (int(part) for part in parts)
    if not all(0 <= part <= 255 for part in (red, green, blue)):
        raise ValueError(f"{red}, {green}, {blue} is not a colour")
    return red, green, blue
