"""Wrong regions: the largest of each confusion, and where the label is likelier wrong than the prediction."""

from collections import defaultdict

import numpy as np
import torch
from numpy.typing import NDArray

from seglit.evaluation.mistakes import ErrorRegions, Region, likeliest_label_errors, most_confused
from seglit.labels import IGNORE_INDEX

Image = tuple[str, NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float32]]


def look_at(*images: Image) -> ErrorRegions:
    regions = ErrorRegions()
    for name, preds, target, sure in images:
        found, true, confidence = (torch.from_numpy(each)[None] for each in (preds, target, sure))
        regions.update(found, true, confidence, [name])
    return regions


def scene(name: str, shift: int = 0) -> Image:
    """A wall of class 1 in class 0 whose edge is met badly, a missed object, an unsure one, and one in void."""
    target = np.zeros((100, 100), np.uint8)
    target[:, 50:] = 1
    target[:, 90:] = IGNORE_INDEX
    preds, sure = target.copy(), np.full(target.shape, 0.95, np.float32)
    preds[target == IGNORE_INDEX] = 1
    preds[:, 50:51] = 0  # the edge, a pixel off: no label error
    preds[10 : 20 + shift, 10:20] = 2  # sure, and far from any outline
    preds[40:60, 10:20] = 2
    sure[40:60, 10:20] = 0.7
    preds[40:60, 92:98] = 2
    return name, preds, target, sure


def test_a_label_error_is_a_sure_region_away_from_outlines() -> None:
    _, doubtful = look_at(scene("a")).found()
    (found,) = doubtful
    assert found[:5] == ("a", 0, 2, (10, 10, 10, 10), 100)
    assert abs(found.confidence - 0.95) < 1e-4


def test_the_largest_region_of_an_image_stands_for_a_confusion() -> None:
    confused, _ = look_at(*(scene(f"{place}", 10 + place) for place in range(5))).found()
    by_pair: dict[tuple[int, int], list[Region]] = defaultdict(list)
    for region in confused:
        by_pair[region.target, region.prediction].append(region)
    assert [region.image for region in by_pair[0, 2]] == ["4", "3", "2"]
    assert {region.box for region in by_pair[1, 0]} == {(50, 0, 1, 100)}
    assert set(by_pair) == {(0, 2), (1, 0)}


def test_confusions_are_ranked_by_what_they_cost() -> None:
    confusion = np.array([[900, 60, 40], [0, 100, 0], [10, 0, 10]])
    region = Region("a", 2, 0, (1, 2, 3, 4), 7, 0.5)
    first, second, third = most_confused(confusion, [region])
    assert (first.target, first.prediction, first.pixels, first.share, first.regions) == (2, 0, 10, 0.5, [region])
    assert first.cost == 10 / 60  # of the union of class 2: 20 in the target, 50 predicted, 10 of them the same
    assert (second.target, second.prediction, second.cost) == (0, 1, 60 / 1010)
    assert (third.target, third.prediction, third.cost) == (0, 2, 40 / 1010)


def test_neither_the_order_nor_the_ranks_of_images_matter() -> None:
    images = [scene(f"{place:02}", place % 7) for place in range(40)]
    confusion = np.ones((3, 3), np.int64)
    results = []
    for parts in ([images], [images[::-1]], [images[::3], images[1::3], images[2::3]]):
        founds = [look_at(*part).found() for part in parts]
        confused = [region for found, _ in founds for region in found]
        doubtful = [region for _, found in founds for region in found]
        results.append((most_confused(confusion, confused), likeliest_label_errors(doubtful)))
    assert results[0] == results[1] == results[2]
    assert len(results[0][1]) == 24
