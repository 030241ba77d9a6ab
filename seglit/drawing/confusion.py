"""The confusion matrix as a picture."""

from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from seglit.drawing.predictions import INK
from seglit.labels import Color
from seglit.metrics import Counts

_NOTHING: Color = (244, 244, 246)
_NO_TARGET: Color = (222, 222, 226)
_RIGHT: Color = (32, 96, 168)
_WRONG: Color = (200, 44, 44)
_GAP = 8
_NOTE = "Rows: where the target's pixels went, in %"


class Cell(NamedTuple):
    """A cell of the matrix: pixels, their share of the row, and how dark it is, 0..1."""

    prediction: str
    pixels: int
    share: float
    strength: float
    is_right: bool


def confusion_cells(confusion: Counts, class_names: Sequence[str]) -> list[list[Cell]]:
    """The cells of a confusion matrix, a row for each class of the target.

    How dark a cell is goes with the square root of its share, so that small confusions can be seen.

    Args:
        confusion: Pixel counts (C, C), rows the target, columns the prediction.
        class_names: One name a class.
    """
    rows = []
    for target, counts in enumerate(confusion.tolist()):
        total = sum(counts) or 1
        shares = [pixels / total for pixels in counts]
        parts = zip(class_names, counts, shares, strict=True)
        rows.append([Cell(*each, each[2] ** 0.5, index == target) for index, each in enumerate(parts)])
    return rows


def draw_confusion(confusion: Counts, class_names: Sequence[str]) -> Image.Image:
    """Draws a confusion matrix, each row in percent of its class's pixels: right ones blue, wrong ones red.

    Args:
        confusion: Pixel counts (C, C), rows the target, columns the prediction. A row without pixels is grey.
        class_names: One name a class.
    """
    count = len(class_names)
    cell = max(14, min(88, 960 // count))
    text = ImageFont.load_default(min(15, cell - 1))
    margin = round(max(text.getlength(name) for name in class_names)) + 2 * _GAP
    left, top = margin + 20, margin + 20
    note = ImageFont.load_default(13)
    size = left + max(count * cell, round(note.getlength(_NOTE))) + _GAP, top + count * cell + 32
    centers = [index * cell + cell // 2 for index in range(count)]
    side = Image.new("RGB", size[::-1], "white")  # the page turned clockwise, for what is written upwards
    draw = ImageDraw.Draw(side)
    draw.text((size[1] - top - count * cell // 2, _GAP), "target", INK, note, anchor="mt")
    for center, name in zip(centers, class_names, strict=True):
        draw.text((size[1] - top + _GAP, left + center), name, INK, text, anchor="lm")
    page = side.transpose(Image.Transpose.ROTATE_90)
    draw = ImageDraw.Draw(page)
    draw.text((left + count * cell // 2, _GAP), "prediction", INK, note, anchor="mt")
    draw.text((left, size[1] - _GAP), _NOTE, INK, note, anchor="ls")
    for center, name in zip(centers, class_names, strict=True):
        draw.text((left - _GAP, top + center), name, INK, text, anchor="rm")
    _draw_cells(draw, confusion_cells(confusion, class_names), cell, (left, top))
    return page


def _draw_cells(draw: ImageDraw.ImageDraw, rows: Sequence[Sequence[Cell]], cell: int, origin: tuple[int, int]) -> None:
    font = ImageFont.load_default(max(10, min(18, 2 * cell // 5)))
    for row, cells in enumerate(rows):
        in_target = any(each.pixels for each in cells)
        for column, each in enumerate(cells):
            color = _blend(_NOTHING, _RIGHT if each.is_right else _WRONG, each.strength) if in_target else _NO_TARGET
            x, y = origin[0] + column * cell, origin[1] + row * cell
            draw.rectangle((x, y, x + cell - 2, y + cell - 2), fill=color)
            if cell >= 24 and each.share >= 0.005:  # less would read 0
                ink = (255, 255, 255) if each.strength > 0.6 else INK
                draw.text((x + cell // 2, y + cell // 2), f"{each.share:.0%}".rstrip("%"), ink, font, anchor="mm")


def _blend(start: Color, end: Color, share: float) -> Color:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(start, end, strict=True))
    return red, green, blue
