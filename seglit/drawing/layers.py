"""Pictures of the pages: a photo, and transparent layers over it that the viewer shows and fades."""

import base64
import io
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

_MAX_SIDE = 1024  # pixels
_MIN_SIDE = 128
# Lossless: a quarter of the time, or a fifth fewer bytes.
_FAST, _SMALL = {"method": 0, "quality": 20}, {"method": 2, "quality": 50}


class Layer(NamedTuple):
    """A layer: indices uint8 (H, W) of its colours, RGBA uint8 (N, 4)."""

    indices: npt.NDArray[np.uint8]
    colors: npt.NDArray[np.uint8]


class LayeredPicture(NamedTuple):
    """A picture as data URLs.

    Args:
        ratio: Width by height.
        photo: The photo.
        layers: Title to layer, of the photo's size.
    """

    ratio: float
    photo: str
    layers: dict[str, str]


def encode_layers(photo: npt.NDArray[np.uint8], layers: Mapping[str, Layer], max_bytes: int) -> LayeredPicture:
    """Encodes a photo and its layers: fast, or if they do not fit, smaller, and reduced until they fit.

    Args:
        photo: RGB (H, W, 3).
        layers: Title to layer of any size with the photo's aspect ratio.
        max_bytes: Limit of all URLs together; exceeded only if pictures of 128 pixels do not fit.
    """
    height, width = photo.shape[:2]
    side, effort = float(min(_MAX_SIDE, max(height, width))), _FAST
    while True:
        scale = side / max(height, width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = Image.fromarray(photo).resize(size, Image.Resampling.BILINEAR)
        photo_url = _url(small, quality=75, method=2)
        urls = {title: _layer_url(layer, size, effort) for title, layer in layers.items()}
        total = len(photo_url) + sum(map(len, urls.values()))
        if total <= max_bytes or (side <= _MIN_SIDE and effort is _SMALL):
            return LayeredPicture(width / height, photo_url, urls)
        if effort is _SMALL:
            side = max(_MIN_SIDE, 0.95 * side * min(1, (max_bytes / total) ** 0.5))
        effort = _SMALL


def _layer_url(layer: Layer, size: tuple[int, int], effort: Mapping[str, int]) -> str:
    indices = np.asarray(Image.fromarray(layer.indices).resize(size, Image.Resampling.NEAREST))
    return _url(Image.fromarray(layer.colors.take(indices, axis=0)), lossless=True, **effort)


def _url(picture: Image.Image, **options: Any) -> str:
    stream = io.BytesIO()
    picture.save(stream, "WEBP", **options)
    return f"data:image/webp;base64,{base64.b64encode(stream.getvalue()).decode()}"
