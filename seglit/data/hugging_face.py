"""Hugging Face `datasets` that have a column of images and one of masks."""

import itertools
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from seglit.data.base import SegmentationDataModule
from seglit.data.dataset import SegmentationDataset
from seglit.errors import InputError, did_you_mean
from seglit.images.pairs import Split
from seglit.images.picture import Picture, as_pair
from seglit.labels import Labels

if TYPE_CHECKING:
    from datasets import Dataset

_SPLITS: dict[Split, str] = {"train": "train", "val": "validation", "test": "test"}
"""What the splits are usually called there."""


class HuggingFaceDataset(SegmentationDataset):
    """Rows of a table as pairs.

    Args:
        rows: The split.
        columns: Names of the columns of images and of masks.
        labels: Which stored value is which class.
        in_channels: See `FolderDataModule`.
        where: What the rows are of, for messages.
    """

    def __init__(
        self,
        rows: "Dataset",
        columns: tuple[str, str],
        labels: Labels,
        in_channels: int,
        where: str,
    ) -> None:
        self.rows = rows
        self.columns = columns
        self.labels = labels
        self.in_channels = in_channels
        self.where = where

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.rows)

    def read(self, index: int) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8], str]:
        """Reads a row; see `SegmentationDataset.read`."""
        row: dict[str, Any] = self.rows[index]
        picture, mask = (row[column] for column in self.columns)
        where = f"{self.where}, row {index}"
        if picture is None or mask is None:
            raise InputError(f"{where}: the image or the mask is missing")
        image, classes = as_pair(_as_picture(picture, where), _as_picture(mask, where), self.labels, self.in_channels)
        return image, classes, f"{index:06d}"


class HuggingFaceDataModule(SegmentationDataModule):
    """A data set of the Hugging Face hub, or one that `save_to_disk` wrote. Needs `pip install "seglit[huggingface]"`.

    Both columns hold pictures (the feature `Image`). What comes from the hub is downloaded once, and kept where
    `HF_HOME` says. The library reads colours of 16 bits as 8.

    Args:
        path: A repository on the hub (`user/name`), a folder of Parquet files, or the folder of `save_to_disk`.
        class_names: One name a class, in the order of the class indices.
        name: Which of the repository's configurations; None takes its default.
        image: Column of the images.
        mask: Column of the masks.
        splits: Our splits to theirs, sliced where needed (`{train: "train[:90%]", val: "train[90%:]"}`); a test split
            without masks is to be left out. None takes train, validation and test, as far as they are there.
        mask_values: Class name to the stored integer or integers; by default the stored value is the class index.
        mask_colors: Class name to the stored RGB colour or colours.
        ignore_values: Stored values (or colours) that are void.
        palette: RGB colours that pictures draw the classes in.
        loader: Batches and augmentation, see `SegmentationDataModule`.

    Raises:
        InputError: The library, the data set, a split or a column is missing, or a column holds no pictures.
    """

    def __init__(
        self,
        path: str,
        class_names: list[str],
        name: str | None = None,
        image: str = "image",
        mask: str = "mask",
        splits: dict[Split, str] | None = None,
        mask_values: dict[str, int | list[int]] | None = None,
        mask_colors: dict[str, list[int] | list[list[int]]] | None = None,
        ignore_values: list[int | list[int]] | None = None,
        palette: list[list[int]] | None = None,
        **loader: Any,
    ) -> None:
        labels = Labels.create(class_names, mask_values, mask_colors, ignore_values or [], palette)
        super().__init__(labels, **loader)
        self.path = path
        self.name = name
        self.columns = (image, mask)
        self.splits = splits

    def prepare_data(self) -> None:
        """Downloads what comes from the hub; the trainer calls this on one process of each machine."""
        _load(self.path, self.name)

    def dataset(self, split: Split) -> HuggingFaceDataset:
        """Makes the data set of a split."""
        if not self.has_split(split):
            raise InputError(f"data set {self.path}: no split {split!r}; splits is {self.splits or _SPLITS}")
        rows, where = self._rows[split], f"data set {self.path}, {split}"
        return HuggingFaceDataset(rows, self.columns, self.labels, self.in_channels, where)

    def has_split(self, split: Split) -> bool:
        """Whether the split is named, or there under its usual name."""
        return split in self._rows

    @cached_property
    def _rows(self) -> dict[Split, "Dataset"]:
        """The rows of every split, whose columns are known to be there and to hold pictures."""
        from datasets import concatenate_datasets

        loaded = _load(self.path, self.name)
        named = self.splits or {split: name for split, name in _SPLITS.items() if name in loaded}
        places = {
            split: _places(name, loaded, f"data set {self.path}, splits: {split}") for split, name in named.items()
        }
        _refuse_overlap(places, self.path)
        found: dict[Split, Dataset] = {}
        for split, parts in places.items():
            chosen = [self._check(loaded[name], name).select(rows) for name, rows in parts]
            found[split] = concatenate_datasets(chosen)
        return found

    def _check(self, rows: "Dataset", name: str) -> "Dataset":
        """The two columns that are read, so that no other is decoded."""
        import datasets

        for column in self.columns:
            if column not in rows.column_names:
                hint = did_you_mean(column, rows.column_names)
                raise InputError(f"data set {self.path}, {name}: no column {column!r}{hint}")
            if not isinstance(rows.features[column], datasets.Image):
                raise InputError(
                    f"data set {self.path}, {name}: the column {column!r} holds {rows.features[column]}, no pictures"
                )
        return rows.select_columns(list(dict.fromkeys(self.columns)))


def _as_picture(cell: Image.Image, where: str) -> Picture:
    """A cell, which the library has turned upright, as if it had been a file here."""
    if cell.mode.startswith(("I", "F")):
        return Picture(Path(where), np.asarray(cell), "array", str(cell.format))
    return Picture.of_pillow(cell, Path(where))


def _load(path: str, name: str | None) -> Mapping[str, "Dataset"]:
    """All splits of a data set, from the disk or the hub.

    Raises:
        InputError: The library or the data set is missing, or the hub cannot be reached.
    """
    try:
        import datasets
    except ImportError:
        raise InputError('Hugging Face data sets need: pip install "seglit[huggingface]"') from None
    saved = any((Path(path) / file).is_file() for file in ("dataset_dict.json", "state.json"))
    try:
        loaded = datasets.load_from_disk(path) if saved else datasets.load_dataset(path, name)
    # RuntimeError: a data set that is a program, which is no longer run
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        raise InputError(f"data set {path}: {' '.join(str(error).split())}") from error
    return {"train": loaded} if isinstance(loaded, datasets.Dataset) else loaded


def _places(name: str, loaded: Mapping[str, "Dataset"], where: str) -> list[tuple[str, range]]:
    """The rows that a name such as `train[:90%]` means."""
    from datasets import ReadInstruction

    try:
        parts = ReadInstruction.from_spec(name).to_absolute({split: len(rows) for split, rows in loaded.items()})
    except (AssertionError, ValueError) as error:
        raise InputError(f"{where}: {' '.join(str(error).split())}") from error
    return [(part.splitname, range(part.from_, part.to)) for part in parts]


def _refuse_overlap(places: Mapping[Split, list[tuple[str, range]]], path: str) -> None:
    """A row in two splits would be trained on and scored."""
    for (one, parts), (other, others) in itertools.combinations(places.items(), 2):
        for (name, rows), (same, more) in itertools.product(parts, others):
            if name == same and range(max(rows.start, more.start), min(rows.stop, more.stop)):
                raise InputError(f"data set {path}: rows of {name!r} stand in both {one} and {other}; keep each in one")
