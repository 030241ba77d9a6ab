"""The logger that writes `metrics.csv`."""

import csv
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from seglit.errors import InputError
from seglit.images.replacing import replacing
from seglit.runs.resume import Progress


class MetricsFile(Logger):
    """Appends logged values to `metrics.csv`: a row per call, a column per name, sorted by name.

    A resumed run continues its file. Rows that were written after the checkpoint are removed, since they are logged
    again, so that the file ends as that of an uninterrupted run. It is replaced as a whole when a column is added.

    Args:
        folder: The run folder.
        progress: How far the run was at the checkpoint.
    """

    def __init__(self, folder: Path, progress: Progress) -> None:
        super().__init__()
        self.file = folder / "metrics.csv"
        self.progress = progress
        self._columns: list[str] | None = None  # unknown until the first row

    @property
    def name(self) -> str:
        """No sub-folder."""
        return ""

    @property
    def version(self) -> str:
        """No sub-folder."""
        return ""

    @property
    def save_dir(self) -> str:
        """The run folder, which Lightning takes as the folder of all logs."""
        return str(self.file.parent)

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Writes nothing: `config.yaml` is complete."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Writes one row.

        Raises:
            InputError: The file cannot be written.
        """
        row = {**metrics, "step": step}
        if self._columns is None:
            self._replace([*takewhile(self._precedes_checkpoint, self._rows()), row])
        elif row.keys() <= set(self._columns):
            self._append(row, self._columns)
        else:
            self._replace([*self._rows(), row])

    def _precedes_checkpoint(self, row: Mapping[str, str]) -> bool:
        step, last = int(row["step"]), self.progress.steps
        is_scored = any(name.startswith("val/") for name in row)
        return step < last or (self.progress.validates and step == last and not is_scored)

    def _append(self, row: Mapping[str, Any], columns: Sequence[str]) -> None:
        try:
            with self.file.open("a", newline="", encoding="utf-8") as file:
                csv.DictWriter(file, columns).writerow(row)
        except OSError as error:
            raise InputError(f"{self.file}: cannot be written ({error.strerror or error})") from error

    def _rows(self) -> list[dict[str, str]]:
        """The rows of the file without empty cells, and without a last row that an interruption cut off."""
        if not self.file.is_file():
            return []
        with self.file.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(line for line in file if line.endswith("\n"))
            return [{name: value for name, value in row.items() if value} for row in rows]

    def _replace(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._columns = sorted({name for row in rows for name in row})
        with replacing(self.file) as unfinished, unfinished.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self._columns)
            writer.writeheader()
            writer.writerows(rows)
