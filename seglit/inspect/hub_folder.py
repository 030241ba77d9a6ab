"""Folders of Hugging Face `datasets`, saved by `save_to_disk` or of Parquet files, whose rows are pairs of pictures."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from seglit.errors import InputError, did_you_mean
from seglit.images.checks import decode_errors
from seglit.images.hub_tables import HUB_SPLITS, SAVED, as_picture, is_image_column, load_tables
from seglit.images.listing import files_below, picture_folders
from seglit.images.pairs import SPLITS, Pair, Pairing, Split
from seglit.images.picture import Picture
from seglit.inspect.folder_content import read_content
from seglit.inspect.infer_settings import DEFAULT_SHARES
from seglit.inspect.names import role_of, split_of

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True)
class Rows:
    """Opens the cells of a data set, which are named by paths such as `root/train/000012/image`."""

    root: Path

    def open(self, path: Path, page: int | None = None) -> Picture:
        """Opens a cell, which is no stack: `page` is None.

        Raises:
            InputError: The cell is empty, or no picture.
        """
        split, index, column = path.relative_to(self.root).parts
        with decode_errors(path):
            cell = _column(self.root, split, column)[int(index)][column]
            if cell is None:
                raise InputError(f"{path}: is empty")
            return as_picture(cell, str(path))


class HubFolder(NamedTuple):
    """What such a folder contains, and the settings of `HuggingFaceDataModule`, without the path."""

    description: str
    settings: dict[str, Any]
    pairing: Pairing
    rows: Rows


def is_hub_folder(root: Path) -> bool:
    """Whether a folder was saved by `datasets`, or contains Parquet files and no pictures."""
    if any((root / file).is_file() for file in SAVED):
        return True
    return not any(names for _, names in picture_folders(root)) and bool(files_below(root, (".parquet",)))


def read_hub_folder(root: Path, image: str | None = None, mask: str | None = None) -> HubFolder:
    """Finds the columns and splits of a data set.

    Args:
        root: The folder.
        image: Column of the images; default: inferred, like that of the masks.
        mask: Column of the masks.

    Raises:
        InputError: The library is missing, or columns cannot be distinguished.
    """
    tables = _tables(root)
    rows = Rows(root)
    image, mask = _columns(rows, tables, image, mask)
    names = _names_of_splits(tables, mask)
    pairs = [
        Pair(root / name / f"{i:06d}" / image, root / name / f"{i:06d}" / mask, f"{i:06d}", split)
        for split, name in names.items()
        for i in range(len(tables[name]))
    ]
    columns = {key: column for key, column in (("image", image), ("mask", mask)) if column != key}
    splits, drawn = _splits(names, len(tables[names["train"]]))
    kind = "saved by `save_to_disk`" if any((root / file).is_file() for file in SAVED) else "in Parquet files"
    unused = [name for name in tables if name not in names.values()]
    skipped = f"; not used: {', '.join(unused)}" if unused else ""
    description = f"Hugging Face data set {kind}, columns {image} + {mask}; splits {', '.join(names.values())}"
    settings = columns | ({} if splits is None else {"splits": splits})
    return HubFolder(f"{description}{drawn}{skipped}", settings, Pairing(pairs), rows)


@cache
def _tables(root: Path) -> Mapping[str, "Dataset"]:
    return load_tables(str(root))


@cache
def _column(root: Path, split: str, column: str) -> "Dataset":
    """One column, so that no other is decoded."""
    return _tables(root)[split].select_columns([column])


def _columns(rows: Rows, tables: Mapping[str, "Dataset"], image: str | None, mask: str | None) -> tuple[str, str]:
    """The columns of images and masks: as given, by their names, or by their content."""
    name, table = next(iter(tables.items()))
    columns = [column for column in table.column_names if is_image_column(table, column)]
    if image is not None and mask is not None:
        for column in (image, mask):
            if column not in columns:
                raise InputError(f"{rows.root}: no column {column!r} of images{did_you_mean(column, columns)}")
        return image, mask
    masks = [column for column in columns if role_of(column) == "mask"]
    if not masks:
        count = min(4, len(table))
        contents = {c: read_content([rows.root / name / str(i) / c for i in range(count)], rows.open) for c in columns}
        masks = [column for column, content in contents.items() if content.has_few_values]
    images = [column for column in columns if column not in masks]
    images = [column for column in images if role_of(column) == "image"] or images
    if len(images) == len(masks) == 1:
        return images[0], masks[0]
    listed = ", ".join(columns) or "none"
    command = shlex.join(["seglit", "inspect", str(rows.root), "--images", "IMAGE", "--masks", "MASK"])
    raise InputError(
        f"{rows.root}: cannot tell which columns hold images and masks (columns of images: {listed}); name them: "
        f"`{command}`"
    )


def _names_of_splits(tables: Mapping[str, "Dataset"], mask: str) -> dict[Split, str]:
    """The data set's own names of the splits; one whose masks are all empty, as of a challenge, is not used."""
    names: dict[Split, str] = {}
    for split in SPLITS:
        spelled = [name for name in tables if split_of(name) == split]
        if named := [name for name in (HUB_SPLITS[split], *spelled) if name in tables]:
            column = tables[named[0]].select_columns([mask]).with_format("arrow")
            if len(column) and column[:][mask].null_count < len(column):
                names[split] = named[0]
    if "train" not in names and len(tables) == 1:
        return {"train": next(iter(tables))}
    if "train" not in names:
        raise InputError(f"no split of training images among {', '.join(tables)}")
    return names


def _splits(names: Mapping[Split, str], num_train: int) -> tuple[dict[Split, str] | None, str]:
    """The setting `splits`, None for its default, and its description."""
    if "val" in names:
        usual = all(HUB_SPLITS[split] == name for split, name in names.items())
        return (None if usual else dict(names)), ""
    train = names["train"]
    num_val = max(1, round(DEFAULT_SHARES["val"] * num_train))
    num_test = 0 if "test" in names else max(1, round(DEFAULT_SHARES["test"] * num_train))
    start, end = num_train - num_val - num_test, num_train - num_test
    slices: dict[Split, str] = {"train": f"{train}[:{start}]", "val": f"{train}[{start}:{end}]"}
    slices["test"] = names.get("test", f"{train}[{end}:]")
    if not num_test:
        return slices, f"; no split for val: the last {num_val} rows of {train}"
    return slices, f"; one split: its last {num_test} rows for test, the {num_val} before them for val"
