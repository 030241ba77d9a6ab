"""Folders of TIFF stacks with known slices."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

SIZE = (24, 32)
Array = npt.NDArray[Any]


def slices(seed: int, *outer: int, dtype: str = "uint8") -> Array:
    """Noise (*outer, H, W)."""
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, (*outer, *SIZE)).astype(dtype)


def labels(images: Array) -> Array:
    """Masks of slices (N, H, W): 1 above the middle of the type."""
    return (images > np.iinfo(images.dtype).max // 2).astype(np.uint8)


def write(path: Path, array: Array, **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, array, **{"photometric": "minisblack", **options})


def write_stacks(root: Path, count: int = 4, num_slices: int = 6) -> dict[str, tuple[Array, Array]]:
    """Writes stacks in images/ and masks/, every second as ImageJ's; returns the slices by name."""
    written = {}
    for number in range(count):
        images = slices(number, num_slices)
        for folder, array in (("images", images), ("masks", labels(images))):
            write(root / folder / f"stack{number}.tif", array, imagej=number % 2 == 0)
        for page in range(num_slices):
            written[f"stack{number}[{page}]"] = images[page], labels(images)[page]
    return written
