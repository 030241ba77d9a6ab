"""Rebuilds the data of a run from its folder."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seglit.data.base import SegmentationDataModule
from seglit.errors import InputError
from seglit.images.pairs import Split
from seglit.runs.build import build
from seglit.runs.recorded_splits import recorded_lists
from seglit.runs.tested import TestedRun, read_config
from seglit.runs.trusted import NotTrustedError

_TRAINING = ("augment", "cache", "download")
"""Settings that only training needs, and that call code or write files."""


def make_data(run: TestedRun) -> SegmentationDataModule:
    """Builds the data module of a tested run, see `build_data`."""
    return build_data(run.config, run.folder / "config.yaml", run.trust)


def build_data(config: Mapping[str, Any], file: Path, trust: Collection[str] = ()) -> SegmentationDataModule:
    """Builds the data module of a run to read its splits, as it drew them: without augmentation, cache and downloads.

    Args:
        config: The configuration of the run.
        file: Its file, for messages.
        trust: Further packages whose classes it may name, see `import_class`.

    Raises:
        NotTrustedError: Its class is neither seglit's nor in `trust`.
        InputError: The class is not found, no longer accepts the settings, or its files are missing.
    """
    data = config["data"]
    init_args = {name: value for name, value in data.get("init_args", {}).items() if name not in _TRAINING}
    if lists := recorded_lists(file.parent, init_args.get("splits")):
        init_args["splits"] = lists
    where = f"{file}: its data"
    return build(SegmentationDataModule, {**data, "init_args": init_args}, where, trust)  # type: ignore[type-abstract]


def find_data(config: Path, split: Split, trust: Collection[str]) -> tuple[SegmentationDataModule | None, str]:
    """Builds the data of a run if it still can be.

    Args:
        config: The configuration of the run.
        split: The split that it must have.
        trust: See `build_data`.

    Returns:
        The data and ""; or None, and why.

    Raises:
        NotTrustedError: See `build_data`.
    """
    if not config.is_file():
        return None, "the run has no config.yaml, so its data is not known"
    try:
        data = build_data(read_config(config)[0], config, trust)
        if data.has_split(split):
            return data, ""
    except NotTrustedError:
        raise
    except InputError as error:
        return None, f"the data of the run cannot be read ({error})"
    return None, f"the data has no {split} split"


def read_named(
    data: SegmentationDataModule, names: Collection[str]
) -> dict[str, tuple[npt.NDArray[Any], npt.NDArray[np.uint8]]]:
    """Reads images and masks of the test split by their names.

    Returns:
        Name to image (H, W, C) as stored and class indices (H, W) uint8, maybe at another scale; void, and pixels
        without data, are 255. Names not in the split are absent.

    Raises:
        InputError: The split is missing, or a file cannot be read.
    """
    dataset = data.dataset("test")
    pairs: dict[str, tuple[npt.NDArray[Any], npt.NDArray[np.uint8]]] = {}
    for index in range(len(dataset)):
        if (name := dataset.name_of(index)) in names and name not in pairs:
            image, mask, _ = dataset.pair(index)
            pairs[name] = image.reshape(*image.shape[:2], -1), mask
        if len(pairs) == len(names):
            break
    return pairs
