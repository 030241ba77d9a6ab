"""Draws a confusion matrix."""

from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from seglit.drawing.predictions import INK
from seglit.labels import Color
from seglit.metrics import Counts

_EMPTY: Color = (244, 244, 246)
_NO_TARGET: Color = (222, 222, 226)
_RIGHT: Color = (32, 96, 168)
_WRONG: Color = (200, 44, 44)
_GAP = 8
_NOTE = "Rows: % of the target class's pixels"


class Cell(NamedTuple):
    """A cell of the matrix: predicted class, pixels, their share of the row, and strength of the colour, 0..1."""

    prediction: str
    pixels: int
    share: float
    strength: float
    is_right: bool


def confusion_cells(confusion: Counts, class_names: Sequence[str]) -> list[list[Cell]]:
    """Returns the cells of a confusion matrix, one row per target class.

    The strength of a cell's colour is the square root of its share, so that small confusions are visible.

    Args:
        confusion: Pixel counts (C, C), rows target, columns prediction.
        class_names: One name per class.
    """
    rows = []
    for target, counts in enumerate(confusion.tolist()):
        total = sum(counts) or 1
        columns = enumerate(zip(class_names, counts, strict=True))
        rows.append(
            [
                Cell(name, pixels, pixels / total, (pixels / total) ** 0.5, index == target)
                for index, (name, pixels) in columns
            ]
        )
    return rows


def draw_confusion(confusion: Counts, class_names: Sequence[str]) -> Image.Image:
    """Draws a confusion matrix, each row in percent of its class's pixels: correct cells blue, wrong ones red.

    Args:
        confusion: Pixel counts (C, C), rows target, columns prediction. A row without pixels is grey.
        class_names: One name per class.
    """
    count = len(class_names)
    cell_size = max(14, min(88, 960 // count))
    name_font = ImageFont.load_default(min(15, cell_size - 1))
    margin = round(max(name_font.getlength(name) for name in class_names)) + 2 * _GAP
    left, top = margin + 20, margin + 20
    font = ImageFont.load_default(13)
    size = left + max(count * cell_size, round(font.getlength(_NOTE))) + _GAP, top + count * cell_size + 32
    centers = [index * cell_size + cell_size // 2 for index in range(count)]
    rotated = Image.new("RGB", size[::-1], "white")  # the page turned clockwise, for vertical text
    draw = ImageDraw.Draw(rotated)
    draw.text((size[1] - top - count * cell_size // 2, _GAP), "target", INK, font, anchor="mt")
    for center, name in zip(centers, class_names, strict=True):
        draw.text((size[1] - top + _GAP, left + center), name, INK, name_font, anchor="lm")
    page = rotated.transpose(Image.Transpose.ROTATE_90)
    draw = ImageDraw.Draw(page)
    draw.text((left + count * cell_size // 2, _GAP), "prediction", INK, font, anchor="mt")
    draw.text((left, size[1] - _GAP), _NOTE, INK, font, anchor="ls")
    for center, name in zip(centers, class_names, strict=True):
        draw.text((left - _GAP, top + center), name, INK, name_font, anchor="rm")
    _draw_cells(draw, confusion_cells(confusion, class_names), cell_size, (left, top))
    return page


def _draw_cells(draw: ImageDraw.ImageDraw, rows: Sequence[Sequence[Cell]], size: int, origin: tuple[int, int]) -> None:
    font = ImageFont.load_default(max(10, min(18, 2 * size // 5)))
    for row, cells in enumerate(rows):
        in_target = any(cell.pixels for cell in cells)
        for column, cell in enumerate(cells):
            color = _blend(_EMPTY, _RIGHT if cell.is_right else _WRONG, cell.strength) if in_target else _NO_TARGET
            x, y = origin[0] + column * size, origin[1] + row * size
            draw.rectangle((x, y, x + size - 2, y + size - 2), fill=color)
            if size >= 24 and cell.share >= 0.005:  # smaller shares would round to 0
                ink = (255, 255, 255) if cell.strength > 0.6 else INK
                draw.text((x + size // 2, y + size // 2), f"{cell.share:.0%}".rstrip("%"), ink, font, anchor="mm")


def _blend(start: Color, end: Color, share: float) -> Color:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(start, end, strict=True))
    return red, green, blue
