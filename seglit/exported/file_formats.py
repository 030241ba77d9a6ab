"""The formats by name, and which one a file is in."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, cast

import torch

from seglit.exported import onnx_format, openvino_format, pt2_format
from seglit.exported.choices import FilePrecision, FormatName, Output
from seglit.exported.graph import Graph
from seglit.exported.runtime import Quantization, Run


class Format(Protocol):
    """The module of a format: how its files are written, described and run."""

    SUFFIX: str
    WEIGHTS: dict[FilePrecision, torch.dtype]

    @staticmethod
    def write(graph: Graph, files: Mapping[Output, Path], quantization: Quantization | None, /) -> None:
        """Writes one file for each output."""

    @staticmethod
    def parts(file: Path) -> list[Path]:
        """Returns the files that a model consists of."""

    @staticmethod
    def describe(file: Path, text: str) -> None:
        """Stores the description in a file."""

    @staticmethod
    def read(file: Path) -> str | None:
        """Reads the description of a file; None if it has none."""

    @staticmethod
    def load(file: Path, precision: FilePrecision, /) -> Run:
        """Loads a file."""

    @staticmethod
    def runtime(file: Path, /) -> str:
        """Name and version of what runs a file."""


FORMATS: dict[FormatName, Format] = {
    "onnx": cast(Format, onnx_format),
    "openvino": cast(Format, openvino_format),
    "pt2": cast(Format, pt2_format),
}


def format_of(file: Path) -> Format | None:
    """Returns the format of a file by its suffix; None if it is no exported file."""
    return next((known for known in FORMATS.values() if file.suffix.lower() == known.SUFFIX), None)
