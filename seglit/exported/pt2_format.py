"""PyTorch's own files: native code by AOTInductor where there is a C++ compiler, else the graph of torch.export.

Either runs code of the file, or unpickles it, so that they are loaded only if they are trusted.
"""

import os
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch

from seglit.errors import InputError, RunError
from seglit.exported.choices import FilePrecision, Output
from seglit.exported.graph import Graph, trace
from seglit.exported.runtime import Quantization, Run, reason

SUFFIX = ".pt2"
WEIGHTS: dict[FilePrecision, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
"""Precisions, and the type of the weights in each."""
_DESCRIPTION = "seglit/description.json"
_NATIVE = "data/aotinductor"


def write(graph: Graph, files: Mapping[Output, Path], _: Quantization | None) -> None:
    """Writes one file for each output.

    Raises:
        RunError: The network cannot be exported.
    """
    from torch._inductor import aoti_compile_and_package  # slow to import

    compiler = shutil.which(os.environ.get("CXX", "g++"))
    for output, file in files.items():
        graph.output = output
        program = trace(graph)
        try:
            if compiler:
                aoti_compile_and_package(program, package_path=str(file))
            else:
                torch.export.save(program, file)
        except Exception as error:
            raise RunError(f"AOTInductor cannot compile {graph.architecture} ({reason(error)})") from error


def parts(file: Path) -> list[Path]:
    """Returns the files that a model consists of."""
    return [file]


def describe(file: Path, text: str) -> None:
    """Stores the description in a file."""
    old = file.with_suffix(".old")
    file.replace(old)
    with zipfile.ZipFile(old) as source, zipfile.ZipFile(file, "w") as target:
        names = source.namelist()
        root = names[0].partition("/")[0]
        for name in names:
            if not name.endswith(_DESCRIPTION):
                target.writestr(source.getinfo(name), source.read(name))
        target.writestr(f"{root}/{_DESCRIPTION}", text)
    old.unlink()


def read(file: Path) -> str | None:
    """Reads the description of a file, without loading the network; None if it has none.

    Raises:
        InputError: The file is not an archive.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            found = [name for name in archive.namelist() if name.endswith(_DESCRIPTION)]
            return archive.read(found[0]).decode() if found else None
    except (zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise InputError(f"{file}: not a file of PyTorch ({error})") from error


def load(file: Path, _: FilePrecision) -> Run:
    """Loads a file, which may run code of its own.

    Raises:
        InputError: The file is not of PyTorch, or of another version.
    """
    from torch._inductor import aoti_load_package

    try:
        network = aoti_load_package(str(file)) if _is_native(file) else torch.export.load(file).module()
    except Exception as error:
        raise InputError(f"{file}: PyTorch cannot load it ({reason(error)})") from error

    @torch.no_grad()
    def run(images: npt.NDArray[Any]) -> npt.NDArray[Any]:
        (output,) = network(torch.from_numpy(images))
        array: npt.NDArray[Any] = output.numpy()
        return array

    return run


def runtime(file: Path) -> str:
    """Version of PyTorch, and whether a file contains native code or the graph."""
    return f"PyTorch {torch.__version__}, {'native code' if _is_native(file) else 'graph without native code'}"


def _is_native(file: Path) -> bool:
    with zipfile.ZipFile(file) as archive:
        return any(_NATIVE in name for name in archive.namelist())
