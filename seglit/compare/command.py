"""`seglit compare`: differences between tested runs, with confidence intervals."""

from pathlib import Path

import msgspec
from rich.console import Console

from seglit.compare.runs import compare_runs
from seglit.compare.text import as_plain, print_comparison
from seglit.errors import InputError
from seglit.runs.tested import read_run
from seglit.runs.trusted import packages_of


def compare(
    runs: list[str], output: str | None = None, json: bool = False, trust: str | list[str] | None = None
) -> int:
    """Compares tested runs: which classes, images and settings differ, by how much, and whether it may be chance.

    Args:
        runs: Run folders, two or more; all are compared with the first.
        output: HTML page to write, such as compare.html: the same with pictures of the largest changes.
        json: Print everything as JSON.
        trust: Package or module whose classes the runs may name, such as mynet or [mynet,mydata]; by default only
            seglit's own, and networks of torch.nn, torchvision, segmentation_models_pytorch and timm.

    Returns:
        0.

    Raises:
        InputError: A folder is not a tested run, the runs cannot be compared, or name code that is not trusted.
    """
    if output is not None and Path(output).suffix != ".html":
        raise InputError(f"--output {output}: must be an HTML file, such as {Path(output).with_suffix('.html')}")
    comparison = compare_runs([read_run(Path(run).expanduser(), packages_of(trust)) for run in runs])
    console = Console(stderr=json)
    if json:
        print(msgspec.json.format(msgspec.json.encode(as_plain(comparison)), indent=1).decode())  # nan is null
    else:
        print_comparison(console, comparison)
    if output is not None:
        from seglit.compare.page import write_comparison

        missing = write_comparison(Path(output), comparison)
        console.print(
            f"page: {output}", *([missing] if missing else []), sep="\n", highlight=False, markup=False, soft_wrap=True
        )
    return 0
