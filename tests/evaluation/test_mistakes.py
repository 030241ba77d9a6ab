"""Error regions: the largest of each confusion, and likely label errors."""

from collections import defaultdict

import numpy as np
import pytest
import torch
from msgspec.structs import astuple
from numpy.typing import NDArray

from seglit.evaluation.image_pair import image_pairs
from seglit.evaluation.mistakes import ErrorRegions, likeliest_label_errors, most_confused
from seglit.labels import IGNORE_INDEX
from seglit.runs.scores import ErrorRegion

CLASSES = "abc"
Image = tuple[str, NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float32]]


def find_regions(*images: Image) -> tuple[list[ErrorRegion], list[ErrorRegion]]:
    regions = ErrorRegions(CLASSES)
    for name, preds, target, confidence in images:
        for image in image_pairs(torch.from_numpy(preds)[None], torch.from_numpy(target)[None]):
            regions.update(image, confidence, name)
    return regions.compute()


def scene(name: str, shift: int = 0) -> Image:
    """An image with a shifted edge, a confident object missing in the target, an unconfident one, and one in void."""
    target = np.zeros((100, 100), np.uint8)
    target[:, 50:] = 1
    target[:, 90:] = IGNORE_INDEX
    preds, confidence = target.copy(), np.full(target.shape, 0.95, np.float32)
    preds[target == IGNORE_INDEX] = 1
    preds[:, 50:51] = 0  # the edge is one pixel off: no label error
    preds[10 : 20 + shift, 10:20] = 2  # confident and far from any outline
    preds[40:60, 10:20] = 2
    confidence[40:60, 10:20] = 0.7
    preds[40:60, 92:98] = 2
    return name, preds, target, confidence


def test_label_error_is_a_confident_region_away_from_outlines() -> None:
    _, (label_error,) = find_regions(scene("first"))
    assert astuple(label_error)[:5] == ("first", "a", "c", (10, 10, 10, 10), 100)
    assert label_error.confidence == pytest.approx(0.95, abs=1e-4)


def test_keeps_the_largest_region_per_image_and_confusion() -> None:
    regions, _ = find_regions(*(scene(f"{index}", 10 + index) for index in range(5)))
    by_pair: dict[tuple[str, str], list[ErrorRegion]] = defaultdict(list)
    for region in regions:
        by_pair[region.target, region.prediction].append(region)
    assert [region.image for region in by_pair["a", "c"]] == ["4", "3", "2"]
    assert {region.box for region in by_pair["b", "a"]} == {(50, 0, 1, 100)}
    assert set(by_pair) == {("a", "c"), ("b", "a")}


def test_confusions_are_ranked_by_cost() -> None:
    confusion = np.array([[900, 60, 40], [0, 100, 0], [10, 0, 10]])
    region = ErrorRegion("first", "c", "a", (1, 2, 3, 4), 7, 0.5)
    first, second, third = most_confused(confusion, [region], CLASSES)
    assert (first.target, first.prediction, first.pixels, first.share, first.regions) == ("c", "a", 10, 0.5, [region])
    assert first.cost == 10 / 60  # the union of class 2: 20 in the target, 50 predicted, 10 in both
    assert (second.target, second.prediction, second.cost) == ("a", "b", 60 / 1010)
    assert (third.target, third.prediction, third.cost) == ("a", "c", 40 / 1010)


def test_order_and_ranks_of_images_do_not_matter() -> None:
    images = [scene(f"{index:02}", index % 7) for index in range(40)]
    confusion = np.ones((3, 3), np.int64)
    results = []
    for ranks in ([images], [images[::-1]], [images[::3], images[1::3], images[2::3]]):
        computed = [find_regions(*rank) for rank in ranks]
        regions = [region for regions, _ in computed for region in regions]
        label_errors = [region for _, regions in computed for region in regions]
        results.append((most_confused(confusion, regions, CLASSES), likeliest_label_errors(label_errors)))
    assert results[0] == results[1] == results[2]
    assert len(results[0][1]) == 24


def test_regions_of_equal_size_are_kept_by_confidence() -> None:
    target, preds = np.zeros((40, 40), np.uint8), np.zeros((40, 40), np.uint8)
    confidence = np.full(target.shape, 0.5, np.float32)
    for index in range(9):
        rows = slice(4 * index, 4 * index + 2)
        preds[rows, 10:12] = 1
        confidence[rows, 10:12] = (0.1 * index + 0.1, 0.1 * index + 0.15)
    regions, _ = find_regions(("image", preds, target, confidence))
    assert [(region.box, region.pixels) for region in regions] == [((10, 4 * index, 2, 2), 4) for index in (8, 7, 6)]
    assert [region.confidence for region in regions] == [0.925, 0.825, 0.725]
