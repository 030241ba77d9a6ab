"""`--precision best`: exports in every precision of a format and keeps the fastest file whose score holds."""

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from seglit.errors import InputError, RunError, one_line
from seglit.export.exporter import Exporter
from seglit.exported.choices import FilePrecision
from seglit.exported.description import Proof
from seglit.exported.file_formats import Format


def export_best(exporter: Exporter, format: Format, file: Path, max_drop: float) -> Proof:
    """Exports in every precision, prints size, latency and mean IoU of each, and keeps the fastest.

    Args:
        exporter: The run.
        format: Format of the file.
        file: The file to keep.
        max_drop: Largest loss of mean IoU.

    Raises:
        InputError: See `Exporter.check_resize`.
        RunError: No precision is within the limit.
    """
    exporter.check_resize()
    with TemporaryDirectory() as folder:
        kept: dict[FilePrecision, Proof] = {}
        for precision in format.WEIGHTS:
            part = Path(folder, precision, file.name)
            try:
                proof = exporter.export(format, precision, part, max_drop)
            except (RunError, InputError) as error:  # that it differs, or that int8 has no data
                print(f"{precision}: {one_line(error)}", file=sys.stderr)
                continue
            size = sum(path.stat().st_size for path in format.parts(part))
            scores = proof.validation
            score = f"mean IoU {scores.miou:.4f}" if scores else "mean IoU unknown"
            print(f"{precision}: {size / 1e6:.2f} MB, {1000 * proof.seconds:.1f} ms, {score}")
            if scores is None or scores.miou_pytorch - scores.miou <= max_drop:
                kept[precision] = proof
        if not kept:
            raise RunError(f"{file}: not written: no precision is within --max_drop {max_drop:g}")
        best = min(kept, key=lambda precision: kept[precision].seconds)
        file.parent.mkdir(parents=True, exist_ok=True)
        for part in Path(folder, best).iterdir():
            shutil.move(part, file.parent / part.name)
        print(f"kept {best}")
        return kept[best]
