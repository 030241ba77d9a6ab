"""Pictures of a report: whole images with their predictions, and crops of error regions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from seglit.drawing.layers import Layer, LayeredPicture, encode_layers
from seglit.drawing.predictions import WRONG, Prediction, as_rgb, overlay_colors
from seglit.errors import RunError
from seglit.hardware import keep_freed_memory
from seglit.labels import IGNORE_INDEX, Labels
from seglit.predict.load import make_predictor
from seglit.runs.rebuild import make_data, read_named
from seglit.runs.scores import ErrorRegion
from seglit.runs.tested import TestedRun

_IMAGES_BYTES, _CROPS_BYTES = 2_600_000, 1_600_000  # of all pictures together: the page stays below 5 MB
_MAX_BYTES = 400_000  # of one
_CROP = 240  # pixels of a crop's longer side, if it is not larger
_MIN_CROP_SIDE = 48  # pixels of the image
_MARGIN = 0.6  # around a region in a crop, as a fraction of the region's longer side
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)
_ERROR_COLORS = np.array([[0, 0, 0, 0], [*WRONG, 255]], np.uint8)


@dataclass
class Drawn:
    """The pictures of the page.

    Args:
        labels: Names and colours of the classes.
        images: Image name to the image with target, prediction and errors.
        crops: Region to the image around it, with target and prediction.
        missing: Messages about what could not be drawn, and why.
    """

    labels: Labels
    images: dict[str, LayeredPicture] = field(default_factory=dict)
    crops: dict[ErrorRegion, LayeredPicture] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


def draw(run: TestedRun, images: Sequence[str], regions: Sequence[ErrorRegion]) -> Drawn:
    """Reads, predicts and draws images again, as the score file stores no pictures.

    Args:
        run: The run.
        images: Names of the images to draw whole.
        regions: Regions to draw as crops.

    Raises:
        InputError: The run's data or the tested checkpoint is missing or has changed.
        RunError: The network answers NaN.
    """
    keep_freed_memory()
    predictor = make_predictor(run)
    regions_of: dict[str, list[ErrorRegion]] = {name: [] for name in images}
    for region in regions:
        regions_of.setdefault(region.image, []).append(region)
    pairs = read_named(make_data(run), regions_of)
    missing = [f"the data no longer has the image {name}" for name in regions_of if name not in pairs]
    drawn = Drawn(predictor.labels, missing=missing)
    predictions = predictor.stream_with_errors(image for image, _ in pairs.values())
    for (name, (image, target)), predicted in zip(pairs.items(), predictions, strict=True):
        if isinstance(predicted, RunError):
            raise RunError(f"image {name}: {predicted}")
        prediction = Prediction(image, target, predicted.mask, name).at_target_size()
        layers = _layers(prediction, predictor.labels)
        if name in images:
            is_wrong = (prediction.preds != target) & (target != IGNORE_INDEX)
            errors = Layer(is_wrong.astype(np.uint8), _ERROR_COLORS)
            max_bytes = min(_MAX_BYTES, _IMAGES_BYTES // len(images))
            drawn.images[name] = encode_layers(as_rgb(image), {**layers, "errors": errors}, max_bytes)
        for region in regions_of[name]:
            drawn.crops[region] = _crop(prediction, region, layers, _CROPS_BYTES // len(regions))
    return drawn


def _layers(prediction: Prediction, labels: Labels) -> dict[str, Layer]:
    colors = overlay_colors(labels)
    return {"target": Layer(prediction.target, colors), "prediction": Layer(prediction.preds, colors)}


def _crop(prediction: Prediction, region: ErrorRegion, layers: Mapping[str, Layer], max_bytes: int) -> LayeredPicture:
    """Cuts out a framed region, enlarged to `_CROP` pixels if it is smaller."""
    left, top, width, height = region.box
    side = round(max(_MIN_CROP_SIDE, (1 + 2 * _MARGIN) * max(width, height)))
    first_row, first_column = (
        max(0, min(start + length // 2 - side // 2, image_length - side))
        for start, length, image_length in zip((top, left), (height, width), prediction.target.shape, strict=True)
    )
    crop = slice(first_row, first_row + side), slice(first_column, first_column + side)
    image = prediction.image[crop]
    scale = max(1, _CROP / max(image.shape[:2]))
    size = round(image.shape[1] * scale), round(image.shape[0] * scale)
    resized = Image.fromarray(image).resize(size, Image.Resampling.BILINEAR)
    frame = [
        scale * (left - first_column) - 2,
        scale * (top - first_row) - 2,
        scale * (left - first_column + width) + 1,
        scale * (top - first_row + height) + 1,
    ]
    cropped = {title: Layer(layer.indices[crop], layer.colors) for title, layer in layers.items()}
    return encode_layers(_framed(resized, frame), cropped, max_bytes)


def _framed(picture: Image.Image, frame: list[float]) -> npt.NDArray[np.uint8]:
    """The picture with a white frame, and a black one around it for bright pictures."""
    canvas = ImageDraw.Draw(picture)
    canvas.rectangle([frame[0] - 1, frame[1] - 1, frame[2] + 1, frame[3] + 1], outline=_BLACK)
    canvas.rectangle(frame, outline=_WHITE)
    return np.asarray(picture)
