"""The pictures of a report: whole images with their predictions, and crops of the regions that are wrong."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from seglit.drawing.page import data_address
from seglit.drawing.predictions import Prediction, as_rgb, lay_over, panels
from seglit.labels import Labels
from seglit.predict.load import make_predictor
from seglit.runs.rebuild import make_data, read_named
from seglit.runs.scores import ErrorRegion
from seglit.runs.tested import TestedRun

_WIDTH = 300  # pixels of a picture on the page
_CROP = 200
_SMALLEST = 48  # pixels of the image that a crop shows at least, each way
_AROUND = 0.6  # what a crop shows around a region, as a share of the region's longer side
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)


@dataclass
class Drawn:
    """Pictures as data addresses.

    Args:
        labels: Names and colours of the classes.
        images: Each image's name to image, target, prediction and errors.
        crops: Each region's key to image, target and prediction; see `key`.
        missing: What could not be drawn, and why.
    """

    labels: Labels
    images: dict[str, list[str]] = field(default_factory=dict)
    crops: dict[str, list[str]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


def draw(run: TestedRun, images: Sequence[str], regions: Sequence[ErrorRegion]) -> Drawn:
    """Reads and predicts what is shown anew, as the score file holds no picture, and draws it.

    Args:
        run: The run.
        images: Names of the images to draw whole.
        regions: The regions to draw.

    Raises:
        InputError: The run's data or the checkpoint that was scored is gone, or no longer what it was.
    """
    predictor = make_predictor(run)
    cut: dict[str, list[ErrorRegion]] = {name: [] for name in images}
    for region in regions:
        cut.setdefault(region.image, []).append(region)
    read = read_named(make_data(run), cut)
    drawn = Drawn(
        predictor.labels, missing=[f"the data no longer has the image {name}" for name in cut if name not in read]
    )
    found = predictor.stream(image.reshape(*target.shape, -1) for image, target in read.values())
    for (name, (image, target)), (mask, _) in zip(read.items(), found, strict=True):
        prediction = Prediction(image.reshape(*target.shape, -1), target, mask, name)
        if name in images:
            shown = panels(prediction, predictor.labels, min(_WIDTH, 2 * target.shape[1]))
            drawn.images[name] = [data_address(each, _WIDTH) for each in shown]
        for region in cut[name]:
            drawn.crops[key(region)] = _crop(prediction, region, predictor.labels)
    return drawn


def key(region: ErrorRegion) -> str:
    """What a region's crop is found by."""
    return str((region.image, region.target, region.prediction, *region.box))


def _crop(prediction: Prediction, region: ErrorRegion, labels: Labels) -> list[str]:
    """What is around a region, with a frame about it: image, target laid over it, prediction laid over it."""
    left, top, width, height = region.box
    side = round(max(_SMALLEST, (1 + 2 * _AROUND) * max(width, height)))
    first_row, first_column = (
        max(0, min(start + length // 2 - side // 2, whole - side))
        for start, length, whole in zip((top, left), (height, width), prediction.target.shape, strict=True)
    )
    cut = slice(first_row, first_row + side), slice(first_column, first_column + side)
    image = as_rgb(prediction.image)[cut]
    scale = _CROP / max(image.shape[:2])
    size = round(image.shape[1] * scale), round(image.shape[0] * scale)
    seen = _resize(image, size, Image.Resampling.BILINEAR)
    frame = [
        scale * (left - first_column) - 2,
        scale * (top - first_row) - 2,
        scale * (left - first_column + width) + 1,
        scale * (top - first_row + height) + 1,
    ]
    masks = [_resize(mask[cut], size, Image.Resampling.NEAREST) for mask in (prediction.target, prediction.preds)]
    shown = [seen, *(lay_over(seen, mask, labels) for mask in masks)]
    return [data_address(_framed(each, frame), _CROP) for each in shown]


def _resize(array: npt.NDArray[np.uint8], size: tuple[int, int], resample: Image.Resampling) -> npt.NDArray[np.uint8]:
    return np.asarray(Image.fromarray(array).resize(size, resample))


def _framed(array: npt.NDArray[np.uint8], frame: list[float]) -> npt.NDArray[np.uint8]:
    """The picture with a white frame that a black one makes visible on white."""
    picture = Image.fromarray(array)
    pen = ImageDraw.Draw(picture)
    pen.rectangle([frame[0] - 1, frame[1] - 1, frame[2] + 1, frame[3] + 1], outline=_BLACK)
    pen.rectangle(frame, outline=_WHITE)
    return np.asarray(picture)
