"""`seglit report`: an HTML page about a tested run."""

import sys
from pathlib import Path

from seglit.report.page import write_report
from seglit.runs.tested import read_run


def report(run: str, output: str | None = None) -> int:
    """Writes a page about a tested run: one self-contained HTML file that works offline.

    The images that it shows are read and predicted again; it has none if the data or the checkpoint is missing.

    Args:
        run: Folder of a tested run, as written by `seglit fit` and `seglit test`.
        output: HTML file to write; by default report.html in the run folder.

    Raises:
        InputError: The run does not exist or was not tested.
    """
    tested = read_run(Path(run).expanduser())
    path = Path(output).expanduser() if output else tested.folder / "report.html"
    for line in write_report(path, tested):
        print(f"not shown: {line}", file=sys.stderr)
    print(f"report: {path}")
    return 0
