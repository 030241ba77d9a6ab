"""Reads videos frame by frame with OpenCV, whose wheels include the decoders."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import cv2
import numpy.typing as npt

from seglit.errors import InputError

SUFFIXES = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm")


def read_frames(path: Path, skips: Callable[[int], bool]) -> Iterator[tuple[int, int, npt.NDArray[Any]]]:
    """Reads the frames of a video, upright.

    Args:
        path: The file.
        skips: Returns whether to skip the frame with an index, counted from 0.

    Yields:
        Index of each frame, the number of frames that the video states (1 if none), and the image (H, W, 3) uint8 RGB.

    Raises:
        InputError: The video cannot be decoded, or ends before nine tenths of the stated number of frames.
    """
    capture = cv2.VideoCapture(str(path))
    stated = max(1, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
    try:
        for index in count():
            if not capture.grab():
                if index < 0.9 * stated:  # the stated number is approximate
                    raise InputError(f"{path}: cannot be read as a video beyond frame {index} of {stated}")
                return
            if not skips(index):
                decoded, frame = capture.retrieve()
                if not decoded:
                    raise InputError(f"{path}: frame {index} of {stated} cannot be decoded")
                yield index, stated, cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
    finally:
        capture.release()
