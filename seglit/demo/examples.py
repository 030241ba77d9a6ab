"""Test images to choose from."""

import io
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image

from seglit.drawing.predictions import as_rgb
from seglit.images.validity import NODATA_TAG, no_data
from seglit.runs.rebuild import find_data

_THUMBNAIL = (240, 180)  # pixels

Array = npt.NDArray[Any]


class Example(NamedTuple):
    """A test image: its name, and the image (H, W, C) as stored."""

    name: str
    image: Array

    @property
    def is_photo(self) -> bool:
        """Whether it is an 8-bit grey or RGB image, which PNG stores as seglit reads it."""
        return self.image.dtype == np.uint8 and self.image.shape[2] in (1, 3)

    @property
    def has_file(self) -> bool:
        """Whether a file can store it: in a TIFF, a value that no pixel has marks the pixels without data."""
        return self.is_photo or not isinstance(self.image, np.ma.MaskedArray) or _unused(self.image) is not None


@dataclass(frozen=True)
class Examples:
    """Images of a test split.

    Args:
        images: The images.
    """

    images: tuple[Example, ...] = ()

    @classmethod
    def of_run(cls, run: Path, count: int, trust: Collection[str]) -> Self:
        """Reads at most `count` images, evenly spaced; none, and a line that says why, if they are gone.

        Args:
            run: The run folder.
            count: Number of images.
            trust: See `find_data`.

        Raises:
            InputError: A file cannot be read.
        """
        if not count:
            return cls()
        data, missing = find_data(run / "config.yaml", "test", trust)
        if data is None:
            print(f"no test images: {missing}", file=sys.stderr)
            return cls()
        dataset = data.dataset("test")
        chosen = np.linspace(0, len(dataset) - 1, min(count, len(dataset))).round().astype(int).tolist()
        pairs = (dataset.read(index) for index in chosen)
        examples = [Example(name, image.reshape(*image.shape[:2], -1)) for image, _, name in pairs]
        for example in examples:
            if not example.has_file:
                print(
                    f"not shown: {example.name}, in which no value is left to mark pixels without data", file=sys.stderr
                )
        return cls(tuple(example for example in examples if example.has_file))

    def names(self) -> list[tuple[str, str, str]]:
        """Returns the name of each image, of its file, and of a small copy."""
        return [
            (example.name, f"examples/{at}.{'png' if example.is_photo else 'tif'}", f"examples/{at}.webp")
            for at, example in enumerate(self.images)
        ]

    def files(self) -> dict[str, bytes]:
        """Returns the content of the files by name."""
        content: dict[str, bytes] = {}
        for example, (_, file, thumbnail) in zip(self.images, self.names(), strict=True):
            content[file] = _png(example.image) if example.is_photo else _tiff(example.image)
            content[thumbnail] = _thumbnail(example.image)
        return content


def _png(image: Array) -> bytes:
    """Encodes an 8-bit image with its values; pixels without data are transparent."""
    rgb, empty, stream = as_rgb(np.ma.getdata(image)), no_data(image), io.BytesIO()
    if empty is not None:
        rgb = np.dstack([rgb, np.where(empty, 0, 255).astype(np.uint8)])
    Image.fromarray(rgb).save(stream, "PNG")
    return stream.getvalue()


def _tiff(image: Array) -> bytes:
    """Encodes an image with its values; pixels without data have a value of their own, which a tag states."""
    stream, tags = io.BytesIO(), []
    if isinstance(image, np.ma.MaskedArray):
        value = _unused(image)
        image = image.filled(value)
        tags = [(NODATA_TAG, "s", 0, str(value), True)]
    pages = image[..., 0] if image.shape[2] == 1 else image
    planar = None if pages.ndim == 2 else "contig"
    tifffile.imwrite(stream, pages, photometric="minisblack", planarconfig=planar, extratags=tags)
    return stream.getvalue()


def _unused(image: Array) -> float | None:
    """A value that no pixel has: NaN, or the largest such integer, if there is one."""
    if image.dtype.kind == "f":
        return float("nan")
    used, info = {*np.unique(np.ma.getdata(image)).tolist()}, np.iinfo(image.dtype)
    return next((value for value in range(info.max, info.min - 1, -1) if value not in used), None)


def _thumbnail(image: Array) -> bytes:
    picture, stream = Image.fromarray(as_rgb(np.ma.getdata(image))), io.BytesIO()
    picture.thumbnail(_THUMBNAIL)
    picture.save(stream, "WEBP")
    return stream.getvalue()
