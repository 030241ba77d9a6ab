"""Colours that differ from those of the classes."""

import colorsys
from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from seglit.labels import Color

Array = npt.NDArray[np.float64]

_HUES = 36
_LUMINANCE = 0.2  # relative, of WCAG: contrast of 3 or more with the light and the dark page
_TO_LMS = np.array(
    [
        [0.4122214708, 0.2119034982, 0.0883024619],
        [0.5363325363, 0.6806995451, 0.2817188376],
        [0.0514459929, 0.1073969566, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 1.9779984951, 0.0259040371],
        [0.7936177850, -2.4285922050, 0.7827717662],
        [-0.0040720468, 0.4505937099, -0.8086757660],
    ]
)


def distinct_colors(count: int, taken: Sequence[Color]) -> list[Color]:
    """Chooses colours of equal luminance, each as far as possible from those that are taken and chosen.

    Args:
        count: Number of colours, at most 36.
        taken: RGB colours to differ from, at least one.
    """
    candidates, chosen = _candidates(), [*taken]
    for _ in range(count):
        chosen.append(candidates[int(np.argmax(distances(candidates, chosen)))])
    return chosen[len(taken) :]


def distances(colors: Sequence[Color], others: Sequence[Color]) -> Array:
    """Returns the perceived distance of each colour (N,) from the nearest of others: black and white are 1 apart."""
    apart = np.linalg.norm(_oklab(colors)[:, None] - _oklab(others)[None], axis=-1)
    nearest: Array = apart.min(axis=1)
    return nearest


def luminance(colors: Sequence[Color] | Array) -> Array:
    """Returns the relative luminance, 0..1 (WCAG 2), of sRGB colours (..., 3)."""
    relative: Array = _linear(colors) @ [0.2126, 0.7152, 0.0722]
    return relative


@cache
def _candidates() -> list[Color]:
    """The saturated colour of each hue whose luminance is nearest to `_LUMINANCE`."""
    colors = np.array(
        [[colorsys.hls_to_rgb(hue / _HUES, step / 100, 1) for step in range(101)] for hue in range(_HUES)]
    )
    nearest = np.abs(luminance(255 * colors) - _LUMINANCE).argmin(axis=1)
    chosen = np.rint(255 * colors[np.arange(_HUES), nearest]).astype(int).tolist()
    return [(red, green, blue) for red, green, blue in chosen]


def _oklab(colors: Sequence[Color]) -> Array:
    """Converts sRGB (N, 3) to OKLab (N, 3) (B. Ottosson, 2020, bottosson.github.io/posts/oklab)."""
    lab: Array = np.cbrt(_linear(colors) @ _TO_LMS) @ _TO_LAB
    return lab


def _linear(colors: Sequence[Color] | Array) -> Array:
    part = np.asarray(colors, np.float64) / 255
    linear: Array = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    return linear
