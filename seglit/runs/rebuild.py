"""Rebuilds the data of a tested run from its folder."""

from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt

from seglit.config.build import build
from seglit.data.base import SegmentationDataModule
from seglit.runs.tested import TestedRun


def make_data(run: TestedRun) -> SegmentationDataModule:
    """Builds the data module of a run; its seed is not set, as reading the test split draws nothing at random.

    Raises:
        InputError: The class is not found, no longer accepts the settings, or its files are missing.
    """
    spec = run.config["data"]
    return build(SegmentationDataModule, spec, f"{run.folder / 'config.yaml'}: its data")  # type: ignore[type-abstract]


def read_named(
    data: SegmentationDataModule, names: Collection[str]
) -> dict[str, tuple[npt.NDArray[Any], npt.NDArray[np.uint8]]]:
    """Reads images and masks of the test split by their names.

    Returns:
        Name to image (H, W, C) as stored and class indices (H, W) uint8, void 255, maybe at another scale; names not in
        the split are absent.

    Raises:
        InputError: The split is missing, or a file cannot be read.
    """
    dataset = data.dataset("test")
    pairs: dict[str, tuple[npt.NDArray[Any], npt.NDArray[np.uint8]]] = {}
    for index in range(len(dataset)):
        image, mask, name = dataset.read(index)
        if name in names:
            pairs.setdefault(name, (image.reshape(*image.shape[:2], -1), mask))
        if len(pairs) == len(names):
            break
    return pairs
