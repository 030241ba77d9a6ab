"""`seglit inspect`: pairs of files per second, and what the main process keeps of each."""

import os
import tracemalloc
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from rich.box import MARKDOWN
from rich.table import Table

from benchmarks.input import write_pictures
from seglit.inspect.facts import read_facts
from seglit.inspect.layout import find_layout
from seglit.inspect.read_pairs import read_all
from seglit.inspect.survey import Survey


def measure_inspect(size: tuple[int, int] = (360, 480), images: int = 400, kept: int = 20_000) -> Table:
    """Pairs per second by number of reading processes, and bytes kept per pair.

    Args:
        size: Height and width of the image files.
        images: Number of pairs that are read.
        kept: Number of pairs that are added up to see what stays of each, the list of their names left out.
    """
    table = Table("what", title=f"inspect: JPEG and PNG of {size[0]} x {size[1]}", box=MARKDOWN, title_justify="left")
    table.add_column("", justify="right")
    with TemporaryDirectory() as folder:
        write_pictures(Path(folder), images, size)
        pairs = find_layout(Path(folder)).pairs
        for workers in sorted({1, os.cpu_count() or 1}):
            start = perf_counter()
            survey = Survey(pairs)
            for index, facts in enumerate(read_all(survey, workers)):
                survey.add(index, facts)
            table.add_row(f"pairs/s, {workers} processes", f"{len(pairs) / (perf_counter() - start):,.0f}")
        facts = read_facts(pairs[0])
    image = facts.image
    if image is None:
        raise RuntimeError(facts.image_unreadable)
    survey = Survey(pairs[:1] * 2 * kept)
    tracemalloc.start()
    sizes = []
    for start in (0, kept):  # the first half fills the tables, which do not grow
        for index in range(start, start + kept):
            survey.add(index, replace(facts, image=replace(image, digest=index)))
        sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    table.add_row("bytes kept of a pair beside its name", f"{(sizes[1] - sizes[0]) / kept:,.0f}")
    return table
