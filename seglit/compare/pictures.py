"""The images that changed most, as each run predicts them."""

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
GAINED, LOST = (60, 140, 255), (255, 140, 0)  # told apart by those who do not tell red from green

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Row:
    """One image on the page.

    Args:
        place: Its place among the compared images.
        pictures: What a picture shows to the picture, as an address that holds it.
    """

    place: int
    pictures: dict[str, str]


@dataclass(frozen=True)
class Changes:
    """What is drawn.

    Args:
        groups: Rows under what they have in common, as in `Comparison.changed_images`.
        colors: Class name to its colour.
    """

    groups: dict[str, list[Row]]
    colors: dict[str, tuple[int, int, int]]


def draw_changes(comparison: Comparison, count: int) -> Changes:
    """Predicts the most changed images with every run's checkpoint, and draws them.

    Args:
        comparison: The runs.
        count: The most images in a group.

    Raises:
        InputError: Data or checkpoint of a run are gone.
    """
    groups = comparison.changed_images(count)
    names = [comparison.names[place] for places in groups.values() for place in places]
    data = make_data(comparison.sides[0].run)
    targets = _read(data, comparison.sides[0].run, names)
    preds = {side.letter: _predict(side.run, names) for side in comparison.sides}

    def row(place: int) -> Row:
        name = comparison.names[place]
        return Row(
            place, _pictures(*targets[name], {letter: each[name] for letter, each in preds.items()}, data.labels)
        )

    colors = dict(zip(data.labels.class_names, data.labels.palette, strict=True))
    return Changes({title: [row(place) for place in places] for title, places in groups.items()}, colors)


def _predict(run: TestedRun, names: list[str]) -> dict[str, Array]:
    """Each image's predicted class indices uint8 (H, W); the image as the run's own data module reads it."""
    predictor = make_predictor(run)
    read = _read(make_data(run), run, names)
    found = predictor.stream(read[name][0] for name in names)
    return {name: prediction.mask for name, prediction in zip(names, found, strict=True)}


def _read(data: SegmentationDataModule, run: TestedRun, names: list[str]) -> dict[str, tuple[Array, Array]]:
    read = read_named(data, names)
    if missing := [name for name in names if name not in read]:
        raise InputError(f"{run.folder}: its data no longer has the image {missing[0]!r}")
    return read


def _pictures(image: Array, target: Array, preds: dict[str, Array], labels: Labels) -> dict[str, str]:
    seen = shrink(as_rgb(image), _WIDTH, Image.Resampling.BILINEAR)
    small = {letter: shrink(each, _WIDTH, Image.Resampling.NEAREST) for letter, each in preds.items()}
    target = shrink(target, _WIDTH, Image.Resampling.NEAREST)
    pictures = {"image": seen, "target": labels.colorize(target)}
    pictures |= {letter: labels.colorize(each) for letter, each in small.items()}
    if len(small) == 2:
        pictures["change"] = _change(seen, target, *small.values())
    return {what: data_address(picture, _WIDTH) for what, picture in pictures.items()}


def _change(seen: Array, target: Array, before: Array, after: Array) -> npt.NDArray[np.uint8]:
    """The image in grey, with the pixels that became right or wrong in colour."""
    drawn: npt.NDArray[np.uint8] = seen.mean(-1, keepdims=True).repeat(3, -1).astype(np.uint8) // 2 + 100
    labelled = target != IGNORE_INDEX
    drawn[labelled & (before != target) & (after == target)] = GAINED
    drawn[labelled & (before == target) & (after != target)] = LOST
    return drawn
