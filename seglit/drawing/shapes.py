"""Draws images of shapes and their masks, which expose a wrong loss; `seglit shapes` writes a folder of them."""

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from seglit.errors import InputError
from seglit.images.pairs import Split
from seglit.labels import Labels

LABELS = Labels.create(
    ["background", "disk", "box", "triangle", "line", "star"],
    palette=[[60, 60, 70], [230, 85, 75], [70, 140, 230], [245, 185, 65], [95, 200, 120], [190, 100, 220]],
)
"""`line` is thin and `star` is rare: their scores show whether small and rare classes are learned."""

_SUPERSAMPLING = 4  # shapes are drawn larger by this factor, then averaged, for antialiased edges
_SPLIT_NUMBERS: dict[Split, int] = {"train": 0, "val": 1, "test": 2}


def write_folder(
    root: Path, num_train: int = 64, num_val: int = 16, num_test: int = 16, size: tuple[int, int] = (96, 96)
) -> None:
    """Writes images/{split}/NAME.png (RGB) and masks/{split}/NAME.png (class indices).

    Args:
        root: Folder to write into; created if missing.
        num_train: Number of training images.
        num_val: Number of validation images.
        num_test: Number of test images.
        size: (height, width) in pixels.

    Raises:
        InputError: A number of images is negative, or a size below 1.
    """
    lengths: dict[Split, int] = {"train": num_train, "val": num_val, "test": num_test}
    if min(lengths.values()) < 0 or min(size) < 1:
        raise InputError(f"num_train, num_val and num_test are {[*lengths.values()]}, and size {list(size)}; too small")
    for split, length in lengths.items():
        for kind in ("images", "masks"):
            (root / kind / split).mkdir(parents=True, exist_ok=True)
        for index in range(length):
            image, mask, name = draw_shapes(split, index, size)
            Image.fromarray(image).save(root / "images" / split / f"{name}.png")
            Image.fromarray(mask).save(root / "masks" / split / f"{name}.png")


def draw_shapes(
    split: Split, index: int, size: tuple[int, int], channels: int = 3
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], str]:
    """Draws shapes on a textured background: image (H, W, C) uint8, mask (H, W) uint8, and name.

    Args:
        split: Splits have different images.
        index: Number of the image.
        size: (height, width) in pixels.
        channels: Channels of the image.
    """
    rng = np.random.default_rng((_SPLIT_NUMBERS[split], index))
    image = _background(rng, size, channels)
    mask = np.zeros(size, np.uint8)
    for _ in range(rng.integers(3, 7)):
        shape = int(rng.choice([1, 2, 3, 4, 5], p=[0.26, 0.26, 0.22, 0.18, 0.08]))
        cover = _cover(rng, shape, size)[..., None]  # (H, W, 1) in 0..1
        paint = _paint(rng, shape, channels)
        image = cover * paint + (1 - cover) * image
        mask[cover[..., 0] >= 0.5] = shape
    image += rng.normal(0, 6, image.shape)
    return image.clip(0, 255).astype(np.uint8), mask, f"{index:05d}"


def _background(rng: np.random.Generator, size: tuple[int, int], channels: int) -> npt.NDArray[np.float64]:
    """Draws a texture (H, W, C): smooth patches plus stripes, in random colours."""
    height, width = size
    coarse = rng.uniform(60, 190, (4, 4, channels)).astype(np.float32)
    rows = [Image.fromarray(coarse[..., c]).resize((width, height), Image.Resampling.BICUBIC) for c in range(channels)]
    smooth = np.stack([np.asarray(row) for row in rows], -1)
    y, x = np.mgrid[:height, :width]
    angle, period = rng.uniform(0, math.pi), rng.uniform(4, 16)
    stripes = np.sin((x * math.cos(angle) + y * math.sin(angle)) * 2 * math.pi / period)[..., None]
    texture: npt.NDArray[np.float64] = smooth + stripes * rng.uniform(0, 18, channels)
    return texture


def _paint(rng: np.random.Generator, shape: int, channels: int) -> npt.NDArray[np.float64]:
    """Draws a colour (C,) around the class's typical one: three channels tell most classes apart, one does not."""
    typical = 128 + 90 * np.sin((shape / 5 + np.arange(channels) / 3) * 2 * math.pi)
    color: npt.NDArray[np.float64] = (typical + rng.normal(0, 30, channels)).clip(0, 255)
    return color


def _cover(rng: np.random.Generator, shape: int, size: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Draws a shape at random and returns the share of each pixel (H, W) that it covers, 0 to 1."""
    height, width = size
    picture = Image.new("L", (width * _SUPERSAMPLING, height * _SUPERSAMPLING))
    draw = ImageDraw.Draw(picture)
    short = min(picture.size)
    x, y = rng.uniform(0.1, 0.9) * picture.width, rng.uniform(0.1, 0.9) * picture.height
    radius, turn = short * rng.uniform(0.12, 0.24), rng.uniform(0, 2 * math.pi)
    if shape == 1:
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    elif shape == 4:
        reach = radius * 2.5
        ends = [(x + side * reach * math.cos(turn), y + side * reach * math.sin(turn)) for side in (-1, 1)]
        draw.line(ends, fill=255, width=round(short * rng.uniform(0.03, 0.045)))
    else:
        corners = {2: 4, 3: 3, 5: 10}[shape]
        radii = [radius * (0.45 if shape == 5 and i % 2 else 1.0) for i in range(corners)]
        angles = [turn + 2 * math.pi * i / corners for i in range(corners)]
        points = [(x + r * math.cos(a), y + r * math.sin(a)) for r, a in zip(radii, angles, strict=True)]
        draw.polygon(points, fill=255)
    small = picture.resize((width, height), Image.Resampling.BOX)
    return np.asarray(small, np.float64) / 255
