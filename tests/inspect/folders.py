"""Generated folders of images and masks, with various codings and faults."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

SIZE = (48, 64)  # height, width


def image(number: int) -> npt.NDArray[np.uint8]:
    """A unique image: a grid of random patches with noise."""
    rng = np.random.default_rng(number)
    patches = rng.integers(20, 236, (9, 12, 3)).astype(np.uint8)
    large = np.asarray(Image.fromarray(patches).resize(SIZE[::-1], Image.Resampling.BICUBIC)).astype(np.int16)
    return (large + rng.integers(-8, 9, large.shape)).clip(0, 255).astype(np.uint8)


def mask(number: int, classes: int = 2) -> npt.NDArray[np.uint8]:
    """Class 0 with a block of each other class at a random position."""
    rng = np.random.default_rng(1000 + number)
    indices = np.zeros(SIZE, np.uint8)
    for index in range(1, classes):
        top, left = rng.integers(0, SIZE[0] - 20), rng.integers(0, SIZE[1] - 24)
        indices[top : top + 18, left : left + 20] = index
    return indices


def save(array: npt.NDArray[np.uint8], path: Path) -> None:
    """Writes an array as an image file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def split_folders(root: Path, classes: int = 3, counts: tuple[int, int, int] = (8, 3, 3)) -> None:
    """images/{split} and masks/{split} with class indices, without faults."""
    number = 0
    for split, count in zip(("train", "val", "test"), counts, strict=True):
        for _ in range(count):
            save(image(number), root / "images" / split / f"{number:03}.png")
            save(mask(number, classes), root / "masks" / split / f"{number:03}.png")
            number += 1


def recode(root: Path, change: Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.uint8]]) -> None:
    """Changes the values of every mask."""
    for path in sorted((root / "masks").rglob("*.png")):
        save(change(np.asarray(Image.open(path))), path)


def blur_masks(root: Path) -> None:
    """Blurs masks of 0 and 255, as resizing with interpolation does."""
    for path in sorted((root / "masks").rglob("*.png")):
        blurred = Image.open(path).point(lambda value: 255 * (value > 0)).filter(ImageFilter.GaussianBlur(1.2))
        blurred.save(path)


def as_jpeg(root: Path) -> None:
    """Saves masks of 0 and 255 as JPEG."""
    for path in sorted((root / "masks").rglob("*.png")):
        Image.open(path).point(lambda value: 255 * (value > 0)).save(path.with_suffix(".jpg"), quality=80)
        path.unlink()
