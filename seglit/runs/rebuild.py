"""A run's data and network, made again from its folder: the images that it was tested on, and a predictor."""

from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt

from seglit.config.build import build
from seglit.data.base import SegmentationDataModule
from seglit.runs.tested import TestedRun


def make_data(run: TestedRun) -> SegmentationDataModule:
    """Makes a run's data module; its seed is not set, as nothing that is read here is drawn.

    Raises:
        InputError: Its class is not found, or no longer takes these settings, or its files are gone.
    """
    spec = run.config["data"]
    return build(SegmentationDataModule, spec, f"{run.folder / 'config.yaml'}: its data")  # type: ignore[type-abstract]


def read_named(
    data: SegmentationDataModule, names: Collection[str]
) -> dict[str, tuple[npt.NDArray[Any], npt.NDArray[np.uint8]]]:
    """Reads images of the test split by their names.

    Returns:
        Name to image (H, W, C) as stored and class indices (H, W) uint8, void 255; of the names that the split has.

    Raises:
        InputError: The split is gone, or its files are not as configured.
    """
    dataset = data.dataset("test")
    found: dict[str, tuple[npt.NDArray[Any], npt.NDArray[np.uint8]]] = {}
    for index in range(len(dataset)):
        image, mask, name = dataset.read(index)
        if name in names:
            found.setdefault(name, (image, mask))
        if len(found) == len(names):
            break
    return found
