"""The schema of `training.json`: epochs, duration and devices of a training."""

from pathlib import Path
from typing import Self

import msgspec

from seglit.errors import InputError
from seglit.images.replacing import replacing

TRAINING_FILE = "training.json"
"""Name of the file in a run folder."""


class Training(msgspec.Struct, frozen=True):
    """Epochs, duration and devices of a training, until the end of its last epoch.

    Args:
        epochs: Number of epochs, including those before it was resumed.
        seconds: Duration, likewise: training and validation, without the test.
        device: Number and name of the devices, as in `1 x CPU`.
    """

    epochs: int
    seconds: float
    device: str

    @property
    def duration(self) -> str:
        """The duration in its two largest units: `1 h 45 min`."""
        minutes, seconds = divmod(round(self.seconds), 60)
        hours, minutes = divmod(minutes, 60)
        if hours:
            return f"{hours} h {minutes} min"
        return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"

    def write(self, folder: Path) -> None:
        """Writes the file to a run folder."""
        with replacing(folder / TRAINING_FILE) as part:
            part.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n")

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Reads the file from a run folder; None if there is none.

        Raises:
            InputError: The file is corrupt.
        """
        file = folder / TRAINING_FILE
        if not file.is_file():
            return None
        try:
            return msgspec.json.decode(file.read_bytes(), type=cls)
        except ValueError as error:  # msgspec's errors, and not UTF-8
            raise InputError(f"{file}: corrupt ({error}); delete it") from error
