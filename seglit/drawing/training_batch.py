"""Draws training samples: images beside their masks, and each augmentation beside the original."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from seglit.drawing.predictions import INK, as_rgb, background, draw_legend, shrink
from seglit.labels import Labels

_GAP, _TEXT = 8, 13  # pixels
_OPACITY = 0.4
_STEP_WIDTH = 200  # pixels of a panel of `draw_steps`


class Panel(NamedTuple):
    """An image (H, W, C) as stored, class indices (H, W) uint8 with void 255, and a title."""

    image: npt.NDArray[Any]
    mask: npt.NDArray[np.uint8]
    title: str


def draw_batch(samples: Sequence[Panel], labels: Labels, width: int = 240) -> Image.Image:
    """Draws samples in two columns, each as image and as image under its mask, above a legend of the classes.

    Args:
        samples: The samples.
        labels: Class names and colours.
        width: Width of a panel in pixels.
    """
    cells = [
        cell
        for sample in samples
        for cell in ((_picture(sample.image, width), sample.title), (_under_mask(sample, labels, width), "with mask"))
    ]
    return _arrange([cells[start : start + 4] for start in range(0, len(cells), 4)], labels)


def draw_steps(rows: Sequence[Sequence[Panel]], labels: Labels) -> Image.Image:
    """Draws rows of images, each above the same image under its mask, and a legend of the classes.

    Args:
        rows: The samples of each row, as many in all rows.
        labels: Class names and colours.
    """
    pictures = []
    for row in rows:
        pictures.append([(_picture(panel.image, _STEP_WIDTH), panel.title) for panel in row])
        pictures.append([(_under_mask(panel, labels, _STEP_WIDTH), "") for panel in row])
    return _arrange(pictures, labels)


def _arrange(rows: Sequence[Sequence[tuple[npt.NDArray[np.uint8], str]]], labels: Labels) -> Image.Image:
    """Places titled pictures in rows, the columns below each other."""
    columns = max(map(len, rows))
    widths = [max(row[column][0].shape[1] for row in rows if column < len(row)) for column in range(columns)]
    lefts = [_GAP + sum(widths[:column]) + _GAP * column for column in range(columns)]
    legend = draw_legend(labels, max(lefts[-1] + widths[-1] + _GAP, 320))
    spaces = [_TEXT + 2 * _GAP if any(title for _, title in row) else _GAP // 2 for row in rows]
    heights = [max(len(picture) for picture, _ in row) + space for row, space in zip(rows, spaces, strict=True)]
    page = Image.new("RGB", (legend.width, sum(heights) + legend.height), "white")
    draw, font, top = ImageDraw.Draw(page), ImageFont.load_default(_TEXT), 0
    for row, height, space in zip(rows, heights, spaces, strict=True):
        for (picture, title), left, width in zip(row, lefts, widths, strict=False):
            draw.text((left, top + _GAP // 2), _fitted(title, font, width), INK, font)
            page.paste(Image.fromarray(picture), (left, top + space - _GAP // 4))
        top += height
    page.paste(legend, (0, top))
    return page


def _picture(image: npt.NDArray[Any], width: int) -> npt.NDArray[np.uint8]:
    return shrink(as_rgb(np.ma.getdata(image)), width, Image.Resampling.BILINEAR)


def _under_mask(panel: Panel, labels: Labels, width: int) -> npt.NDArray[np.uint8]:
    """Blends an image with the colours of its mask, but for the background, and outlines the classes."""
    picture = _picture(panel.image, width)
    height, columns = picture.shape[:2]
    mask = np.asarray(Image.fromarray(panel.mask).resize((columns, height), Image.Resampling.NEAREST))
    opacity = np.full(mask.shape, _OPACITY)
    for axis in (0, 1):
        opacity[np.diff(mask, axis=axis, append=mask.take([-1], axis)) != 0] = 1
        opacity[np.diff(mask, axis=axis, prepend=mask.take([0], axis)) != 0] = 1
    opacity[mask == background(labels)] = 0
    blended = picture * (1 - opacity[..., None]) + labels.colorize(mask) * opacity[..., None]
    drawn: npt.NDArray[np.uint8] = blended.astype(np.uint8)
    return drawn


def _fitted(text: str, font: Any, width: int) -> str:
    """Shortens a text at its start to a width in pixels."""
    short = text
    while font.getlength(short) > width and len(short) > 1:
        text = text[1:]
        short = f"...{text}"
    return short
