"""Pictures of the images that changed most, with the predictions of each run."""

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase

import numpy as np
import numpy.typing as npt

from seglit.compare.runs import Comparison
from seglit.drawing.page import data_address
from seglit.drawing.predictions import Prediction, greyed
from seglit.errors import InputError
from seglit.labels import IGNORE_INDEX, Color, Labels
from seglit.predict.load import make_predictor
from seglit.runs.rebuild import make_data, read_named
from seglit.runs.tested import TestedRun

_WIDTH = 320  # pixels of a picture on the page
GAINED, LOST = (60, 140, 255), (255, 140, 0)  # blue and orange, for red-green colour blindness


@dataclass(frozen=True)
class Drawn:
    """The pictures of the page.

    Args:
        images: Index in `Comparison.names` to the pictures of the image: title to data URL.
        colors: Class name to RGB colour.
    """

    images: dict[int, dict[str, str]]
    colors: dict[str, Color]


def draw(comparison: Comparison, indices: Sequence[int]) -> Drawn:
    """Predicts images with the checkpoint of each run, and draws them.

    Args:
        comparison: The runs.
        indices: Indices of the images in `Comparison.names`.

    Raises:
        InputError: The data or the checkpoint of a run is missing.
    """
    names = [comparison.names[index] for index in indices]
    labels = make_data(comparison.runs[0].tested).labels
    by_image = zip(*(_predict(run.tested, names) for run in comparison.runs), strict=True)
    images = {index: _pictures(predictions, labels) for index, predictions in zip(indices, by_image, strict=True)}
    return Drawn(images, dict(zip(labels.class_names, labels.palette, strict=True)))


def _predict(run: TestedRun, names: Sequence[str]) -> list[Prediction]:
    """Predicts images as the run's own data module reads them, and resizes them for the page."""
    predictor = make_predictor(run)
    pairs = read_named(make_data(run), names)
    if missing := [name for name in names if name not in pairs]:
        raise InputError(f"{run.folder}: its data no longer has the image {missing[0]!r}")
    masks = predictor.stream(pairs[name][0] for name in names)
    return [Prediction(*pairs[name], mask, name).shrunk(_WIDTH) for name, (mask, _) in zip(names, masks, strict=True)]


def _pictures(predictions: Sequence[Prediction], labels: Labels) -> dict[str, str]:
    """Draws the predictions of all runs for one image."""
    first = predictions[0]
    pictures = {"image": first.image, "target": labels.colorize(first.target)}
    pictures |= {run: labels.colorize(one.preds) for run, one in zip(ascii_uppercase, predictions, strict=False)}
    if len(predictions) == 2:
        pictures["change"] = _change(*predictions)
    return {title: data_address(picture, _WIDTH) for title, picture in pictures.items()}


def _change(before: Prediction, after: Prediction) -> npt.NDArray[np.uint8]:
    """The image in grey, with the pixels that became correct or wrong in colour; void pixels are neither."""
    drawn, target = greyed(before.image), before.target
    was_right, is_right = before.preds == target, after.preds == target
    drawn[(target != IGNORE_INDEX) & is_right & ~was_right] = GAINED
    drawn[(target != IGNORE_INDEX) & was_right & ~is_right] = LOST
    return drawn
