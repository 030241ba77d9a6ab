"""Which mask belongs to which image, and in which split."""

from collections import Counter
from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from seglit.errors import InputError
from seglit.images.listing import is_file, nearest_entry, reading_table

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")


class Pair(NamedTuple):
    """An image file, its mask file, and the name the two go by."""

    image: Path
    mask: Path
    name: str


def read_csv(root: Path, file: str, exclude: Container[Path]) -> tuple[list[Pair], dict[Split, list[Pair]] | None]:
    """All pairs of a CSV, and the same by split where it has that column."""
    path = root / file
    if not path.is_file():
        raise InputError(f"pairs: {path} is no file{nearest_entry(path)}")
    with reading_table(path) as table:
        columns = table.fieldnames or ()
        if missing := {"image", "mask"} - set(columns):
            raise InputError(f"{path}: no column {min(missing)!r}; its columns are {', '.join(columns)}")
        rows = [(f"{path}, line {table.line_num}", row) for row in table if root / row["image"] not in exclude]
    every = [
        Pair(
            listed_file(root, row["image"], f"{where}: image"),
            listed_file(root, row["mask"], f"{where}: mask"),
            Path(row["image"]).with_suffix("").as_posix(),
        )
        for where, row in rows
    ]
    if "split" not in columns:
        return every, None
    found: dict[Split, list[Pair]] = {"train": [], "val": [], "test": []}
    for (where, row), pair in zip(rows, every, strict=True):
        if row["split"] not in found:
            raise InputError(f"{where}: split is {row['split']!r}; it takes train, val or test")
        found[row["split"]].append(pair)
    refuse_overlap(found)
    return every, found


def listed_file(root: Path, entry: str | None, where: str) -> Path:
    """A file below `root`: what is written for a picture is named like it, and must not land elsewhere."""
    if not entry:
        raise InputError(f"{where} is empty")
    if Path(entry).is_absolute() or ".." in Path(entry).parts:
        raise InputError(f"{where} {entry} leaves the data root {root}; its paths are relative to that")
    if not is_file(root / entry):
        raise InputError(f"{where} {root / entry}: no such file{nearest_entry(root / entry)}")
    return root / entry


def refuse_overlap(found: Mapping[Split, Iterable[Pair]]) -> None:
    """A pair in two splits would be trained on and scored."""
    counts = Counter(image for pairs in found.values() for image in {pair.image for pair in pairs})
    if double := [image for image, count in counts.items() if count > 1]:
        raise InputError(f"{len(double)} images stand in more than one split, first {double[0]}; keep each in one")
