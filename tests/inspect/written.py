"""Configurations that `seglit inspect` wrote, loaded as `seglit fit` loads them, without a network."""

from pathlib import Path

import numpy as np
import yaml
from jsonargparse import ArgumentParser

from seglit.config.build_alone import build_alone
from seglit.data.base import SegmentationDataModule
from seglit.images.pairs import SPLITS
from seglit.labels import IGNORE_INDEX


def load(file: Path) -> dict[int | None, int]:
    """Parses a configuration, loads a training batch, and reads all splits.

    Returns:
        The pixels of each class index that occurs; None is void.
    """
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(SegmentationDataModule, "data")
    config = parser.parse_object({"data": yaml.safe_load(file.read_text(encoding="utf-8"))})
    data = build_alone(SegmentationDataModule, config.data)
    data.num_workers = 0
    batch = next(iter(data.train_dataloader()))
    assert batch["image"].shape[:2] == (len(batch["name"]), data.in_channels)
    datasets = [data.dataset(split) for split in SPLITS if data.has_split(split)]
    masks = [dataset.read(index)[1] for dataset in datasets for index in range(len(dataset))]
    pixels = np.sum([np.bincount(mask.ravel(), minlength=256) for mask in masks], 0)
    return {None if index == IGNORE_INDEX else index: int(pixels[index]) for index in np.flatnonzero(pixels).tolist()}
