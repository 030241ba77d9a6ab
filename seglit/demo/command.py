"""`seglit demo`: a page that predicts the pictures dropped on it."""

from pathlib import Path

from seglit.demo.static_folder import write_static
from seglit.errors import InputError
from seglit.export.exporter import describe_proof
from seglit.runs.trusted import packages_of


def demo(run: str, static: str | None = None, examples: int | None = None, trust: str | list[str] | None = None) -> int:
    """Makes a page that predicts the pictures dropped on it: image, mask, overlay, and probabilities of a pixel.

    Args:
        run: Run folder or checkpoint.
        static: New folder for a page that predicts in the browser alone, from any web server.
        examples: Number of test images to choose from; by default none, as the folder may be published.
        trust: Package or packages whose networks may be loaded besides those of seglit and its libraries: mynet.

    Raises:
        InputError: The run or an option is invalid, or a package is missing.
        RunError: The network cannot be exported.
    """
    if examples is not None and examples < 0:
        raise InputError(f"--examples {examples}: must be 0 or more")
    if static is None:
        raise InputError("--static FOLDER is missing")
    folder = Path(static).expanduser()
    print(describe_proof(write_static(Path(run), folder, examples or 0, packages_of(trust))))
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(f"demo: {folder} ({size / 2**20:.0f} MiB); to see it: python -m http.server --directory {folder}")
    return 0
