"""ONNX files: written by PyTorch's exporter, run by ONNX Runtime."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from seglit.errors import InputError, RunError
from seglit.exported.choices import OUTPUTS, FilePrecision, Output
from seglit.exported.description import KEY
from seglit.exported.graph import Graph, trace
from seglit.exported.runtime import Quantization, Run, missing, reason

SUFFIX = ".onnx"
EXTRA = "export"
WEIGHTS: dict[FilePrecision, torch.dtype] = {"float32": torch.float32, "float16": torch.float16}
"""Precisions, and the type of the weights in each; ONNX Runtime has no bfloat16 convolutions on CPUs."""


def write(graph: Graph, files: Mapping[Output, Path], _: Quantization | None) -> None:
    """Writes one file for each output.

    Raises:
        RunError: The network cannot be exported.
        InputError: A package is missing.
    """
    try:
        import onnx_ir
        import onnxscript  # noqa: F401  # torch imports it
        from onnx_ir.passes.common import RemoveUnusedNodesPass
    except ModuleNotFoundError as error:
        raise missing(error, EXTRA) from error
    program = trace(graph)
    try:
        exported = torch.onnx.export(
            program, dynamo=True, input_names=["image"], output_names=OUTPUTS, verbose=False, optimize=True
        )
    except Exception as error:
        raise RunError(f"ONNX cannot express {graph.architecture} ({reason(error)})") from error
    assert exported is not None  # noqa: S101  # with dynamo=True
    for node in exported.model.graph.all_nodes():
        node.metadata_props.clear()  # stack traces, with paths of this machine
    proto = exported.model_proto
    _name_axes(proto.graph)
    for output, file in files.items():
        model = onnx_ir.from_proto(proto)
        model.graph.outputs[:] = [value for value in model.graph.outputs if value.name == output]
        RemoveUnusedNodesPass()(model)
        file.write_bytes(onnx_ir.to_proto(model).SerializeToString())


def _name_axes(graph: Any) -> None:
    """Names the axes that may have any length, which torch.export numbers: batch, height and width."""
    axes = zip(graph.input[0].type.tensor_type.shape.dim, ("batch", "channels", "height", "width"), strict=True)
    names = {axis.dim_param: name for axis, name in axes if axis.dim_param}
    for value in (*graph.input, *graph.output, *graph.value_info):
        for axis in value.type.tensor_type.shape.dim:
            if axis.dim_param in names:
                axis.dim_param = names[axis.dim_param]


def parts(file: Path) -> list[Path]:
    """Returns the files that a model consists of."""
    return [file]


def describe(file: Path, text: str) -> None:
    """Stores the description in a file."""
    import onnx

    model = onnx.load(file)
    onnx.helper.set_model_props(model, {KEY: text})
    onnx.save(model, file)


def read(file: Path) -> str | None:
    """Reads the description of a file; None if it has none.

    Raises:
        InputError: The file is not an ONNX file, or a package is missing.
    """
    description: str | None = _session(file).get_modelmeta().custom_metadata_map.get(KEY)
    return description


def load(file: Path, _: FilePrecision) -> Run:
    """Loads a file.

    Raises:
        InputError: The file is not an ONNX file, or a package is missing.
    """
    session = _session(file)
    (name,) = [value.name for value in session.get_inputs()]
    return lambda images: session.run(None, {name: images})[0]


def runtime(_: Path) -> str:
    """Name and version of what runs a file."""
    import onnxruntime

    return f"ONNX Runtime {onnxruntime.__version__}"


def _session(file: Path) -> Any:
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise missing(error, EXTRA) from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # errors are raised; what it prints beside them is for its developers
    providers = [
        name
        for name in ("CUDAExecutionProvider", "CPUExecutionProvider")
        if name in onnxruntime.get_available_providers()
    ]
    try:
        return onnxruntime.InferenceSession(file, options, providers=providers)
    except Exception as error:
        raise InputError(f"{file}: ONNX Runtime cannot load it ({reason(error)})") from error
