"""Checkpoints of untrained networks, as `seglit fit` writes them, and their export."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from seglit.images.scaling import Resize
from seglit.labels import Labels
from seglit.normalization import Normalization
from seglit.runs.build import build
from seglit.runs.checkpoint import RECORD_KEY, ModelRecord
from tests.conftest import run_in

LABELS = Labels.create(["road", "tree", "sky"], palette=[[90, 90, 90], [0, 120, 0], [0, 0, 250]])
EIGHT_BITS = Normalization((0.4, 0.45, 0.5), (0.2, 0.22, 0.25))


def write_checkpoint(
    file: Path,
    class_path: str,
    normalization: Normalization = EIGHT_BITS,
    in_channels: int = 3,
    trust: tuple[str, ...] = (),
    resize: Resize = None,
    **init_args: Any,
) -> Path:
    """Writes a network with random weights, and statistics of BatchNorm that are not those of its start."""
    torch.manual_seed(0)
    spec = {"class_path": class_path, "init_args": {"num_classes": 3, "in_channels": in_channels, **init_args}}
    network = build(nn.Module, spec, "test", trust)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
            module.running_mean.normal_(0, 0.1)
    record = ModelRecord("0.1.0", spec, LABELS, normalization, resize=resize)
    weights = {f"network.{name}": value for name, value in network.state_dict().items()}
    torch.save({"state_dict": weights, RECORD_KEY: record.to_dict()}, file)
    return file


def export(folder: Path, *args: object, name: str = "model.onnx") -> Path:
    """Exports to `folder / name`."""
    outcome = run_in(folder, "export", *args, "--output", name)
    assert outcome.code == 0, outcome.err
    return folder / name


def picture(height: int, width: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Random pixels (H, W, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
