"""A canvas for boxes, arrows, number grids and pictures, in units independent of its resolution."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

Color = tuple[int, int, int]
Point = tuple[float, float]

INK: Color = (40, 40, 48)
WHITE: Color = (255, 255, 255)
GREY: Color = (150, 150, 160)
BLUE: Color = (70, 120, 200)
RED: Color = (205, 80, 70)
GREEN: Color = (70, 150, 95)
SAND: Color = (225, 185, 110)

PICTURES = Path(__file__).with_name("pictures")
_DOTS = 2  # pixels per unit, for high-resolution screens


class Canvas:
    """A white canvas.

    Args:
        width: In units, as all lengths of its methods.
        height: In units.
    """

    def __init__(self, width: float, height: float) -> None:
        self.image = Image.new("RGB", (round(width * _DOTS), round(height * _DOTS)), "white")
        self.draw = ImageDraw.Draw(self.image)

    def text(self, x: float, y: float, text: str, color: Color = INK, size: float = 12, anchor: str = "mm") -> None:
        """Writes text; `anchor` is the point of the text at (x, y) in Pillow's notation, by default its middle."""
        font = ImageFont.load_default(size * _DOTS)
        self.draw.text((x * _DOTS, y * _DOTS), text, color, font, anchor, align="center")

    def box(self, x: float, y: float, width: float, height: float, color: Color) -> None:
        """Fills a box with centre (x, y)."""
        corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        self.draw.rounded_rectangle([edge * _DOTS for edge in corners], 2 * _DOTS, color)

    def arrow(self, *points: Point, color: Color = GREY) -> None:
        """Draws straight lines from point to point, with an arrow head at the last."""
        self.draw.line([(x * _DOTS, y * _DOTS) for x, y in points], color, round(1.5 * _DOTS), "curve")
        (from_x, from_y), (x, y) = points[-2:]
        length = ((x - from_x) ** 2 + (y - from_y) ** 2) ** 0.5
        back_x, back_y = 7 * (x - from_x) / length, 7 * (y - from_y) / length
        sides = [(x - back_x + turn * back_y, y - back_y - turn * back_x) for turn in (-0.5, 0.5)]
        self.draw.polygon([(a * _DOTS, b * _DOTS) for a, b in [(x, y), *sides]], color)

    def grid(self, left: float, top: float, cell: float, rows: Sequence[Sequence[float]], maximum: float) -> None:
        """Draws one number per cell; the closer a number is to `maximum`, the darker the cell."""
        for row, numbers in enumerate(rows):
            for column, number in enumerate(numbers):
                x, y = left + (column + 0.5) * cell, top + (row + 0.5) * cell
                share = 0.75 * number / maximum
                red, green, blue = (round(255 - share * (255 - channel)) for channel in BLUE)
                self.box(x, y, cell - 2, cell - 2, (red, green, blue))
                self.text(x, y, f"{number:g}", WHITE if share > 0.65 else INK, min(14, cell / 2.6))

    def paste(self, picture: Image.Image, left: float, top: float, width: float) -> None:
        """Pastes a picture, scaled by nearest-neighbour interpolation."""
        height = width * picture.height / picture.width
        size = (round(width * _DOTS), round(height * _DOTS))
        self.image.paste(picture.resize(size, Image.Resampling.NEAREST), (round(left * _DOTS), round(top * _DOTS)))

    def save(self, name: str) -> None:
        """Writes the canvas to docs/pictures with 256 colours, which suffice for these figures."""
        PICTURES.mkdir(exist_ok=True)
        file = PICTURES / f"{name}.png"
        self.image.quantize(256, dither=Image.Dither.NONE).save(file, optimize=True)
        print(f"{file}: {file.stat().st_size / 1000:.0f} kB")
