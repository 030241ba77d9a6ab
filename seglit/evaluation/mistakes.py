"""Error regions: the largest of each confusion, and likely label errors."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np
from msgspec.structs import astuple
from numpy.typing import NDArray
from torch import Tensor

from seglit.evaluation.boundary import F1_WIDTH, Classes, Mask, image_pairs, in_pixels, outline_distance
from seglit.metrics import Counts, divide
from seglit.runs.scores import ConfusedPair, ErrorRegion

CONFIDENT = 0.9
"""Minimum probability of a confident prediction."""
_CONFUSIONS = 10
_EXAMPLES = 3  # regions per confusion
_LABEL_ERRORS = 24
_CODE = 256  # target * _CODE + prediction

_Pair = tuple[str, str]  # target and predicted class
_Pixels = tuple[NDArray[np.intp], NDArray[np.intp]]


class ErrorRegions:
    """Keeps a split's largest error regions per confusion and its likeliest label errors.

    A label error is likely where the network confidently (`CONFIDENT`) predicts another class, farther from the
    target's outlines than boundary F1's tolerance: there the target has a wrong class or misses an object, or else the
    network is confidently wrong. The more confident pixels a region has, the likelier is a label error (Northcutt et
    al., Confident learning, JAIR 2021, count such pairs of label and confident prediction).

    It is no torchmetrics metric, because regions cannot be summed.

    Args:
        class_names: The class names.
    """

    def __init__(self, class_names: Sequence[str]) -> None:
        self.class_names = class_names
        self._by_pair: dict[_Pair, list[ErrorRegion]] = defaultdict(list)
        self._label_errors: list[ErrorRegion] = []

    def update(self, preds: Tensor, target: Tensor, confidence: Tensor, names: list[str]) -> None:
        """Finds the error regions of whole images without padding, on the CPU with OpenCV.

        Args:
            preds: Predicted class indices, any integer type, (B, H, W).
            target: Class indices, same shape, any integer type, void 255.
            confidence: Probability of the predicted class, float32 (B, H, W).
            names: The images' names.
        """
        images = zip(image_pairs(preds, target), confidence.cpu().numpy(), names, strict=True)
        for (image_preds, image_target), image_confidence, name in images:
            wrong = image_preds != image_target
            for pair, pixels in self._split_by_pair(wrong, image_preds, image_target):
                kept = self._by_pair[pair]
                min_pixels = kept[-1].pixels if len(kept) == _EXAMPLES else 1
                regions = _find_regions(pixels, min_pixels, 1, image_confidence, (name, *pair))
                kept[:] = _largest([*kept, *regions], _EXAMPLES)
            far = outline_distance(image_target) > in_pixels(F1_WIDTH, image_target)
            suspect = wrong & far & (image_confidence >= CONFIDENT)
            for pair, pixels in self._split_by_pair(suspect, image_preds, image_target):
                min_pixels = self._label_errors[-1].pixels if len(self._label_errors) == _LABEL_ERRORS else 1
                regions = _find_regions(pixels, min_pixels, _LABEL_ERRORS, image_confidence, (name, *pair))
                self._label_errors = _largest([*self._label_errors, *regions], _LABEL_ERRORS)

    def compute(self) -> tuple[list[ErrorRegion], list[ErrorRegion]]:
        """Returns this rank's largest regions of all confusions, and its likeliest label errors."""
        return [region for regions in self._by_pair.values() for region in regions], self._label_errors

    def reset(self) -> None:
        """Removes all regions."""
        self._by_pair.clear()
        self._label_errors = []

    def _split_by_pair(self, mask: Mask, preds: Classes, target: Classes) -> Iterator[tuple[_Pair, _Pixels]]:
        """Yields each pair of target and predicted class within a mask, with the rows and columns of its pixels."""
        rows, columns = np.nonzero(mask)
        codes = target[rows, columns].astype(np.uint16) * np.uint16(_CODE) + preds[rows, columns]
        order = np.argsort(codes, kind="stable")
        pairs, starts = np.unique(codes[order], return_index=True)
        for pair, pixels in zip(pairs.tolist(), np.split(order, starts[1:]), strict=False):  # an empty mask has no pair
            names = self.class_names[pair // _CODE], self.class_names[pair % _CODE]
            yield names, (rows[pixels], columns[pixels])


def most_confused(confusion: Counts, regions: Iterable[ErrorRegion], class_names: Sequence[str]) -> list[ConfusedPair]:
    """Returns the confusions that cost their target class the most IoU.

    Args:
        confusion: Pixel counts, int64 (C, C), rows target, columns prediction.
        regions: Regions of any confusion, from all ranks.
        class_names: One name per class.
    """
    target, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    union = target + predicted - confusion.diagonal()
    cost = np.nan_to_num(divide(confusion, union[:, np.newaxis]))
    np.fill_diagonal(cost, 0)
    by_pair = defaultdict(list)
    for region in regions:
        by_pair[region.target, region.prediction].append(region)
    order = np.argsort(-cost, axis=None, kind="stable")[:_CONFUSIONS]
    pairs = [(int(row), int(column)) for row, column in zip(*np.unravel_index(order, cost.shape), strict=True)]
    return [
        ConfusedPair(
            class_names[row],
            class_names[column],
            int(confusion[row, column]),
            float(confusion[row, column] / target[row]),
            float(cost[row, column]),
            _largest(by_pair[class_names[row], class_names[column]], _EXAMPLES),
        )
        for row, column in pairs
        if cost[row, column] > 0
    ]


def likeliest_label_errors(regions: Iterable[ErrorRegion]) -> list[ErrorRegion]:
    """Returns the likeliest label errors among those of all ranks, likeliest first."""
    return _largest(regions, _LABEL_ERRORS)


def _largest(regions: Iterable[ErrorRegion], count: int) -> list[ErrorRegion]:
    """Returns the largest regions, independent of the input order."""
    return sorted(regions, key=lambda region: (-region.pixels, -region.confidence, *astuple(region)))[:count]


def _find_regions(
    pixels: _Pixels, min_pixels: int, count: int, confidence: NDArray[np.float32], key: tuple[str, str, str]
) -> Iterator[ErrorRegion]:
    """Yields the `count` largest connected components of some pixels that have at least `min_pixels`."""
    rows, columns = pixels
    if len(rows) < min_pixels:
        return
    top, left = int(rows.min()), int(columns.min())
    mask = np.zeros((rows.max() - top + 1, columns.max() - left + 1), np.uint8)
    mask[rows - top, columns - left] = 1
    _, labels = cv2.connectedComponents(mask, connectivity=8)
    areas = np.bincount(labels.ravel())
    largest = np.argsort(-areas[1:], kind="stable")[:count] + 1
    for label in largest[areas[largest] >= min_pixels].tolist():
        region = labels == label
        x, y, width, height = cv2.boundingRect(region.view(np.uint8))
        values = confidence[top : top + region.shape[0], left : left + region.shape[1]][region]
        mean = round(float(values.mean(dtype=np.float64)), 4)
        yield ErrorRegion(*key, (left + x, top + y, width, height), int(areas[label]), mean)
