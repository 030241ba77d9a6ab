"""The drawn confusion matrix: correct cells are blue, wrong ones red."""

import numpy as np
import pytest

from seglit.drawing.confusion import draw_confusion


@pytest.mark.parametrize("count", [1, 2, 30])
def test_correct_cells_are_blue_and_wrong_ones_red(count: int) -> None:
    confusion = np.diag(np.full(count, 10))
    names = [f"class {index}" for index in range(count)]
    correct, wrong = (np.asarray(draw_confusion(m, names), int) for m in (confusion, np.roll(confusion, 1, axis=1)))
    blue, red = ((picture[..., 2] - picture[..., 0]) > 60 for picture in (correct, correct[..., ::-1]))
    assert blue.any()
    assert not red.any()
    assert (wrong[..., 0] - wrong[..., 2] > 60).any() == (count > 1)
