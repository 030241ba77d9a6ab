"""Samples the files of a folder of pictures: few values, as in masks, or many, as in images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seglit.errors import InputError
from seglit.images.picture import Picture
from seglit.images.stacks import open_first
from seglit.inspect.mask_edges import outlines
from seglit.inspect.wording import counted

_SAMPLES = 4  # files that are read
_FEW = 32  # values of a mask; more are the noise of JPEG, or blended edges, in a small share of the pixels
_SHARE = 0.9  # of the pixels of a mask have the most frequent of these values
_EQUAL = 0.6  # share of the pixels of a mask that equal the next one; of a dark image, less
_SAME = 0.9  # mean intersection over union of the values of two masks that are nearly the same
_SHOWN = 6


@dataclass(frozen=True)
class Content:
    """What the sampled files of a folder hold.

    Args:
        values: The distinct values; colours as RRGGBB.
        has_few_values: Whether each file has few, as a mask does.
        is_constant: Whether all files are nearly the same, as masks of a camera's field of view are, but no labels.
        is_blurred: Whether most values lie only along edges, as in a smoothed copy of masks.
    """

    values: tuple[str, ...] = ()
    has_few_values: bool = False
    is_constant: bool = False
    is_blurred: bool = False

    def __str__(self) -> str:
        """Description of the content."""
        if not self.values:
            return "no mask that can be read"
        shown = f": {', '.join(self.values)}" if len(self.values) <= _SHOWN else ""
        same = ", nearly the same in every file" if self.is_constant else ""
        return f"{counted(len(self.values), 'value')}{shown}{same}"


def read_content(files: Sequence[Path], opener: Callable[[Path], Picture] = open_first) -> Content:
    """Reads a few of the files, evenly spaced."""
    masks, values, few, blurred = list[npt.NDArray[Any]](), set[int | str](), True, False
    for file in files[:: -(-len(files) // _SAMPLES)]:
        try:
            picture = opener(file)
        except InputError:  # the survey reports it
            continue
        try:
            stored = np.ma.getdata(picture.stored_values())
        except InputError:  # fractions, or more than four bands
            return Content()
        is_color = stored.ndim == 3
        codes = stored @ np.array([1 << 16, 1 << 8, 1]) if is_color else stored
        distinct, inverse, counts = np.unique(codes, return_inverse=True, return_counts=True)
        few = few and _are_few(codes, counts)
        inner = np.unique(inverse.reshape(codes.shape)[~outlines(stored)])
        blurred = blurred or 2 * len(inner) < len(distinct)
        values |= {f"{code:06X}" if is_color else int(code) for code in distinct[: 2**16].tolist()}
        masks.append(codes)
    ordered = sorted(values, key=lambda value: (isinstance(value, str), value))
    constant = len(masks) > 1 and all(_agreement(masks[0], mask) >= _SAME for mask in masks[1:])
    return Content(tuple(map(str, ordered)), few and bool(masks), few and constant, blurred)


def _are_few(codes: npt.NDArray[Any], counts: npt.NDArray[np.intp]) -> bool:
    """Whether a picture has few values, apart from a small share of its pixels."""
    if len(counts) <= _FEW:
        return True
    frequent = np.sort(counts)[-_FEW:].sum() / counts.sum()
    return bool(frequent >= _SHARE and (codes[:, 1:] == codes[:, :-1]).mean() >= _EQUAL)


def _agreement(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> float:
    """Mean intersection over union of the values of two masks; 0 if their sizes differ, or for a single value."""
    values = np.union1d(one, other)[:_FEW]
    if one.shape != other.shape or len(values) < 2:
        return 0.0
    return float(np.mean([((one == v) & (other == v)).sum() / ((one == v) | (other == v)).sum() for v in values]))
