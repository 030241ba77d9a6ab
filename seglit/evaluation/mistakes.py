"""Where a prediction is wrong: the regions of each confusion, and those that are more likely errors of the labels."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from seglit.evaluation.boundary import F1_WIDTH, Classes, Places, in_pixels, outline_distance
from seglit.labels import IGNORE_INDEX
from seglit.metrics import Counts, divide

SURE = 0.9
"""The probability from which on a network is taken to be sure."""
_CONFUSIONS = 10
_EXAMPLES = 3
_DOUBTS = 24
_CODE = 256  # target * _CODE + prediction

_Pixels = tuple[NDArray[np.intp], NDArray[np.intp]]


class Region(NamedTuple):
    """Connected pixels of one target class and another predicted class.

    Args:
        image: The image's name.
        target: The target's class index.
        prediction: The predicted one.
        box: Left, top, width, height in pixels.
        pixels: How many pixels it has.
        confidence: The mean probability of the predicted class, 0..1.
    """

    image: str
    target: int
    prediction: int
    box: tuple[int, int, int, int]
    pixels: int
    confidence: float


class Confusion(NamedTuple):
    """Pixels of one class that are predicted as another, over a split.

    Args:
        target: The target's class index.
        prediction: The predicted one.
        pixels: How many pixels.
        share: Their share of the target class's pixels.
        cost: What the IoU of the target class would gain were they right: their share of its union.
        regions: The largest region of each of the images where it is largest.
    """

    target: int
    prediction: int
    pixels: int
    share: float
    cost: float
    regions: list[Region]


class ErrorRegions:
    """Keeps the regions of a split that are worth a look; nothing of it is summed, so it is no torchmetrics metric.

    A label error is likely where the network is sure (`SURE`) of another class than the target says, farther from the
    target's outlines than an outline may be off (boundary F1's width): the target there names the wrong class or lacks
    an object, or else the network is sure of a mistake. The more sure pixels a region has, the likelier (Northcutt et
    al., Confident learning, JAIR 2021, count such pairs of label and confident prediction).
    """

    def __init__(self) -> None:
        self._confused: dict[tuple[int, int], list[Region]] = defaultdict(list)
        self._doubtful: list[Region] = []

    def update(self, preds: Tensor, target: Tensor, confidence: Tensor, names: list[str]) -> None:
        """Looks at whole images, unpadded; on the CPU, where OpenCV is.

        Args:
            preds: Predicted class indices, any integer type, (B, H, W).
            target: Class indices of the same shape, any integer type, void = 255.
            confidence: Probability of the predicted class, float32 (B, H, W).
            names: The images' names.
        """
        classes = (each.cpu().numpy().astype(np.uint8) for each in (preds, target))
        for found, true, sure, name in zip(*classes, confidence.cpu().numpy(), names, strict=True):
            wrong = (found != true) & (true != IGNORE_INDEX)
            for pair, places in _split(wrong, true, found):
                kept = self._confused[pair]
                smallest = kept[-1].pixels if len(kept) == _EXAMPLES else 1
                regions = _find_regions(places, smallest, 1, sure, (name, *pair))
                kept[:] = _largest([*kept, *regions], _EXAMPLES)
            far = outline_distance(true) > in_pixels(F1_WIDTH, true)
            for pair, places in _split(wrong & far & (sure >= SURE), true, found):
                smallest = self._doubtful[-1].pixels if len(self._doubtful) == _DOUBTS else 1
                regions = _find_regions(places, smallest, _DOUBTS, sure, (name, *pair))
                self._doubtful = _largest([*self._doubtful, *regions], _DOUBTS)

    def found(self) -> tuple[list[Region], list[Region]]:
        """The largest regions of every confusion, and the likeliest label errors."""
        return [region for regions in self._confused.values() for region in regions], self._doubtful

    def reset(self) -> None:
        """Forgets all."""
        self._confused.clear()
        self._doubtful = []


def most_confused(confusion: Counts, regions: Iterable[Region]) -> list[Confusion]:
    """The confusions that cost their class the most IoU.

    Args:
        confusion: Pixel counts, int64 (C, C), rows the target, columns the prediction.
        regions: Regions of any confusion, from all ranks.
    """
    target, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    union = target + predicted - confusion.diagonal()
    cost = np.nan_to_num(divide(confusion, np.broadcast_to(union[:, np.newaxis], confusion.shape)))
    np.fill_diagonal(cost, 0)
    by_pair = defaultdict(list)
    for region in regions:
        by_pair[region.target, region.prediction].append(region)
    order = np.argsort(-cost, axis=None, kind="stable")[:_CONFUSIONS]
    pairs = [(int(row), int(column)) for row, column in zip(*np.unravel_index(order, cost.shape), strict=True)]
    return [
        Confusion(
            row,
            column,
            int(confusion[row, column]),
            float(confusion[row, column] / target[row]),
            float(cost[row, column]),
            _largest(by_pair[row, column], _EXAMPLES),
        )
        for row, column in pairs
        if cost[row, column] > 0
    ]


def likeliest_label_errors(regions: Iterable[Region]) -> list[Region]:
    """The likeliest label errors of all ranks', in order."""
    return _largest(regions, _DOUBTS)


def _largest(regions: Iterable[Region], count: int) -> list[Region]:
    """The largest in an order that does not depend on the one they come in."""
    return sorted(regions, key=lambda region: (-region.pixels, -region.confidence, *region[:4]))[:count]


def _split(places: Places, true: Classes, found: Classes) -> Iterator[tuple[tuple[int, int], _Pixels]]:
    """Each pair of target and predicted class among some pixels, with the rows and columns of its pixels."""
    rows, columns = np.nonzero(places)
    codes = true[rows, columns].astype(np.uint16) * np.uint16(_CODE) + found[rows, columns]
    order = np.argsort(codes, kind="stable")
    pairs, starts = np.unique(codes[order], return_index=True)
    for pair, pixels in zip(pairs.tolist(), np.split(order, starts[1:]), strict=False):  # no pixel, no pair
        yield divmod(pair, _CODE), (rows[pixels], columns[pixels])


def _find_regions(
    pixels: _Pixels, smallest: int, count: int, sure: NDArray[np.float32], key: tuple[str, int, int]
) -> Iterator[Region]:
    """The largest connected regions of some pixels, none of them below a number of pixels."""
    rows, columns = pixels
    if len(rows) < smallest:
        return
    top, left = int(rows.min()), int(columns.min())
    places = np.zeros((rows.max() - top + 1, columns.max() - left + 1), np.uint8)
    places[rows - top, columns - left] = 1
    _, labels = cv2.connectedComponents(places, connectivity=8)
    areas = np.bincount(labels.ravel())
    largest = np.argsort(-areas[1:], kind="stable")[:count] + 1
    for label in largest[areas[largest] >= smallest].tolist():
        inside = labels == label
        x, y, width, height = cv2.boundingRect(inside.view(np.uint8))
        seen = sure[top : top + inside.shape[0], left : left + inside.shape[1]][inside]
        confidence = round(float(seen.mean(dtype=np.float64)), 4)
        yield Region(*key, (left + x, top + y, width, height), int(areas[label]), confidence)
