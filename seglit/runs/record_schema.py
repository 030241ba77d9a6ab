"""The schema of the record that `seglit fit` adds to checkpoints, which may be a stranger's."""

import math
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from seglit.errors import InputError
from seglit.images.scaling import check_resize
from seglit.labels import IGNORE_INDEX
from seglit.runs.plain_data import check_plain

_Byte = Annotated[int, Meta(ge=0, le=255)]
_Color = tuple[_Byte, _Byte, _Byte]
_Positive = Annotated[float, Meta(gt=0)]


class _Labels(msgspec.Struct):
    class_names: Annotated[list[str], Meta(min_length=1, max_length=IGNORE_INDEX)]
    palette: list[_Color]
    values: list[tuple[int | _Color, _Byte]]  # int with limits, in a union with a tuple, crashes msgspec 0.22
    tolerance: Annotated[int, Meta(ge=0)] = 0


class _Normalization(msgspec.Struct, forbid_unknown_fields=True):
    mean: Annotated[list[float], Meta(min_length=1)]
    std: Annotated[list[_Positive], Meta(min_length=1)]
    scale: _Positive = 255.0


class _Network(msgspec.Struct):
    class_path: str
    init_args: dict[str, Any] = {}


class _Record(msgspec.Struct):
    version: str
    network: _Network
    labels: _Labels
    normalization: _Normalization
    nodata: list[float] = []
    resize: float | tuple[int, int] | None = None  # without limits, as above

    def check(self) -> None:
        """Checks that the parts fit each other.

        Raises:
            ValueError: They do not.
        """
        labels, normalization = self.labels, self.normalization
        classes = range(len(labels.class_names))
        channels = self.network.init_args.get("in_channels", 3)
        if len(labels.palette) != len(classes) or len({*labels.class_names}) != len(classes):
            raise ValueError("its class names are not unique, or not as many as its colours")
        if {index for _, index in labels.values} - {IGNORE_INDEX} != {*classes}:
            raise ValueError("its stored values are not those of its classes")
        if len({type(value) for value, _ in labels.values}) != 1:
            raise ValueError("its stored values are integers and colours")
        if any(isinstance(value, int) and abs(value) > 2**62 for value, _ in labels.values):
            raise ValueError("a stored value is too large")
        if not isinstance(channels, int) or channels < 1:
            raise ValueError(f"in_channels is {channels!r}")
        if not {len(normalization.mean), len(normalization.std), len(self.nodata) or 1} <= {1, channels}:
            raise ValueError(f"its mean, std or nodata are not of {channels} channels")
        check_resize(self.resize)
        if not all(map(math.isfinite, (*normalization.mean, *normalization.std, normalization.scale))):
            raise ValueError("its mean or std is not finite")


def check_record(data: object, file: Path) -> None:
    """Checks the plain data of a record.

    Raises:
        InputError: It is not such a record.
    """
    check_plain(data, f"{file}: its record")
    try:
        msgspec.convert(data, _Record).check()
    except ValueError as error:  # msgspec's ValidationError is one
        raise InputError(f"{file}: not a seglit checkpoint, or damaged ({error})") from error
