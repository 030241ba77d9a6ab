"""Writes the file or bundle that the options of `seglit export` ask for."""

from pathlib import Path
from typing import Literal

from seglit.errors import InputError
from seglit.export.best import export_best
from seglit.export.exporter import Exporter
from seglit.exported.choices import FilePrecision, FormatName
from seglit.exported.description import Proof
from seglit.exported.file_formats import FORMATS
from seglit.runs.scores import remove_scores, score_folder


def write_requested(
    exporter: Exporter,
    format: FormatName | Literal["bundle"],
    precision: FilePrecision | Literal["best"],
    output: str | None,
    max_drop: float,
) -> tuple[Path, list[Path], Proof]:
    """Writes a file or bundle as the options of the command state it; removes the scores of a file that it replaces.

    Returns:
        The file or folder, all files that it consists of, and the proof.

    Raises:
        InputError: The options exclude each other, the format lacks the precision, or the name has another suffix; see
            `Exporter.export`.
        RunError: See `Exporter.export`.
    """
    target = Path(output).expanduser() if output else None
    if format == "bundle":
        if precision != "float32" or exporter.size or exporter.output != "mask":
            raise InputError("--format bundle contains the network: without --precision, --size and --probabilities")
        folder = target or exporter.folder / "bundle"
        proof = exporter.export_bundle(folder)
        return folder, sorted(folder.iterdir()), proof
    kind = FORMATS[format]
    if precision not in (*kind.WEIGHTS, "best"):
        raise InputError(f"--precision {precision}: {format} has {', '.join(kind.WEIGHTS)}")
    file = target or exporter.folder / f"{precision}{kind.SUFFIX}"
    if file.suffix != kind.SUFFIX:
        raise InputError(f"--output {output}: a file of --format {format} ends with {kind.SUFFIX}")
    if precision == "best":
        proof = export_best(exporter, kind, file, max_drop)
    else:
        proof = exporter.export(kind, precision, file, max_drop)
    remove_scores(score_folder(file))
    return file, [*kind.parts(file), file.with_suffix(f"{file.suffix}.json")], proof
