"""Pictures of the images that changed most, with the predictions of each run."""

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase

import numpy as np

from seglit.compare.runs import Comparison
from seglit.drawing.distinct_colors import distances
from seglit.drawing.layers import Layer, LayeredPicture, encode_layers
from seglit.drawing.predictions import Prediction, background, overlay_colors
from seglit.errors import InputError
from seglit.hardware import keep_freed_memory
from seglit.labels import IGNORE_INDEX, Color, Labels
from seglit.predict.load import make_predictor
from seglit.runs.rebuild import make_data, read_named
from seglit.runs.tested import TestedRun

_BYTES, _MAX_BYTES = 4_000_000, 500_000  # of all pictures together, and of one
_MAX_SIDE = 1024  # pixels that are kept of an image
# Each pair can be told apart with any colour blindness.
_CHANGE_COLORS: tuple[tuple[Color, Color], ...] = (
    ((60, 140, 255), (255, 140, 0)),
    ((0, 190, 190), (220, 40, 160)),
    ((245, 215, 40), (110, 60, 220)),
)


@dataclass(frozen=True)
class Drawn:
    """The pictures of the page.

    Args:
        images: Index in `Comparison.names` to the image with its target, the predictions, and for two runs the change.
        colors: Class name to RGB colour.
        background: The transparent class; None if there is none.
        gained: Colour of pixels that only the second of two runs predicts correctly.
        lost: Colour of pixels that only the first does.
    """

    images: dict[int, LayeredPicture]
    colors: dict[str, Color]
    background: int | None
    gained: Color
    lost: Color


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
    gained, lost = max(_CHANGE_COLORS, key=lambda pair: distances(pair, labels.palette).min())
    max_bytes = min(_MAX_BYTES, _BYTES // max(1, len(indices)))
    images = {
        index: encode_layers(predictions[0].image, _layers(predictions, labels, gained, lost), max_bytes)
        for index, predictions in zip(indices, by_image, strict=True)
    }
    colors = dict(zip(labels.class_names, labels.palette, strict=True))
    return Drawn(images, colors, background(labels), gained, lost)


def _predict(run: TestedRun, names: Sequence[str]) -> list[Prediction]:
    """Predicts images as the run's own data module reads them; large ones are kept in a smaller size."""
    keep_freed_memory()
    predictor = make_predictor(run)
    pairs = read_named(make_data(run), names)
    if missing := [name for name in names if name not in pairs]:
        raise InputError(f"{run.folder}: its data no longer has the image {missing[0]!r}")
    masks = predictor.stream(pairs[name][0] for name in names)
    return [_reduced(Prediction(*pairs[name], mask, name)) for name, (mask, _) in zip(names, masks, strict=True)]


def _reduced(prediction: Prediction) -> Prediction:
    if max(prediction.target.shape) > _MAX_SIDE:
        return prediction.shrunk(round(_MAX_SIDE * min(1, prediction.target.shape[1] / prediction.target.shape[0])))
    return prediction.at_target_size()


def _layers(predictions: Sequence[Prediction], labels: Labels, gained: Color, lost: Color) -> dict[str, Layer]:
    """Target, predictions of all runs, and what two runs differ in, for one image."""
    colors = overlay_colors(labels)
    layers = {"target": Layer(predictions[0].target, colors)}
    layers |= {run: Layer(one.preds, colors) for run, one in zip(ascii_uppercase, predictions, strict=False)}
    if len(predictions) == 2:
        layers["change"] = Layer(_change(*predictions), np.array([[0] * 4, [*gained, 255], [*lost, 255]], np.uint8))
    return layers


def _change(before: Prediction, after: Prediction) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """1 where pixels became correct, 2 where they became wrong, else 0; void pixels are neither."""
    target = before.target
    was_right, is_right = before.preds == target, after.preds == target
    changed = np.where(is_right & ~was_right, 1, np.where(was_right & ~is_right, 2, 0))
    return np.where(target == IGNORE_INDEX, 0, changed).astype(np.uint8)
