"""Drawing predictions: image, target, prediction and errors side by side."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from seglit.labels import IGNORE_INDEX, Color, Labels

_COLUMNS = ("image", "target", "prediction", "errors")
_GAP = 6
_TEXT = 13  # pixels
_SAMPLED = 256  # rows and columns that percentiles are taken from
INK: Color = (40, 40, 48)
_WRONG = (225, 40, 50)


class Prediction(NamedTuple):
    """One image with its target and prediction: image (H, W, C) as stored, class indices uint8 (H, W), void 255."""

    image: npt.NDArray[Any]
    target: npt.NDArray[np.uint8]
    preds: npt.NDArray[np.uint8]
    name: str


def draw_grid(predictions: Sequence[Prediction], labels: Labels, width: int = 240) -> Image.Image:
    """Draws one row a prediction, with the classes' colours below.

    Errors are the image in grey with wrong pixels in red; void pixels of the target are never wrong.

    Args:
        predictions: What to draw.
        labels: Names and colours.
        width: Width of each picture in pixels.
    """
    rows = [_row(prediction, labels, width) for prediction in predictions]
    total = len(_COLUMNS) * (width + _GAP) + _GAP
    legend = _legend(labels, total)
    height = 2 * _GAP + _TEXT + sum(row.height + _GAP for row in rows) + legend.height
    page = Image.new("RGB", (total, height), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(_TEXT)
    for column, title in enumerate(_COLUMNS):
        draw.text((_GAP + column * (width + _GAP), _GAP // 2), title, INK, font)
    top = _GAP + _TEXT + _GAP // 2
    for row in rows:
        page.paste(row, (_GAP, top))
        top += row.height + _GAP
    page.paste(legend, (0, top))
    return page


def as_rgb(image: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """The first three channels as RGB (H, W, 3) uint8; of one or two channels, the first as grey.

    What is not uint8 is stretched, each channel from its 2nd to its 98th percentile.
    """
    shown = image[..., :3] if image.shape[-1] >= 3 else image[..., :1].repeat(3, -1)
    if shown.dtype == np.uint8:
        return shown
    rows, columns = (max(1, length // _SAMPLED) for length in shown.shape[:2])
    low, high = np.percentile(shown[::rows, ::columns], (2, 98), axis=(0, 1)).astype(np.float32)  # (3,) each
    stretched = (shown.astype(np.float32) - low) / np.where(high > low, high - low, 1)
    drawn: npt.NDArray[np.uint8] = (stretched * 255).clip(0, 255).astype(np.uint8)
    return drawn


def shrink(array: npt.NDArray[Any], width: int, resample: Image.Resampling) -> npt.NDArray[Any]:
    """Resizes (H, W) or (H, W, 3) uint8 to a width in pixels, keeping the aspect; class indices take NEAREST.

    What would then be higher than four times the width is made as much narrower.
    """
    height, columns = array.shape[:2]
    factor = min(width / columns, 4 * width / height)
    size = max(1, round(columns * factor)), max(1, round(height * factor))
    return np.asarray(Image.fromarray(array).resize(size, resample))


def lay_over(image: npt.NDArray[np.uint8], mask: npt.NDArray[np.uint8], labels: Labels) -> npt.NDArray[np.uint8]:
    """An image (H, W, 3) with the classes' colours over it, where the mask (H, W) is not void; void is pale."""
    colored = np.where((mask != IGNORE_INDEX)[..., None], labels.colorize(mask), 255)
    return (0.45 * image + 0.55 * colored).astype(np.uint8)


def panels(prediction: Prediction, labels: Labels, width: int) -> tuple[npt.NDArray[np.uint8], ...]:
    """Image, target, prediction and errors, (h, width, 3) each.

    Args:
        prediction: What to draw.
        labels: Names and colours.
        width: In pixels; the height follows.
    """
    image = shrink(as_rgb(prediction.image), width, Image.Resampling.BILINEAR)
    target = shrink(prediction.target, width, Image.Resampling.NEAREST)
    preds = shrink(prediction.preds, width, Image.Resampling.NEAREST)
    errors = image.mean(-1, keepdims=True).repeat(3, -1).astype(np.uint8) // 2 + 100
    errors[(target != preds) & (target != IGNORE_INDEX)] = _WRONG
    return image, labels.colorize(target), labels.colorize(preds), errors


def _row(prediction: Prediction, labels: Labels, width: int) -> Image.Image:
    drawn = panels(prediction, labels, width)
    row = Image.new("RGB", (len(drawn) * (width + _GAP) - _GAP, drawn[0].shape[0]), "white")
    for column, panel in enumerate(drawn):
        row.paste(Image.fromarray(panel), (column * (width + _GAP), 0))
    return row


def _legend(labels: Labels, width: int) -> Image.Image:
    """Colour and name of every class, in lines as wide as the page, then void and wrong pixels."""
    font = ImageFont.load_default(_TEXT)
    entries = [*zip(labels.class_names, labels.palette, strict=True), ("void", (200, 200, 200)), ("wrong", _WRONG)]
    places: list[tuple[int, int]] = []
    x, y = _GAP, _GAP
    for name, _ in entries:
        step = round(font.getlength(name)) + 2 * _TEXT + _GAP
        if x + step > width and x > _GAP:
            x, y = _GAP, y + _TEXT + _GAP
        places.append((x, y))
        x += step
    legend = Image.new("RGB", (width, y + _TEXT + 2 * _GAP), "white")
    draw = ImageDraw.Draw(legend)
    for (name, color), (left, top) in zip(entries, places, strict=True):
        draw.rectangle((left, top + 1, left + _TEXT, top + _TEXT + 1), fill=color)
        draw.text((left + _TEXT + _GAP // 2 + 1, top), name, INK, font)
    return legend
