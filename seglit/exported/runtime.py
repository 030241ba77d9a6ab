"""Shared by the runtimes of exported files: quantisation, and one-line reasons of their errors."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from seglit.errors import InputError

Run = Callable[[npt.NDArray[Any]], npt.NDArray[np.uint8] | npt.NDArray[np.float32]]
"""Runs an exported network: images (N, C, H, W) as stored in, the file's output out."""


class Quantization(NamedTuple):
    """Calibration data of an int8 network, and the score that limits its loss.

    Args:
        images: Training images (1, C, H, W) as stored.
        score: Returns the mean IoU of a network that returns probabilities.
        max_drop: Largest loss of mean IoU.
    """

    images: list[npt.NDArray[Any]]
    score: Callable[[Run], float]
    max_drop: float


_LONGEST_REASON = 400


def missing(error: ModuleNotFoundError, extra: str) -> InputError:
    """Returns the error for a package that is not installed."""
    return InputError(f"needs the package {error.name!r}: install seglit[{extra}]")


def reason(error: BaseException) -> str:
    """Returns the start of the message of an exporter or runtime, which may fill pages, as one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]} ..."
