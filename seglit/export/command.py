"""`seglit export`: writes a trained network to a file that runs without seglit."""

from pathlib import Path

from seglit.errors import InputError
from seglit.export.exporter import Exporter, describe_proof
from seglit.exported.description import FilePrecision, Size
from seglit.exported.formats import FORMATS, FormatName
from seglit.runs.trusted import packages_of


def export(
    run: str,
    format: FormatName = "onnx",
    precision: FilePrecision = "float32",
    output: str | None = None,
    size: str | None = None,
    probabilities: bool = False,
    max_drop: float = 0.005,
    trust: str | list[str] | None = None,
) -> int:
    """Exports a trained network to a file that takes images as stored and needs no seglit.

    The file is compared with PyTorch before it is kept: pixels at several sizes, then mean IoU on the validation
    split. If it differs, nothing is written.

    Args:
        run: Run folder or checkpoint.
        format: Format of the file.
        precision: Precision of its computation.
        output: File to write; by default RUN/export/PRECISION.SUFFIX.
        size: Height and width of the images, such as 352,480; by default any.
        probabilities: Output class probabilities, which tiles, flips and tests require, instead of class indices.
        max_drop: Largest loss of mean IoU by int8.
        trust: Package or packages whose networks may be loaded besides those of seglit and its libraries: mynet.

    Returns:
        0 if the file was written.

    Raises:
        InputError: The run or an option is invalid, or a package is missing.
        RunError: The network cannot be exported, or the file differs from PyTorch.
    """
    kind = FORMATS[format]
    if precision not in kind.WEIGHTS:
        raise InputError(f"--precision {precision}: {format} has {', '.join(kind.WEIGHTS)}")
    exporter = Exporter(Path(run), _size(size), "probabilities" if probabilities else "mask", packages_of(trust))
    file = Path(output).expanduser() if output else exporter.folder / f"{precision}{kind.SUFFIX}"
    if file.suffix != kind.SUFFIX:
        raise InputError(f"--output {output}: a file of --format {format} ends with {kind.SUFFIX}")
    description = exporter.export(kind, precision, file, max_drop)
    print(describe_proof(description))
    print(f"exported: {file}")
    return 0


def _size(text: str | None) -> Size | None:
    sides = text.split(",") if text else ["1", "1"]
    if len(sides) != 2 or not all(side.strip().isdecimal() and int(side) > 0 for side in sides):
        raise InputError(f"--size {text}: must be height and width in pixels, such as 352,480")
    return (int(sides[0]), int(sides[1])) if text else None
