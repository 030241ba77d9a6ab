"""Error regions: the largest of each confusion, and likely label errors."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from msgspec.structs import astuple
from numpy.typing import NDArray

from seglit.evaluation.boundary import F1_WIDTH
from seglit.evaluation.components import PixelRuns
from seglit.evaluation.confused_regions import CODE, CORRECT, ConfusedRegions, RegionFacts, confusions
from seglit.evaluation.image_pair import ImagePair
from seglit.evaluation.outlines import in_pixels
from seglit.metrics import Counts, divide
from seglit.runs.scores import ConfusedPair, ErrorRegion

CONFIDENT = 0.9
"""Minimum probability of a confident prediction."""
_CONFUSIONS = 10
_EXAMPLES = 3  # regions per confusion
_LABEL_ERRORS = 24

_Confidence = NDArray[np.float32]


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
        self._by_code: dict[int, list[ErrorRegion]] = defaultdict(list)  # by confusion
        self._label_errors: list[ErrorRegion] = []

    def update(self, image: ImagePair, confidence: _Confidence, name: str) -> None:
        """Finds the error regions of a whole image without padding.

        Args:
            image: Prediction and target.
            confidence: Probability of the predicted class, float32 (H, W).
            name: The image's name.
        """
        target, preds = image.runs.values
        codes = confusions(target, preds)
        regions = ConfusedRegions(image.runs, codes)
        min_pixels = np.ones(CODE**2, np.int64)
        for code, kept in self._by_code.items():
            min_pixels[code] = _min_pixels(kept, _EXAMPLES)
        by_code = defaultdict(list)
        for facts in regions.describe(regions.largest(_EXAMPLES, min_pixels[regions.codes], regions.codes), confidence):
            by_code[facts.code].append(self._named(name, facts))
        for code, found in by_code.items():
            self._by_code[code] = _largest([*self._by_code[code], *found], _EXAMPLES)

        least = _min_pixels(self._label_errors, _LABEL_ERRORS)
        suspects = [self._named(name, facts) for facts in _find_suspects(image, confidence, codes, regions, least)]
        self._label_errors = _largest([*self._label_errors, *suspects], _LABEL_ERRORS)

    def compute(self) -> tuple[list[ErrorRegion], list[ErrorRegion]]:
        """Returns this rank's largest regions of all confusions, and its likeliest label errors."""
        return [region for regions in self._by_code.values() for region in regions], self._label_errors

    def reset(self) -> None:
        """Removes all regions."""
        self._by_code.clear()
        self._label_errors = []

    def _named(self, image: str, facts: RegionFacts) -> ErrorRegion:
        """Returns a region with the names of its image and classes."""
        target, prediction = (self.class_names[index] for index in divmod(facts.code, CODE))
        return ErrorRegion(image, target, prediction, facts.box, facts.pixels, facts.confidence)


def _find_suspects(
    image: ImagePair, confidence: _Confidence, codes: NDArray[np.uint16], regions: ConfusedRegions, min_pixels: int
) -> Iterator[RegionFacts]:
    """Yields regions of likely label errors with at least `min_pixels`, parts of the regions of all errors."""
    is_far = ~image.target_outlines.near(in_pixels(F1_WIDTH, image.target))
    pixels = np.flatnonzero((image.preds != image.target) & is_far & (confidence >= CONFIDENT))
    runs = image.runs.index.ravel()[pixels]
    region = regions.of_run[runs]
    is_large = np.bincount(region, minlength=1)[region] >= min_pixels
    if is_large.any():
        suspect = np.full(image.target.shape, CORRECT)
        suspect.ravel()[pixels[is_large]] = codes[runs[is_large]]
        suspect_runs = PixelRuns(suspect)
        suspects = ConfusedRegions(suspect_runs, suspect_runs.values[0])
        yield from suspects.describe(suspects.largest(_LABEL_ERRORS, min_pixels), confidence)


def _min_pixels(kept: list[ErrorRegion], count: int) -> int:
    """Returns how large a region has to be to be among the `count` largest, of which some are kept."""
    return kept[-1].pixels if len(kept) == count else 1


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
    return sorted(regions, key=lambda region: (-region.pixels, -(region.confidence or 0), *astuple(region)))[:count]
