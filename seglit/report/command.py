"""`seglit report`: what a tested run came to, on a page."""

import sys
from pathlib import Path

from seglit.report.page import write_page
from seglit.runs.tested import read_run


def report(run: str, output: str | None = None) -> int:
    """Writes a page about a run that was tested: one HTML file that needs no other and no network.

    The images that it shows are read and predicted anew; where the data or the checkpoint is gone there are none.

    Args:
        run: Folder of a run that was tested, as `seglit fit` and `seglit test` leave it.
        output: The page's file; by default report.html in the run's folder.

    Raises:
        InputError: There is no such run, or it was not tested.
    """
    tested = read_run(Path(run).expanduser())
    path = Path(output).expanduser() if output else tested.folder / "report.html"
    for line in write_page(tested, path):
        print(f"not shown: {line}", file=sys.stderr)
    print(f"report: {path}")
    return 0
