"""Hugging Face `datasets` with a column of images and a column of masks."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from seglit.data.base import SegmentationDataModule
from seglit.data.dataset import SegmentationDataset
from seglit.errors import InputError, did_you_mean
from seglit.images.hub_tables import HUB_SPLITS, as_picture, is_image_column, load_tables
from seglit.images.pairs import Split
from seglit.images.read import PairReader
from seglit.labels import Labels

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass
class HuggingFaceDataset(SegmentationDataset):
    """Pairs in the rows of a table.

    Args:
        rows: The split.
        columns: Names of the columns of images and masks.
        reader: Decodes them.
        where: Data set and split, for messages.
    """

    rows: "Dataset"
    columns: tuple[str, str]
    reader: PairReader
    where: str

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
        decoded = self.reader.decode(as_picture(picture, where), as_picture(mask, where))
        return *decoded, self.name_of(index)

    def name_of(self, index: int) -> str:
        """Returns the number of a row."""
        return f"{index:06d}"


class HuggingFaceDataModule(SegmentationDataModule):
    """A data set of the Hugging Face hub, or one saved by `save_to_disk`. Requires `pip install "seglit[huggingface]"`.

    Both columns are of the feature type `Image`. Data sets of the hub are downloaded once, to `HF_HOME`. The library
    reads colours of 16 bits as 8 bits.

    Args:
        path: A repository on the hub (`user/name`), a folder of Parquet files, or a folder of `save_to_disk`.
        class_names: One name per class, in the order of the class indices.
        name: Configuration of the repository; None is its default.
        image: Column of the images.
        mask: Column of the masks.
        splits: Split to split of the data set, or slices of it (`{train: "train[:90%]", val: "train[90%:]"}`); several
            leave rows out (`train[:12]+train[13:]` is without row 12). Omit a test split without masks. None takes
            those of train, validation and test that exist.
        mask_values: Class name to the stored integer or integers; default: the stored value is the class index.
        mask_colors: Class name to the stored RGB colour or colours.
        ignore_values: Stored values (or colours) that are void.
        mask_tolerance: A stored value within this distance of a listed one counts as that one, any other is void.
        palette: RGB colours to draw the classes in.
        loader: Batches and augmentation, see `SegmentationDataModule`.

    Raises:
        InputError: The library, the data set, a split or a column is missing, or a column does not contain images.
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
        mask_tolerance: int = 0,
        palette: list[list[int]] | None = None,
        **loader: Any,
    ) -> None:
        labels = Labels.create(class_names, mask_values, mask_colors, ignore_values or [], palette, mask_tolerance)
        super().__init__(labels, **loader)
        self.path = path
        self.name = name
        self.columns = (image, mask)
        self.splits = splits

    def prepare_data(self) -> None:
        """Downloads a data set of the hub; the trainer calls this in one process per machine."""
        load_tables(self.path, self.name)

    def dataset(self, split: Split) -> HuggingFaceDataset:
        """Returns the data set of a split."""
        if not self.has_split(split):
            raise InputError(f"data set {self.path}: no split {split!r}; splits is {self.splits or HUB_SPLITS}")
        rows, where = self._rows[split], f"data set {self.path}, {split}"
        return HuggingFaceDataset(rows, self.columns, PairReader(self.labels, self.in_channels, self.nodata), where)

    def has_split(self, split: Split) -> bool:
        """Whether `splits` names the split, or it exists by its usual name."""
        return split in self._rows

    @cached_property
    def _rows(self) -> dict[Split, "Dataset"]:
        """The rows of every split, with columns checked."""
        from datasets import concatenate_datasets

        loaded = load_tables(self.path, self.name)
        named = self.splits or {split: name for split, name in HUB_SPLITS.items() if name in loaded}
        slices = {
            split: _slices(name, loaded, f"data set {self.path}, splits: {split}") for split, name in named.items()
        }
        _refuse_overlap(slices, self.path)
        rows: dict[Split, Dataset] = {}
        for split, parts in slices.items():
            rows[split] = concatenate_datasets([self._check(loaded[name], name).select(part) for name, part in parts])
        return rows

    def _check(self, rows: "Dataset", name: str) -> "Dataset":
        """Selects the two columns, so that no other is decoded, and checks them."""
        for column in self.columns:
            if column not in rows.column_names:
                hint = did_you_mean(column, rows.column_names)
                raise InputError(f"data set {self.path}, {name}: no column {column!r}{hint}")
            if not is_image_column(rows, column):
                raise InputError(
                    f"data set {self.path}, {name}: the column {column!r} contains {rows.features[column]}, not images"
                )
        return rows.select_columns(list(dict.fromkeys(self.columns)))


def _slices(name: str, loaded: Mapping[str, "Dataset"], where: str) -> list[tuple[str, range]]:
    """Splits and rows that a name such as `train[:90%]` refers to."""
    from datasets import ReadInstruction

    try:
        parts = ReadInstruction.from_spec(name).to_absolute({split: len(rows) for split, rows in loaded.items()})
    except (AssertionError, ValueError) as error:
        raise InputError(f"{where}: {' '.join(str(error).split())}") from error
    return [(part.splitname, range(part.from_, part.to)) for part in parts]


def _refuse_overlap(slices: Mapping[Split, list[tuple[str, range]]], path: str) -> None:
    """Refuses splits that share rows: the model would be scored on its training data."""
    for (one, parts), (other, other_parts) in itertools.combinations(slices.items(), 2):
        for (name, rows), (other_name, other_rows) in itertools.product(parts, other_parts):
            if name == other_name and range(max(rows.start, other_rows.start), min(rows.stop, other_rows.stop)):
                raise InputError(f"data set {path}: {one} and {other} share rows of {name!r}; make them disjoint")
