"""OpenVINO files: a graph in XML and its weights beside it, converted from PyTorch without ONNX.

OpenVINO computes in bfloat16 wherever the CPU has it, unless told otherwise, so a file is compiled for its precision.
"""

import logging
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seglit.errors import InputError, RunError
from seglit.exported.choices import OUTPUTS, FilePrecision, Output
from seglit.exported.description import KEY
from seglit.exported.graph import Graph, trace
from seglit.exported.runtime import Quantization, Run, missing, reason

SUFFIX = ".xml"
EXTRA = "openvino"
WEIGHTS: dict[FilePrecision, torch.dtype] = dict.fromkeys(("float32", "bfloat16", "float16", "int8"), torch.float32)
"""Precisions, and the type of the weights that are converted."""
_HINTS: dict[FilePrecision, str] = {"float32": "f32", "bfloat16": "bf16", "float16": "f16", "int8": "f32"}

_RANKING = 32
"""Number of images whose outputs rank the layers that go back to float32."""


def write(graph: Graph, files: Mapping[Output, Path], quantization: Quantization | None) -> None:
    """Writes one file for each output.

    Raises:
        RunError: The network cannot be exported.
        InputError: A package is missing.
    """
    openvino = _import_openvino()
    program = trace(graph)
    try:
        model = openvino.convert_model(program)
    except Exception as error:
        raise RunError(f"OpenVINO cannot express {graph.architecture} ({reason(error)})") from error
    for name, value in zip(OUTPUTS, model.outputs, strict=True):
        value.get_tensor().set_names({name})
    sides = graph.size or (-1, -1)
    model.reshape({"image": [-1, graph.in_channels, *sides]})
    if quantization is not None:
        model = _quantized(model, quantization)
    for output, file in files.items():
        results = [model.output(output).get_node()]
        selected = openvino.Model(results, model.get_parameters(), graph.architecture)
        openvino.save_model(selected, file, compress_to_fp16=graph.precision == "float16")


def parts(file: Path) -> list[Path]:
    """Returns the files that a model consists of."""
    return [file.with_suffix(".bin"), file]


def describe(file: Path, text: str) -> None:
    """Stores the description in a file."""
    openvino = _import_openvino()
    model = _core().read_model(file)
    model.set_rt_info(text, [KEY])
    described = file.with_name(f"described{SUFFIX}")
    openvino.save_model(model, described, compress_to_fp16=False)  # weights of 16 bits stay so
    del model  # which maps the weights
    for new, old in zip(parts(described), parts(file), strict=True):
        new.replace(old)


def read(file: Path) -> str | None:
    """Reads the description of a file; None if it has none.

    Raises:
        InputError: The file is not an OpenVINO file, or a package is missing.
    """
    model = _read_model(file)
    return str(model.get_rt_info([KEY]).astype(str)) if model.has_rt_info([KEY]) else None


def load(file: Path, precision: FilePrecision) -> Run:
    """Loads a file.

    Raises:
        InputError: The file is not an OpenVINO file, or a package is missing.
    """
    compiled = _core().compile_model(_read_model(file), "CPU", {"INFERENCE_PRECISION_HINT": _HINTS[precision]})
    return lambda images: compiled(images)[0].copy()  # its own memory is used again by the next call


def runtime(_: Path) -> str:
    """Name and version of what runs a file."""
    return f"OpenVINO {_import_openvino().get_version().partition('-')[0]}"


def _import_openvino() -> Any:
    try:
        import openvino
    except ModuleNotFoundError as error:
        raise missing(error, EXTRA) from error
    return openvino


@cache
def _core() -> Any:
    """The one core of the process.

    A core replaces the alternate signal stack of its thread, and restores the one before when it is released. Two that
    are released in the order of their creation leave a stack that is unmapped, and the next signal, such as the end of
    a worker, ends the process by a segmentation fault.
    """
    return _import_openvino().Core()


def _read_model(file: Path) -> Any:
    try:
        return _core().read_model(file)
    except RuntimeError as error:
        raise InputError(f"{file}: OpenVINO cannot load it ({reason(error)})") from error


def _quantized(model: Any, quantization: Quantization) -> Any:
    """Returns the model with 8-bit weights and activations, whose mean IoU NNCF keeps within the limit."""
    try:
        import nncf
    except ModuleNotFoundError as error:
        raise missing(error, EXTRA) from error

    def score(compiled: Any, _: object) -> Any:
        miou = quantization.score(lambda images: compiled(images)[OUTPUTS.index("probabilities")].copy())
        return np.float32(miou)  # for a float, NNCF would score the whole split again for each image

    nncf.set_log_level(logging.ERROR)
    calibration, ranking = (nncf.Dataset(images) for images in (quantization.images, quantization.images[:_RANKING]))
    try:
        with redirect_stdout(sys.stderr):  # its progress bars, which have no switch
            return nncf.quantize_with_accuracy_control(
                model, calibration, ranking, score, max_drop=quantization.max_drop, subset_size=len(quantization.images)
            )
    except Exception as error:
        raise RunError(f"NNCF cannot quantise the network ({reason(error)})") from error
