"""Connected components of all values at once match SciPy's labelling of one value after another."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import label

from seglit.evaluation.components import PixelRuns

SHAPES = [(1, 1), (1, 9), (9, 1), (2, 2), (7, 5), (30, 41)]


def maps(seed: int, shape: tuple[int, int], num_values: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    generator = np.random.default_rng(seed)
    first = generator.integers(num_values, size=shape).astype(np.uint8)
    second = np.where(generator.random(shape) < 0.7, first, generator.integers(num_values, size=shape)).astype(np.uint8)
    return first, second


def reference(values: NDArray[np.integer]) -> set[frozenset[int]]:
    """The flat indices of each component's pixels."""
    found = set()
    for value in np.unique(values):
        labels, count = label(values == value, np.ones((3, 3)))
        found |= {frozenset(np.flatnonzero(labels == index).tolist()) for index in range(1, count + 1)}
    return found


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("num_values", [1, 2, 3, 8])
def test_components_equal_labelling_each_value(shape: tuple[int, int], num_values: int) -> None:
    for seed in range(5):
        first, second = maps(seed, shape, num_values)
        runs = PixelRuns(first, second)
        of_first, of_second = runs.values
        both = first.astype(np.uint16) * np.uint16(256) + second
        for image, values in ((first, of_first), (second, of_second), (both, both.ravel()[runs.first])):
            components = runs.connect(values)
            count = components.max() + 1
            pixels = [runs.pixels(np.flatnonzero(components == index)).tolist() for index in range(count)]
            assert {frozenset(part) for part in pixels} == reference(image)
            assert [part[0] for part in pixels] == sorted(part[0] for part in pixels)  # numbered in raster order
            assert all(part == sorted(part) for part in pixels)
