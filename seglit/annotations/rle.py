"""Run-length encodings of COCO and CVAT: alternating numbers of pixels outside and inside, starting outside."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]


def decode_runs(counts: Iterable[int], num_pixels: int) -> Mask:
    """Returns the pixels (num_pixels,) of runs.

    Raises:
        ValueError: The runs are not counts, or their sum is not the number of pixels.
        TypeError: Likewise.
    """
    runs = np.asarray(counts)
    if runs.ndim != 1 or (len(runs) and runs.dtype.kind not in "iu"):
        raise TypeError(f"its counts are {counts!r:.40}")
    if (runs < 0).any():
        raise ValueError(f"its counts contain {runs.min()}")
    if (total := int(runs.sum())) != num_pixels or (runs > num_pixels).any():
        raise ValueError(f"its counts sum to {total} pixels, but the image has {num_pixels}")
    pixels: Mask = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return pixels


def encode_runs(pixels: Mask) -> Counts:
    """Returns the runs of pixels (N,)."""
    changes = np.flatnonzero(np.diff(pixels)) + 1
    edges = np.array([0, *([0] if len(pixels) and pixels[0] else []), *changes, len(pixels)], np.int64)
    runs: Counts = edges[1:] - edges[:-1]
    return runs


def parse_counts(text: str) -> Counts:
    """Returns the runs of COCO's compressed form (pycocotools 2.0, maskApi.c, rleFrString).

    Each run is a signed number in digits of 5 bits, lowest first; from the fourth run on, it is the difference from
    the run two before it.

    Raises:
        ValueError: The text is not a compressed run-length encoding.
    """
    codes = np.frombuffer(text.encode(), np.uint8).astype(np.int64) - 48
    ends = np.flatnonzero((codes & 32) == 0)
    starts = np.concatenate([[0], ends[:-1] + 1])
    whole = len(codes) > 0 and ends[-1:] == len(codes) - 1
    if not whole or codes.min() < 0 or codes.max() > 63 or (ends - starts).max() > 6:
        raise ValueError(f"{text!r:.40} is not a run-length encoding")
    digit = np.arange(len(codes)) - np.repeat(starts, ends - starts + 1)
    runs: Counts = np.add.reduceat((codes & 31) << 5 * digit, starts)
    runs -= ((codes[ends] & 16) > 0) << 5 * (digit[ends] + 1)
    for first in (1, 2):
        runs[first::2] = runs[first::2].cumsum()
    return runs


def format_counts(runs: Counts) -> str:
    """Returns COCO's compressed form of runs; inverse of `parse_counts`."""
    numbers = runs.copy()
    numbers[3:] -= runs[1:-2]
    text = []
    for number in numbers.tolist():
        rest = number
        while True:
            digit, rest = rest & 31, rest >> 5
            more = rest != (-1 if digit & 16 else 0)
            text.append(chr(48 + digit + 32 * more))
            if not more:
                break
    return "".join(text)


def decode_columns(counts: Iterable[int], height: int, width: int) -> Mask:
    """Returns the mask (H, W) of runs in COCO's order, column by column; see `decode_runs`."""
    return decode_runs(counts, height * width).reshape(width, height).T


def encode_columns(mask: Mask) -> Counts:
    """Returns the runs of a mask (H, W) in COCO's order, column by column."""
    return encode_runs(mask.T.ravel())
