"""Videos read frame by frame, with OpenCV, which brings its own decoders."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import cv2
import numpy.typing as npt

from seglit.errors import InputError

SUFFIXES = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm")


def count_frames(path: Path) -> int:
    """How many frames a video says it has; 1 where it says nothing."""
    capture = cv2.VideoCapture(str(path))
    frames = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    capture.release()
    return max(1, frames)


def read_frames(path: Path, skips: Callable[[int], bool]) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    """Reads the frames of a video, upright.

    Args:
        path: The file.
        skips: Whether a frame, counted from 0, is not wanted.

    Returns:
        Each frame's number and its picture (H, W, 3) uint8, RGB.

    Raises:
        InputError: It cannot be decoded, or ends before nine tenths of the frames that it says it has.
    """
    stated = count_frames(path)
    capture = cv2.VideoCapture(str(path))
    try:
        for index in count():
            if not capture.grab():
                if index < 0.9 * stated:  # containers state the number roughly
                    raise InputError(f"{path}: cannot be read as a video beyond frame {index} of {stated}")
                return
            if not skips(index):
                decoded, frame = capture.retrieve()
                if not decoded:
                    raise InputError(f"{path}: frame {index} of {stated} cannot be decoded")
                yield index, cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
    finally:
        capture.release()
