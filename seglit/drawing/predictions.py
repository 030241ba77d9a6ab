"""Draws predictions: classes over an image, and image, target, prediction and errors side by side."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from seglit.annotations.predicted import named_background
from seglit.labels import IGNORE_INDEX, VOID_COLOR, Color, Labels

_COLUMNS = ("image", "target", "prediction", "errors in red")
_GAP = 6
_TEXT = 13  # font size in pixels
_SAMPLED = 256  # rows and columns sampled for percentiles
INK: Color = (40, 40, 48)
WRONG: Color = (225, 40, 50)
_BLACK: Color = (0, 0, 0)


class Prediction(NamedTuple):
    """An image (H, W, C) as stored, with target and preds, class indices uint8 (H, W), void 255.

    The target may show the image at another scale (`resize_masks`), and the preds be at either.
    """

    image: npt.NDArray[Any]
    target: npt.NDArray[np.uint8]
    preds: npt.NDArray[np.uint8]
    name: str

    def at_target_size(self) -> "Prediction":
        """Converts the image to RGB, and resizes image and preds to the target."""
        image = _resize(as_rgb(self.image), self.target.shape, Image.Resampling.BILINEAR)
        return self._replace(image=image, preds=_resize(self.preds, self.target.shape, Image.Resampling.NEAREST))

    def shrunk(self, width: int) -> "Prediction":
        """Converts the image to RGB, and resizes image and masks to a width in pixels, see `shrink`."""
        image, target, preds, _ = self.at_target_size()
        target, preds = (shrink(mask, width, Image.Resampling.NEAREST) for mask in (target, preds))
        return Prediction(shrink(image, width, Image.Resampling.BILINEAR), target, preds, self.name)


def draw_grid(predictions: Sequence[Prediction], labels: Labels, width: int = 240) -> Image.Image:
    """Draws one row per prediction (see `panels`) above a legend of the classes.

    Args:
        predictions: The predictions.
        labels: Class names and colours.
        width: Width of each panel in pixels.
    """
    rows = [panels(prediction, labels, width) for prediction in predictions]
    lefts = [_GAP + column * (width + _GAP) for column in range(len(_COLUMNS))]
    legend = draw_legend(labels, lefts[-1] + width + _GAP)
    height = 2 * _GAP + _TEXT + sum(len(row[0]) + _GAP for row in rows) + legend.height
    page = Image.new("RGB", (legend.width, height), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(_TEXT)
    for left, title in zip(lefts, _COLUMNS, strict=True):
        draw.text((left, _GAP // 2), title, INK, font)
    top = _GAP + _TEXT + _GAP // 2
    for row in rows:
        for left, panel in zip(lefts, row, strict=True):
            page.paste(Image.fromarray(panel), (left, top))
        top += len(row[0]) + _GAP
    page.paste(legend, (0, top))
    return page


def as_rgb(image: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Converts an image (H, W, C) to RGB (H, W, 3) uint8: its first three channels, or with fewer its first as grey.

    Values other than uint8 are stretched from the 2nd to the 98th percentile of each channel.
    """
    channels = image[..., :3] if image.shape[-1] >= 3 else image[..., :1].repeat(3, -1)
    if channels.dtype == np.uint8:
        return channels
    row_step, column_step = (max(1, length // _SAMPLED) for length in channels.shape[:2])
    sample = channels[::row_step, ::column_step]
    low, high = np.percentile(sample, (2, 98), axis=(0, 1)).astype(np.float32)  # (3,) each
    stretched = (channels.astype(np.float32) - low) / np.where(high > low, high - low, 1)
    rgb: npt.NDArray[np.uint8] = (stretched * 255).clip(0, 255).astype(np.uint8)
    return rgb


def shrink(array: npt.NDArray[Any], width: int, resample: Image.Resampling) -> npt.NDArray[Any]:
    """Resizes (H, W) or (H, W, 3) uint8 to a width in pixels, keeping the aspect ratio.

    The height is limited to four times the width; taller images become narrower. Class indices require NEAREST.
    """
    height, columns = array.shape[:2]
    factor = min(width / columns, 4 * width / height)
    size = max(1, round(columns * factor)), max(1, round(height * factor))
    return np.asarray(Image.fromarray(array).resize(size, resample))


def _resize(array: npt.NDArray[np.uint8], size: tuple[int, ...], resample: Image.Resampling) -> npt.NDArray[np.uint8]:
    """Resizes (H, W) or (H, W, 3) to a height and width, unless it has them."""
    height, width = size
    return array if array.shape[:2] == size else np.asarray(Image.fromarray(array).resize((width, height), resample))


def background(labels: Labels) -> int | None:
    """Returns the class that is transparent in overlays, if there is one.

    It is the class named background or `_background_`, else the black one, else the first of two classes.
    """
    named = named_background(labels.class_names)
    if named is None and _BLACK in labels.palette:
        return labels.palette.index(_BLACK)
    return 0 if named is None and labels.num_classes == 2 else named


def overlay_colors(labels: Labels) -> npt.NDArray[np.uint8]:
    """Returns the colours of class indices in overlays, RGBA (256, 4): opaque but for the background."""
    colors = np.full((256, 4), (*VOID_COLOR, 255), np.uint8)
    colors[: labels.num_classes, :3] = labels.palette
    if (transparent := background(labels)) is not None:
        colors[transparent, 3] = 0
    return colors


def lay_over(image: npt.NDArray[np.uint8], mask: npt.NDArray[np.uint8], labels: Labels) -> npt.NDArray[np.uint8]:
    """Blends an image (H, W, 3) with the colours of a mask (H, W), half and half, where `overlay_colors` are opaque."""
    colors = overlay_colors(labels)[mask]
    blended = image // 2 + colors[..., :3] // 2
    return np.where(colors[..., 3:] > 0, blended, image)


def draw_overlay(image: npt.NDArray[Any], mask: npt.NDArray[np.uint8], labels: Labels) -> Image.Image:
    """Draws a mask (H, W) over an image (H, W, C) as stored, see `as_rgb` and `lay_over`."""
    return Image.fromarray(lay_over(as_rgb(image), mask, labels))


def _greyed(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Converts RGB (H, W, 3) to pale grey (H, W, 3), on which coloured pixels stand out."""
    grey: npt.NDArray[np.uint8] = image.mean(-1, keepdims=True).repeat(3, -1).astype(np.uint8) // 2 + 100
    return grey


def panels(prediction: Prediction, labels: Labels, width: int) -> tuple[npt.NDArray[np.uint8], ...]:
    """Returns image, target, prediction and errors as RGB, (h, width, 3) each.

    Errors are the image in grey with wrong pixels in red; void pixels of the target are never wrong.

    Args:
        prediction: The prediction.
        labels: Class names and colours.
        width: Width in pixels; the height keeps the aspect ratio, see `shrink`.
    """
    image, target, preds, _ = prediction.shrunk(width)
    errors = _greyed(image)
    errors[(target != preds) & (target != IGNORE_INDEX)] = WRONG
    return image, labels.colorize(target), labels.colorize(preds), errors


def draw_legend(labels: Labels, width: int) -> Image.Image:
    """Draws colours and names of all classes and void, in lines of at most `width` pixels."""
    font = ImageFont.load_default(_TEXT)
    entries = [*zip(labels.class_names, labels.palette, strict=True), ("void", VOID_COLOR)]
    positions: list[tuple[int, int]] = []
    x, y = _GAP, _GAP
    for name, _ in entries:
        step = round(font.getlength(name)) + 2 * _TEXT + _GAP
        if x + step > width and x > _GAP:
            x, y = _GAP, y + _TEXT + _GAP
        positions.append((x, y))
        x += step
    legend = Image.new("RGB", (width, y + _TEXT + 2 * _GAP), "white")
    draw = ImageDraw.Draw(legend)
    for (name, color), (left, top) in zip(entries, positions, strict=True):
        draw.rectangle((left, top + 1, left + _TEXT, top + _TEXT + 1), fill=color)
        draw.text((left + _TEXT + _GAP // 2 + 1, top), name, INK, font)
    return legend
