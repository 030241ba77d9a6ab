"""Pictures of the images that changed most, with the predictions of each run."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from seglit.compare.runs import Comparison
from seglit.data.base import SegmentationDataModule
from seglit.drawing.page import data_address
from seglit.drawing.predictions import as_rgb, shrink
from seglit.errors import InputError
from seglit.labels import IGNORE_INDEX, Labels
from seglit.predict.load import make_predictor
from seglit.runs.rebuild import make_data, read_named
from seglit.runs.tested import TestedRun

_WIDTH = 320  # pixels of a picture on the page
GAINED, LOST = (60, 140, 255), (255, 140, 0)  # blue and orange, for red-green colour blindness

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Row:
    """One image on the page.

    Args:
        index: Index in `Comparison.names`.
        pictures: Title to picture, as a data URL.
    """

    index: int
    pictures: dict[str, str]


@dataclass(frozen=True)
class Changes:
    """The pictures of the page.

    Args:
        groups: Rows by group, as in `Comparison.changed_images`.
        colors: Class name to RGB colour.
    """

    groups: dict[str, list[Row]]
    colors: dict[str, tuple[int, int, int]]


def draw_changes(comparison: Comparison, count: int) -> Changes:
    """Predicts the most changed images with the checkpoint of each run, and draws them.

    Args:
        comparison: The runs.
        count: Maximum number of images per group.

    Raises:
        InputError: The data or the checkpoint of a run is missing.
    """
    groups = comparison.changed_images(count)
    names = [comparison.names[index] for indices in groups.values() for index in indices]
    first = comparison.runs[0].tested
    data = make_data(first)
    pairs = _read(data, first, names)
    preds = {run.letter: _predict(run.tested, names) for run in comparison.runs}

    def row(index: int) -> Row:
        name = comparison.names[index]
        return Row(
            index, _pictures(*pairs[name], {letter: masks[name] for letter, masks in preds.items()}, data.labels)
        )

    colors = dict(zip(data.labels.class_names, data.labels.palette, strict=True))
    return Changes({group: [row(index) for index in indices] for group, indices in groups.items()}, colors)


def _predict(run: TestedRun, names: list[str]) -> dict[str, Array]:
    """Predicts class indices uint8 (H, W) by image name, of the images as the run's own data module reads them."""
    predictor = make_predictor(run)
    pairs = _read(make_data(run), run, names)
    predictions = predictor.stream(pairs[name][0] for name in names)
    return {name: prediction.mask for name, prediction in zip(names, predictions, strict=True)}


def _read(data: SegmentationDataModule, run: TestedRun, names: list[str]) -> dict[str, tuple[Array, Array]]:
    pairs = read_named(data, names)
    if missing := [name for name in names if name not in pairs]:
        raise InputError(f"{run.folder}: its data no longer has the image {missing[0]!r}")
    return pairs


def _pictures(image: Array, target: Array, preds: dict[str, Array], labels: Labels) -> dict[str, str]:
    image = shrink(as_rgb(image), _WIDTH, Image.Resampling.BILINEAR)
    target = shrink(target, _WIDTH, Image.Resampling.NEAREST)
    masks = {letter: shrink(mask, _WIDTH, Image.Resampling.NEAREST) for letter, mask in preds.items()}
    pictures = {"image": image, "target": labels.colorize(target)}
    pictures |= {letter: labels.colorize(mask) for letter, mask in masks.items()}
    if len(masks) == 2:
        pictures["change"] = _change(image, target, *masks.values())
    return {title: data_address(picture, _WIDTH) for title, picture in pictures.items()}


def _change(image: Array, target: Array, before: Array, after: Array) -> npt.NDArray[np.uint8]:
    """The image in grey, with the pixels that became correct or wrong in colour."""
    drawn: npt.NDArray[np.uint8] = image.mean(-1, keepdims=True).repeat(3, -1).astype(np.uint8) // 2 + 100
    labelled = target != IGNORE_INDEX
    drawn[labelled & (before != target) & (after == target)] = GAINED
    drawn[labelled & (before == target) & (after != target)] = LOST
    return drawn
