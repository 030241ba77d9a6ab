"""Charts of the pages."""

import re

from seglit.drawing.charts import draw_sizes


def test_labels_of_near_sizes_do_not_overlap() -> None:
    sizes = {(480, 640): 50, (482, 642): 40, (500, 640): 30, (1000, 1500): 9, (960, 1440): 8, (300, 200): 3}
    shown = re.findall(r"\d+ x \d+: \d+", draw_sizes(sizes, (256, 256)))
    assert shown == ["480 x 640: 50", "1000 x 1500: 9", "300 x 200: 3"]
