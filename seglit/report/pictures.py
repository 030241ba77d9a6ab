"""Pictures of a report: whole images with their predictions, and crops of error regions."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from seglit.drawing.page import data_address
from seglit.drawing.predictions import Prediction, lay_over, panels
from seglit.labels import Labels
from seglit.predict.load import make_predictor
from seglit.runs.rebuild import make_data, read_named
from seglit.runs.scores import ErrorRegion
from seglit.runs.tested import TestedRun

_WIDTH = 300  # pixels of a picture on the page
_CROP = 200
_MIN_CROP_SIDE = 48  # pixels of the image
_MARGIN = 0.6  # around a region in a crop, as a fraction of the region's longer side
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)


@dataclass
class Drawn:
    """Pictures as data URLs.

    Args:
        labels: Names and colours of the classes.
        images: Image name to pictures of image, target, prediction and errors.
        crops: Region to pictures of image, target and prediction.
        missing: Messages about what could not be drawn, and why.
    """

    labels: Labels
    images: dict[str, list[str]] = field(default_factory=dict)
    crops: dict[ErrorRegion, list[str]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


def draw(run: TestedRun, images: Sequence[str], regions: Sequence[ErrorRegion]) -> Drawn:
    """Reads, predicts and draws images again, as the score file stores no pictures.

    Args:
        run: The run.
        images: Names of the images to draw whole.
        regions: Regions to draw as crops.

    Raises:
        InputError: The run's data or the tested checkpoint is missing or has changed.
    """
    predictor = make_predictor(run)
    regions_of: dict[str, list[ErrorRegion]] = {name: [] for name in images}
    for region in regions:
        regions_of.setdefault(region.image, []).append(region)
    pairs = read_named(make_data(run), regions_of)
    missing = [f"the data no longer has the image {name}" for name in regions_of if name not in pairs]
    drawn = Drawn(predictor.labels, missing=missing)
    predictions = predictor.stream(image for image, _ in pairs.values())
    for (name, (image, target)), (preds, _) in zip(pairs.items(), predictions, strict=True):
        prediction = Prediction(image, target, preds, name).at_target_size()
        if name in images:
            pictures = panels(prediction, predictor.labels, min(_WIDTH, 2 * target.shape[1]))
            drawn.images[name] = [data_address(picture, _WIDTH) for picture in pictures]
        for region in regions_of[name]:
            drawn.crops[region] = _crop(prediction, region, predictor.labels)
    return drawn


def _crop(prediction: Prediction, region: ErrorRegion, labels: Labels) -> list[str]:
    """Crops around a framed region: image, image with target overlay, image with prediction overlay."""
    left, top, width, height = region.box
    side = round(max(_MIN_CROP_SIDE, (1 + 2 * _MARGIN) * max(width, height)))
    first_row, first_column = (
        max(0, min(start + length // 2 - side // 2, image_length - side))
        for start, length, image_length in zip((top, left), (height, width), prediction.target.shape, strict=True)
    )
    crop = slice(first_row, first_row + side), slice(first_column, first_column + side)
    image = prediction.image[crop]
    scale = _CROP / max(image.shape[:2])
    size = round(image.shape[1] * scale), round(image.shape[0] * scale)
    resized = _resize(image, size, Image.Resampling.BILINEAR)
    frame = [
        scale * (left - first_column) - 2,
        scale * (top - first_row) - 2,
        scale * (left - first_column + width) + 1,
        scale * (top - first_row + height) + 1,
    ]
    masks = [_resize(mask[crop], size, Image.Resampling.NEAREST) for mask in (prediction.target, prediction.preds)]
    pictures = [resized, *(lay_over(resized, mask, labels) for mask in masks)]
    return [data_address(_framed(picture, frame), _CROP) for picture in pictures]


def _resize(array: npt.NDArray[np.uint8], size: tuple[int, int], resample: Image.Resampling) -> npt.NDArray[np.uint8]:
    return np.asarray(Image.fromarray(array).resize(size, resample))


def _framed(array: npt.NDArray[np.uint8], frame: list[float]) -> npt.NDArray[np.uint8]:
    """The picture with a white frame, and a black one around it for bright pictures."""
    picture = Image.fromarray(array)
    canvas = ImageDraw.Draw(picture)
    canvas.rectangle([frame[0] - 1, frame[1] - 1, frame[2] + 1, frame[3] + 1], outline=_BLACK)
    canvas.rectangle(frame, outline=_WHITE)
    return np.asarray(picture)
