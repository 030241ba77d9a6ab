"""Speed of one network in PyTorch and in the runtimes of exported files, side by side in one process."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from shutil import which
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from rich.box import MARKDOWN
from rich.table import Table
from torch import nn

import seglit
from benchmarks.machine import fastest_layout
from seglit.drawing.shapes import LABELS
from seglit.errors import InputError, RunError
from seglit.exported.choices import FilePrecision, FormatName
from seglit.exported.description import Size
from seglit.exported.file_formats import FORMATS
from seglit.exported.graph import Graph
from seglit.exported.runtime import Quantization
from seglit.hardware import avoid_broken_amx
from seglit.module import DEFAULT_NORMALIZATION
from seglit.networks import SMP, UNet
from seglit.runs.checkpoint import ModelRecord

FILES: dict[str, tuple[FormatName, FilePrecision]] = {
    "ONNX Runtime": ("onnx", "float32"),
    "OpenVINO": ("openvino", "float32"),
    "OpenVINO bfloat16": ("openvino", "bfloat16"),
    "OpenVINO int8": ("openvino", "int8"),
    "AOTInductor": ("pt2", "float32"),
}
EAGER = "PyTorch float32"
CALLS = 3  # timed in a turn, after one that is not

Image = npt.NDArray[np.uint8]
Call = Callable[[Image], object]


def measure_runtimes(size: Size, rounds: int) -> Table:
    """Milliseconds of one image as stored to its mask, and how many times faster than PyTorch in float32.

    int8 has all layers in 8 bits, as no score of random weights could send one back to float32.

    Args:
        size: Height and width of the image.
        rounds: Number of turns; the times are medians over them.
    """
    title = f"exported files: one image of {size[0]} x {size[1]}, median of {rounds} turns"
    table = Table(title=title, box=MARKDOWN, title_justify="left")
    for column in ("network", "runtime"):
        table.add_column(column, no_wrap=True)
    for column in ("ms", "times"):
        table.add_column(column, justify="right")
    avoid_broken_amx()
    networks = {
        "U-Net": UNet(LABELS.num_classes, channels=[16, 32, 64, 128, 256]),
        "smp unet, resnet34": SMP(LABELS.num_classes, architecture="unet", encoder_name="resnet34"),
    }
    for name, network in networks.items():
        with TemporaryDirectory() as folder:
            calls = dict(_calls(network.eval(), size, Path(folder)))
            times = take_turns({key: call for key, call in calls.items() if callable(call)}, size, rounds)
        for key, call in calls.items():
            cells = (f"{times[key]:.1f}", f"{times[EAGER] / times[key]:.2f}") if callable(call) else (str(call), "")
            table.add_row(name, key, *cells)
    return table


def take_turns(calls: dict[str, Call], size: Size, rounds: int) -> dict[str, float]:
    """Returns the median milliseconds of each; they take turns, so that other work of the machine slows all."""
    image = np.random.default_rng(0).integers(0, 256, (1, 3, *size), np.uint8)
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            call(image)
            start = perf_counter()
            for _ in range(CALLS):
                call(image)
            times[name].append(1000 * (perf_counter() - start) / CALLS)
    return {name: median(values) for name, values in times.items()}


def _calls(network: nn.Module, size: Size, folder: Path) -> Iterator[tuple[str, Call | InputError | RunError | str]]:
    """Yields how each runtime is called, or why it cannot be."""
    record = ModelRecord(seglit.__version__, {"class_path": type(network).__name__}, LABELS, DEFAULT_NORMALIZATION)
    graph = Graph(network, record, "uint8", size, "float32").eval()
    for index, (name, (kind, precision)) in enumerate(FILES.items()):
        if kind == "pt2" and which("g++") is None:
            yield name, "no compiler"
            continue
        graph.precision = precision
        file = folder / f"{index}{FORMATS[kind].SUFFIX}"
        try:
            FORMATS[kind].write(graph, {"mask": file}, _calibration(size) if precision == "int8" else None)
            yield name, FORMATS[kind].load(file, precision)
        except (InputError, RunError) as error:
            yield name, error
    eager = Graph(network.to(memory_format=fastest_layout()), record, "uint8", size, "float32", "mask").eval()
    yield EAGER, partial(_run_eager, eager, False)
    yield "PyTorch bfloat16", partial(_run_eager, eager, True)


def _run_eager(graph: Graph, in_bfloat16: bool, image: Image) -> Any:
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=in_bfloat16):
        return graph(torch.from_numpy(image))[0].numpy()


def _calibration(size: Size) -> Quantization:
    generator = np.random.default_rng(0)
    images = [generator.integers(0, 256, (1, 3, *size), np.uint8) for _ in range(4)]
    return Quantization(images, lambda _: 1.0, 1.0)
