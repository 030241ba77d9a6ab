"""Training images with their masks: as stored, after each step of the augmentation alone, and after all of them."""

import copy
from collections.abc import Sequence

import albumentations as A
import torch
from PIL import Image

from seglit.data.augment import Augment, Pipeline, leaf_transforms
from seglit.data.base import SegmentationDataModule
from seglit.data.batch import Sample
from seglit.data.samples import Samples
from seglit.data.sampling import SampleKey
from seglit.drawing.training_batch import Panel, draw_steps

_ROWS = 3
_OURS = {"RandomScale": "scale", "PadIfNeeded": "padding", "ClassCrop": "crop"}
_CROPS = (A.RandomCrop, A.CenterCrop, A.CropNonEmptyMaskIfExists)  # which reject smaller images


def draw_preview(data: SegmentationDataModule) -> Image.Image:
    """Draws training images spread evenly over the split, with every step of the augmentation that changes one.

    Raises:
        InputError: There are no training images, or one cannot be read.
    """
    dataset = data.dataset("train")
    pipeline = (data.augment or Augment()).pipeline(data.crop_size)
    pipelines = [("", Pipeline([])), *_steps(pipeline), ("as trained on", pipeline)]
    count = min(_ROWS, len(dataset))
    columns: list[tuple[str, list[Sample]]] = []
    for title, each in pipelines:
        samples = Samples(dataset, each, data.seed, data.cache, data.resize)
        column = [samples[SampleKey(row * len(dataset) // count)] for row in range(count)]
        if not columns or title == "as trained on" or _differ(column, columns[0][1]):
            columns.append((title, column))
    rows = [[_panel(column[row], title) for title, column in columns] for row in range(count)]
    return draw_steps(rows, data.labels)


def _steps(pipeline: Pipeline) -> list[tuple[str, Pipeline]]:
    """Each transform alone and always applied, with its name and how often training applies it."""
    steps = []
    for step in pipeline.compose.transforms:
        for leaf in leaf_transforms(step):
            name = _OURS.get(type(leaf).__name__) or type(leaf).__name__
            always = copy.deepcopy(leaf)
            always.p = 1.0
            rate = f" ({step.p:.0%})" if leaf is step and step.p < 1 else ""
            rejects = isinstance(leaf, _CROPS) and not vars(leaf).get("pad_if_needed")
            padding = [A.PadIfNeeded(leaf.height, leaf.width)] if rejects else []
            steps.append((f"{name}{rate}", Pipeline([*padding, always])))
    return steps


def _differ(column: Sequence[Sample], stored: Sequence[Sample]) -> bool:
    return not all(
        torch.equal(one["image"], other["image"]) and torch.equal(one["mask"], other["mask"])
        for one, other in zip(column, stored, strict=True)
    )


def _panel(sample: Sample, title: str) -> Panel:
    height, width = sample["mask"].shape
    image = sample["image"].permute(1, 2, 0).numpy()
    return Panel(image, sample["mask"].numpy(), f"{title or sample['name']}, {height}x{width}")
