"""Colours of runs: readable on both pages, and unlike those of the classes."""

import numpy as np
import pytest

from seglit.drawing.distinct_colors import distances, distinct_colors, luminance
from seglit.labels import Labels


@pytest.mark.parametrize("count", [2, 6, 40])
def test_colors_differ_from_those_of_the_classes(count: int) -> None:
    palette = Labels.create([f"class {index}" for index in range(count)]).palette
    chosen = distinct_colors(26, palette)
    assert len(set(chosen) - set(palette)) == 26
    nearest = distances(chosen, palette)
    assert nearest[0] == distances(distinct_colors(36, palette), palette).max()
    contrast_with_white, contrast_with_dark = 1.05 / (luminance(chosen) + 0.05), (luminance(chosen) + 0.05) / 0.0643
    assert min(contrast_with_white.min(), contrast_with_dark.min()) >= 3  # of WCAG 2, with the cards of the pages


def test_distance_is_that_of_oklab() -> None:
    black, white, red = (0, 0, 0), (255, 255, 255), (255, 0, 0)
    article = float(np.linalg.norm([0.62795536, 0.22486306, 0.1258463]))
    assert distances([white, red], [black]).tolist() == pytest.approx([1, article], abs=1e-5)
    assert distances([white], [black, white]).tolist() == pytest.approx([0], abs=1e-12)
