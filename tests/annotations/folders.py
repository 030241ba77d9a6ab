"""Small inputs of the readers, and how their tests read them."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from seglit.annotations import Reader
from seglit.data import AnnotationDataModule
from seglit.errors import InputError
from seglit.images.pairs import Split

HEIGHT, WIDTH = 64, 80
SIZE = (HEIGHT, WIDTH)
SPLITS: tuple[Split, ...] = ("train", "val", "test")
Mask = npt.NDArray[np.uint8]


def save_image(file: Path, size: tuple[int, int] = SIZE) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size[::-1], (90, 90, 90)).save(file)
    return file


def data_of(root: Path, reader: Reader, **settings: Any) -> AnnotationDataModule:
    return AnnotationDataModule(str(root), reader, **settings)


def masks_of(root: Path, reader: Reader, **settings: Any) -> dict[str, Mask]:
    """The masks of all splits, by name; if the format states no splits, all are train."""
    data = data_of(root, reader, **settings)
    masks: dict[str, Mask] = {}
    for split in filter(data.has_split, SPLITS):
        dataset = data.dataset(split)
        for index in range(len(dataset)):
            image, mask, name = dataset.read(index)
            assert image.shape[:2] == mask.shape
            assert name not in masks
            masks[name] = mask
    return masks


def refusal(root: Path, reader: Reader, **settings: Any) -> str:
    """The one line that reading the folder ends with."""
    with pytest.raises(InputError) as error:
        masks_of(root, reader, **settings)
    assert "\n" not in str(error.value)
    return str(error.value)


def painted(*boxes: tuple[int, tuple[int, int, int, int]], fill: int = 0) -> Mask:
    """A mask of boxes (value, (left, top, right, bottom)), drawn over each other."""
    mask = np.full(SIZE, fill, np.uint8)
    for value, (left, top, right, bottom) in boxes:
        mask[top:bottom, left:right] = value
    return mask


def below(a: tuple[float, float], b: tuple[float, float]) -> npt.NDArray[np.bool_]:
    """The pixels whose centres are below (for b to the right of a) the line through two points."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    inside: npt.NDArray[np.bool_] = (b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0]) > 0
    return inside


ALL: dict[str, Any] = {"splits": {"val": 0.0}}
"""Settings that read a set without splits as train."""
