"""What scoring adds to a batch of validation or test, beside the network's forward pass; and a test's bootstrap."""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from rich.box import MARKDOWN
from rich.table import Table
from torch import Tensor
from torch.utils.benchmark import Timer
from torchmetrics.classification import MulticlassJaccardIndex

from benchmarks.machine import autocast, fastest_layout
from seglit.evaluation.bootstrap import bootstrap_iou
from seglit.evaluation.boundary import BoundaryCounts
from seglit.evaluation.breakdown import DistanceCounts, SizeCounts
from seglit.evaluation.calibration import Calibration
from seglit.evaluation.evaluation import count_images
from seglit.evaluation.mistakes import ErrorRegions
from seglit.hardware import fastest_precision, find_device
from seglit.labels import IGNORE_INDEX
from seglit.metrics import ConfusionMatrix
from seglit.networks import UNet

VOID_SHARE = 0.05


def measure_scoring(
    channels: tuple[int, ...] = (16, 32, 64, 128),
    size: tuple[int, int] = (360, 480),
    batch_size: int = 8,
    num_classes: int = 11,
    min_seconds: float = 3.0,
) -> Table:
    """Milliseconds a batch of seglit's scores, of torchmetrics' IoU and of the network; and the bootstrap's, once.

    Args:
        channels: Width of the U-Net's levels.
        size: Height and width of the images.
        batch_size: Images a batch.
        num_classes: Number of classes.
        min_seconds: How long each is timed at least.
    """
    device = find_device()
    shape = (batch_size, *size)
    preds = torch.randint(num_classes, shape, device=device)
    target = torch.randint(num_classes, shape, device=device)
    target[torch.rand(shape, device=device) < VOID_SHARE] = IGNORE_INDEX
    forward = time_call(make_forward(channels, shape, num_classes), min_seconds)
    table = Table(
        title=f"scoring: {batch_size} x {size[0]} x {size[1]}, {num_classes} classes",
        box=MARKDOWN,
        title_justify="left",
    )
    table.add_column("a batch's")
    table.add_column("ms", justify="right")
    table.add_column("share of forward", justify="right")
    table.add_row(f"forward pass, U-Net {list(channels)}", f"{1000 * forward:.1f}", "100%")
    for name, call in scoring_calls(preds, target, num_classes).items():
        seconds = time_call(call, min_seconds)
        table.add_row(name, f"{1000 * seconds:.1f}", f"{seconds / forward:.1%}")
    counts = np.random.default_rng(0).integers(1, 10**6, (1000, 3, 150))
    seconds = time_call(partial(bootstrap_iou, counts), min_seconds)
    table.add_row("once a test: bootstrap, 10,000 resamples of 1,000 images x 150 classes", f"{1000 * seconds:.0f}", "")
    return table


def scoring_calls(preds: Tensor, target: Tensor, num_classes: int) -> dict[str, Callable[[], object]]:
    """What counts a batch of preds and target (B, H, W): in validation, by torchmetrics, and in a test only."""
    device = preds.device
    confidence = torch.rand(preds.shape, device=device)
    regions = ErrorRegions([str(index) for index in range(num_classes)])
    rivals = {
        f"torchmetrics IoU, validate_args={validate}": MulticlassJaccardIndex(
            num_classes, ignore_index=IGNORE_INDEX, validate_args=validate
        ).to(device)
        for validate in (False, True)
    }
    return {
        "seglit ConfusionMatrix": partial(ConfusionMatrix(num_classes).to(device).update, preds, target),
        **{name: partial(metric.update, preds, target) for name, metric in rivals.items()},
        "test only: BoundaryCounts": partial(BoundaryCounts(num_classes).to(device).update, preds, target),
        "test only: Calibration": partial(Calibration().to(device).update, confidence, preds, target),
        "test only: SizeCounts": partial(SizeCounts(num_classes).to(device).update, preds, target),
        "test only: DistanceCounts": partial(DistanceCounts(num_classes).to(device).update, preds, target),
        "test only: ErrorRegions": partial(regions.update, preds, target, confidence, [""] * len(preds)),
        "test only: count_images": partial(count_images, preds, target, num_classes),
    }


def make_forward(channels: tuple[int, ...], shape: tuple[int, int, int], num_classes: int) -> Callable[[], object]:
    """The network's forward pass as in validation: the fastest precision and layout, no gradients."""
    device, layout = find_device(), fastest_layout()
    network = UNet(num_classes, channels=channels).eval().to(device).to(memory_format=layout)
    batch, height, width = shape
    image = torch.randn(batch, 3, height, width, device=device).contiguous(memory_format=layout)

    def forward() -> object:
        with torch.inference_mode(), autocast(fastest_precision(device)):
            return network(image)

    return forward


def time_call(call: Callable[[], object], min_seconds: float) -> float:
    """The median time of a call in seconds, on all threads, the device waited for."""
    timer = Timer("call()", globals={"call": call}, num_threads=torch.get_num_threads())
    return timer.blocked_autorange(min_run_time=min_seconds).median
