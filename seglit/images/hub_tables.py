"""Tables of Hugging Face `datasets`: loads them, and opens their cells as pictures."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from seglit.errors import InputError
from seglit.images.pairs import Split
from seglit.images.picture import Picture

if TYPE_CHECKING:
    from datasets import Dataset

HUB_SPLITS: dict[Split, str] = {"train": "train", "val": "validation", "test": "test"}
"""Usual names of the splits on the hub."""
SAVED = ("dataset_dict.json", "state.json")
"""Files of `save_to_disk`, of several splits and of one."""


def load_tables(path: str, name: str | None = None) -> Mapping[str, "Dataset"]:
    """Loads all splits, from disk or from the hub.

    Raises:
        InputError: The library or the data set is missing.
    """
    try:
        import datasets
    except ImportError:
        raise InputError(f'{path}: Hugging Face data sets require: pip install "seglit[huggingface]"') from None
    saved = any((Path(path) / file).is_file() for file in SAVED)
    try:
        loaded = datasets.load_from_disk(path) if saved else datasets.load_dataset(path, name)
    # RuntimeError: a data set with a loading script, which the library no longer runs
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        raise InputError(f"data set {path}: {' '.join(str(error).split())}") from error
    return {"train": loaded} if isinstance(loaded, datasets.Dataset) else loaded


def is_image_column(rows: "Dataset", column: str) -> bool:
    """Whether a column contains images."""
    import datasets

    return isinstance(rows.features[column], datasets.Image)


def as_picture(cell: Image.Image, where: str) -> Picture:
    """Converts an image that the library has decoded and rotated by its EXIF orientation."""
    if cell.mode.startswith(("I", "F")):
        return Picture(Path(where), np.asarray(cell), "array", str(cell.format))
    return Picture.of_pillow(cell, Path(where))
