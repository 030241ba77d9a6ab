"""Exported files: which architecture each format takes, and how fast the runtimes are.

python -m benchmarks export                      # both tables
python -m benchmarks export --table speed

The exit code is always 0. A row of a package that is not installed says so.
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import torch
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table
from torch import nn

import seglit
from benchmarks.machine import describe_machine
from benchmarks.runtimes import measure_runtimes
from seglit.drawing.shapes import LABELS
from seglit.errors import InputError, RunError
from seglit.export.exporter import Exporter
from seglit.exported.choices import FormatName
from seglit.exported.description import Size
from seglit.exported.file_formats import FORMATS
from seglit.module import DEFAULT_NORMALIZATION
from seglit.runs.build import build
from seglit.runs.checkpoint import RECORD_KEY, ModelRecord

NARROW = {
    "seglit.networks.UNet": {"channels": [16, 32, 64, 128, 256]},
    "seglit.networks.FCN": {"channels": [16, 32, 64, 128, 128, 256]},
    "seglit.networks.Segmenter": {"width": 96, "depth": 4, "heads": 3},
}
"""Hand-written networks with fewer channels and blocks, as the architecture alone decides what can be exported."""


def benchmark_export(
    table: Literal["architectures", "speed", "all"] = "all",
    names: list[str] | None = None,
    formats: list[FormatName] | None = None,
    size: Size = (352, 480),
    rounds: int = 7,
) -> None:
    """Prints what is exported and refused, with the reasons, and the speed of each runtime.

    Args:
        table: Which.
        names: Architectures to try; by default all.
        formats: Formats to try them in; by default ONNX and OpenVINO.
        size: Height and width of the images whose speed is measured.
        rounds: Number of turns of each runtime.
    """
    console = Console(width=120)  # else the table is cut where the output is no terminal
    console.print(describe_machine(), highlight=False, soft_wrap=True)
    if table != "speed":
        tried, reasons = try_architectures(names, formats or ["onnx", "openvino"])
        console.print(tried)
        for reason in reasons:
            console.print(f"- {reason}", highlight=False, soft_wrap=True)
    if table != "architectures":
        console.print(measure_runtimes(size, rounds))


def try_architectures(names: list[str] | None, formats: list[FormatName]) -> tuple[Table, list[str]]:
    """Exports every architecture with random weights for any size, else for one; returns a table, and the refusals."""
    table = Table(title="exported, and smallest share of equal pixels", box=MARKDOWN, title_justify="left")
    for column in ("architecture", *formats):
        table.add_column(column, no_wrap=True)
    reasons: list[str] = []
    for name, spec in architectures():
        if names is None or name in names:
            with TemporaryDirectory() as folder:
                checkpoint = write_untrained(Path(folder, "untrained.ckpt"), spec)
                cells = [try_format(checkpoint, kind, name, reasons) for kind in formats]
            table.add_row(name, *cells)
    return table, reasons


def architectures() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the name and the `class_path` and `init_args` of every architecture that README lists."""
    import segmentation_models_pytorch as smp
    from torchvision import models

    for class_path, init_args in NARROW.items():
        yield class_path.rpartition(".")[2], {"class_path": class_path, "init_args": init_args}
    for name in smp.MODEL_ARCHITECTURES_MAPPING:
        encoder = "tu-vit_tiny_patch16_224" if name == "dpt" else "resnet18"
        yield (
            f"SMP {name}",
            {"class_path": "seglit.networks.SMP", "init_args": {"architecture": name, "encoder_name": encoder}},
        )
    for name in models.list_models(module=models.segmentation):
        yield (
            f"Torchvision {name}",
            {"class_path": "seglit.networks.Torchvision", "init_args": {"architecture": name}},
        )


def write_untrained(file: Path, spec: dict[str, Any]) -> Path:
    """Writes a checkpoint of a network with random weights."""
    torch.manual_seed(0)
    spec = {**spec, "init_args": {"num_classes": LABELS.num_classes, **spec["init_args"]}}
    network = build(nn.Module, spec, str(file))
    record = ModelRecord(seglit.__version__, spec, LABELS, DEFAULT_NORMALIZATION)
    weights = {f"network.{name}": value for name, value in network.state_dict().items()}
    torch.save({"state_dict": weights, RECORD_KEY: record.to_dict()}, file)
    return file


def try_format(checkpoint: Path, kind: FormatName, name: str, reasons: list[str]) -> str:
    """Exports for any size, and if that is refused for one; returns the outcome, and adds the reasons of refusals."""
    for size, meaning in ((None, "any size"), ((97, 131), "one size")):
        file = checkpoint.with_name(f"file{FORMATS[kind].SUFFIX}")
        try:
            proof = Exporter(checkpoint, size, "mask", ()).export(FORMATS[kind], "float32", file, 0)
        except (InputError, RunError) as error:
            reasons.append(f"{name}, {kind}, {meaning}: {str(error).rpartition('not written: ')[2]}")
        else:
            return f"{meaning}, {min(one.equal_pixels for one in proof.sizes):.3%}"
    return "refused"
