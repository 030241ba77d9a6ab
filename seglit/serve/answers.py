"""Predictions as the body of a response: pictures, arrays, JSON."""

import io
import json
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from seglit.annotations.coco import coco_content
from seglit.annotations.contours import outlines
from seglit.annotations.predicted import Classes, PredictedMask
from seglit.drawing.predictions import as_rgb, lay_over
from seglit.errors import InputError
from seglit.labels import Labels
from seglit.predict.settings import Masks
from seglit.predict.tile_scores import Prediction
from seglit.predict.write import Writer

_MAX_POLYGONS = 10_000

AnswerFormat = Literal["mask", "indices", "color", "overlay", "image", "polygons", "rle", "probabilities"]


class Predicted(NamedTuple):
    """An image (H, W, C) as stored, what was predicted for it, and the classes."""

    image: npt.NDArray[Any]
    prediction: Prediction
    labels: Labels


class Answer(NamedTuple):
    """A body and its media type."""

    content: bytes
    media_type: str


def make_answer(format: AnswerFormat, predicted: Predicted) -> Answer:
    """Makes the body of a response.

    Args:
        format: What it contains.
        predicted: The prediction; `probabilities` require its probabilities.

    Raises:
        InputError: PNG cannot store the values of the classes, or there are too many polygons.
    """
    return _MAKERS[format](predicted)


def _mask(predicted: Predicted) -> Answer:
    return _encoded(predicted, "stored")


def _color(predicted: Predicted) -> Answer:
    return _encoded(predicted, "color")


def _encoded(predicted: Predicted, masks: Masks) -> Answer:
    """The mask as `seglit predict` writes it."""
    writer = Writer(masks, predicted.labels, nodata=True)
    return _png(writer.picture(writer.encode(predicted.prediction.mask)))


def _indices(predicted: Predicted) -> Answer:
    return _png(Image.fromarray(predicted.prediction.mask))


def _overlay(predicted: Predicted) -> Answer:
    image, prediction, labels = predicted
    return _png(Image.fromarray(lay_over(as_rgb(image), prediction.mask, labels)))


def _image(predicted: Predicted) -> Answer:
    return _png(Image.fromarray(as_rgb(np.ma.getdata(predicted.image))))


def _polygons(predicted: Predicted) -> Answer:
    mask, classes = predicted.prediction.mask, _classes(predicted.labels)
    polygons = [
        {"class_index": index, "class_name": classes.names[index], "points": points.tolist()}
        for index, points in islice(outlines(mask, classes.background), _MAX_POLYGONS + 1)
    ]
    if len(polygons) > _MAX_POLYGONS:
        raise InputError(f"the mask has more than {_MAX_POLYGONS:,} polygons; use the format rle")
    return _json({"height": mask.shape[0], "width": mask.shape[1], "polygons": polygons})


def _rle(predicted: Predicted) -> Answer:
    mask = PredictedMask(Path("image"), "image", "image", predicted.prediction.mask)
    return _json(coco_content([mask], _classes(predicted.labels)))


def _probabilities(predicted: Predicted) -> Answer:
    file = io.BytesIO()
    np.save(file, np.asarray(predicted.prediction.probabilities, np.float16))
    return Answer(file.getvalue(), "application/octet-stream")


_MAKERS: dict[AnswerFormat, Callable[[Predicted], Answer]] = {
    "mask": _mask,
    "indices": _indices,
    "color": _color,
    "overlay": _overlay,
    "image": _image,
    "polygons": _polygons,
    "rle": _rle,
    "probabilities": _probabilities,
}


def _classes(labels: Labels) -> Classes:
    return Classes(labels.class_names, labels.palette)


def _png(picture: Image.Image) -> Answer:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return Answer(file.getvalue(), "image/png")


def _json(content: object) -> Answer:
    return Answer(json.dumps(content, ensure_ascii=False).encode(), "application/json")
