"""`seglit report`: an HTML page about a tested run."""

import sys
from pathlib import Path

from seglit.runs.scores import REPORT_FILE
from seglit.runs.tested import read_run
from seglit.runs.trusted import packages_of


def report(run: str, output: str | None = None, trust: str | list[str] | None = None) -> int:
    """Writes a page about a tested run: one self-contained HTML file that works offline.

    The images that it shows are read and predicted again; it has none if the data or the checkpoint is missing.

    Args:
        run: Folder of a tested run, as written by `seglit fit` and `seglit test`.
        output: HTML file to write; by default report.html in the run folder.
        trust: Package or module whose classes the run may name, such as mynet or [mynet,mydata]; by default only
            seglit's own, and networks of torch.nn, torchvision, segmentation_models_pytorch and timm.

    Raises:
        InputError: The run does not exist, was not tested, or names code that is not trusted.
    """
    tested = read_run(Path(run).expanduser(), packages_of(trust))
    from seglit.report.page import write_report

    path = Path(output).expanduser() if output else tested.folder / REPORT_FILE
    for line in write_report(path, tested):
        print(f"not shown: {line}", file=sys.stderr)
    print(f"report: {path}")
    return 0
