"""Pairs that `metadata.csv` or `metadata.jsonl` lists, as in an "imagefolder" of Hugging Face `datasets`."""

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from seglit.errors import InputError
from seglit.images.listing import SUFFIXES, files_below, is_file, reading_table
from seglit.images.matching import listed_file, missing_file
from seglit.images.pairs import SPLITS, Missing, Pair, Pairing, PairSettings
from seglit.images.replacing import replacing
from seglit.images.splitting import split_pairs
from seglit.inspect.names import role_of, split_of

_IMAGE = "file_name"


def read_metadata(root: Path) -> Pairing | None:
    """Reads the pairs that metadata files below a folder list; None if there is none that names masks.

    Raises:
        InputError: A file is invalid, or several columns name masks.
    """
    pairing, found = Pairing(), False
    for file in files_below(root, (".csv", ".jsonl")):
        if file.stem != "metadata":
            continue
        rows = list(_rows(file))
        column = next((column for _, row in rows if (column := _mask_column(file, row))), "")
        for where, row in rows if column else []:
            found = True
            image = listed_file(file.parent, str(row.get(_IMAGE) or ""), f"{where}: {_IMAGE}")
            if not row.get(column):
                pairing.missing.append(Missing([image], f"{where}: {column} is empty"))
                continue
            mask = listed_file(file.parent, str(row[column]), f"{where}: {column}")
            parts = image.relative_to(root).parts[:-1]
            split = next((split for part in reversed(parts) if (split := split_of(part)) != "all"), "all")
            if absent := [path for path in (image, mask) if not is_file(path)]:
                pairing.missing.append(missing_file(image, absent[0], where))
            else:
                name = image.relative_to(root).with_suffix("").as_posix()
                pairing.pairs.append(Pair(image, mask, name, split))  # type: ignore[arg-type]  # split_of returns one
    return pairing if found else None


def _rows(file: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The rows, each with the place that messages state."""
    if file.suffix.lower() == ".csv":
        with reading_table(file) as table:
            yield from ((f"{file}, line {table.line_num}", row) for row in table)
        return
    for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        try:
            row = json.loads(line) if line.strip() else None
        except ValueError as error:
            raise InputError(f"{file}, line {number}: is not valid JSON ({error})") from error
        if isinstance(row, dict):
            yield f"{file}, line {number}", row


def _mask_column(file: Path, row: Mapping[str, Any]) -> str:
    """The column that names masks: its name says so, and it contains a picture's name; empty if there is none."""
    pictures = [key for key, value in row.items() if str(value).lower().endswith(SUFFIXES)]
    columns = [key for key in pictures if role_of(key) == "mask"] if _IMAGE in row else []
    if len(columns) > 1:
        raise InputError(
            f"{file}: the columns {', '.join(columns)} all name masks; list the pairs of one in a CSV with columns "
            "image and mask (--pairs)"
        )
    return columns[0] if columns else ""


def with_splits(root: Path, pairs: list[Pair], shares: Mapping[str, float]) -> list[Pair]:
    """Draws val from train if no image is in val; pairs without any split stay so.

    Raises:
        InputError: Some images are in a folder of a split, and others are not.
    """
    splits = {pair.split for pair in pairs}
    if "all" in splits and len(splits) > 1:
        outside = next(pair for pair in pairs if pair.split == "all")
        raise InputError(f"{root}: {outside.image} is in no folder of a split (train, val, test), but others are")
    if "train" not in splits or "val" in splits:
        return pairs
    drawn = split_pairs(pairs, PairSettings(splits={"val": shares["val"]}))
    return [pair._replace(split=split) for split in SPLITS for pair in drawn[split]]


def write_pairs(file: Path, root: Path, pairs: list[Pair]) -> None:
    """Writes the CSV of pairs that `FolderDataModule` reads, with paths relative to the root."""
    has_splits = any(pair.split != "all" for pair in pairs)
    with replacing(file) as part, part.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["image", "mask", "split"][: 2 + has_splits])
        for *files, split in dict.fromkeys((pair.image, pair.mask, pair.split) for pair in pairs):  # of a stack, once
            paths = (path.relative_to(root).as_posix() for path in files)
            writer.writerow([*paths, split][: 2 + has_splits])
