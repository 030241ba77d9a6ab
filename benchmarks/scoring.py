"""What scoring adds to the forward pass of validation and of a test, a test's bootstrap, and the time of its pages."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich.box import MARKDOWN
from rich.table import Table
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, one_hot
from torch.utils.benchmark import Timer
from torchmetrics.classification import MulticlassJaccardIndex

from benchmarks.machine import autocast, fastest_layout
from benchmarks.pages import time_pages
from seglit.evaluation.bootstrap import bootstrap_iou
from seglit.evaluation.boundary import BoundaryCounts
from seglit.evaluation.breakdown import DistanceCounts, SizeCounts
from seglit.evaluation.calibration import Calibration
from seglit.evaluation.confusion_matrix import ConfusionMatrix
from seglit.evaluation.evaluation import Evaluation, TestEvaluation
from seglit.evaluation.image_pair import image_pairs
from seglit.evaluation.mistakes import ErrorRegions
from seglit.hardware import fastest_precision, find_device, keep_freed_memory
from seglit.labels import IGNORE_INDEX
from seglit.networks import UNet

VOID_SHARE = 0.05
EXTRA = "a test's extra counts, all"


def measure_scoring(
    channels: tuple[int, ...] = (16, 32, 64, 128),
    size: tuple[int, int] = (360, 480),
    batch_size: int = 8,
    num_classes: int = 11,
    min_seconds: float = 3.0,
    camvid: str | None = None,
    pages: bool = True,
) -> Table:
    """Milliseconds a batch of seglit's scores, of torchmetrics' IoU and of the network; then what is computed once.

    Args:
        channels: Width of the U-Net's levels.
        size: Height and width of the images.
        batch_size: Images a batch.
        num_classes: Number of classes.
        min_seconds: How long each is timed at least.
        camvid: Folder of CamVid, whose masks are then scored beside noise, and whose 233 test images the pages are
            about; by default patches, and as many synthetic images.
        pages: Whether to time `seglit report` and `seglit compare`, which takes two short trainings.
    """
    keep_freed_memory()
    shape = (batch_size, *size)
    smooth_target = patches(shape, num_classes) if camvid is None else read_masks(Path(camvid), shape)
    smooth = "patches" if camvid is None else "CamVid"
    masks = {smooth: (smooth_logits(smooth_target, num_classes), smooth_target), "noise": noise(shape, num_classes)}
    forward = time_call(make_forward(channels, shape, num_classes), min_seconds)
    table = Table(
        title=f"scoring: {batch_size} x {size[0]} x {size[1]}, {num_classes} classes",
        box=MARKDOWN,
        title_justify="left",
    )
    table.add_column("a batch's")
    for kind in masks:
        table.add_column(f"{kind}: ms", justify="right")
        table.add_column("share of forward", justify="right")
    table.add_row(f"forward pass, U-Net {list(channels)}", *2 * [f"{1000 * forward:.1f}", "100%"])
    rows: dict[str, list[str]] = {}
    for logits, target in masks.values():
        for name, seconds in time_counts(logits, target, min_seconds).items():
            rows.setdefault(name, []).extend([f"{1000 * seconds:.1f}", f"{seconds / forward:.1%}"])
    for name, cells in rows.items():
        table.add_row(name, *cells)
    counts = np.random.default_rng(0).integers(1, 10**6, (1000, 3, 150))
    seconds = time_call(partial(bootstrap_iou, counts), min_seconds)
    table.add_row("once a test: bootstrap, 10,000 resamples of 1,000 images x 150 classes", f"{1000 * seconds:.0f}")
    for name, (wall, cpu) in (time_pages(camvid, 233, size) if pages else {}).items():
        table.add_row(f"once: `{name}`, 233 images ({cpu:.1f} s of processor time)", f"{1000 * wall:.0f}")
    return table


def time_counts(logits: Tensor, target: Tensor, min_seconds: float) -> dict[str, float]:
    """Seconds of what counts a batch of logits (B, C, H, W) and target (B, H, W), by name.

    The extra counts are the difference between test and validation. Error regions are found as after many images, of
    which the largest are kept already.
    """
    names, classes = [""] * len(target), [str(index) for index in range(logits.shape[1])]
    test = TestEvaluation(classes).to(target.device)
    whole = time_call(partial(test.update, logits, target, names), min_seconds)
    validation = time_call(partial(Evaluation(classes).to(target.device).update, logits, target, names), min_seconds)
    calls = scoring_calls(logits, target, classes)
    return {EXTRA: whole - validation, **{name: time_call(call, min_seconds) for name, call in calls.items()}}


def scoring_calls(logits: Tensor, target: Tensor, classes: list[str]) -> dict[str, Callable[[], object]]:
    """What counts a batch: in validation, by torchmetrics, and in a test only."""
    device, num_classes = target.device, len(classes)
    preds, confidence = logits.argmax(1), logits.softmax(1).amax(1)
    rivals = {
        f"torchmetrics IoU, validate_args={validate}": MulticlassJaccardIndex(
            num_classes, ignore_index=IGNORE_INDEX, validate_args=validate
        ).to(device)
        for validate in (False, True)
    }
    images, confidences = list(image_pairs(preds, target)), confidence.cpu().numpy()
    calibration, regions = Calibration().to(device), ErrorRegions(classes)

    def count(metric: BoundaryCounts | SizeCounts | DistanceCounts) -> None:
        for image in images:
            metric.update(image)

    def calibrate() -> None:
        for image, image_confidence in zip(images, confidences, strict=True):
            calibration.update(image, image_confidence)

    def find_regions() -> None:
        for image, image_confidence in zip(images, confidences, strict=True):
            regions.update(image, image_confidence, "")

    return {
        "seglit ConfusionMatrix": partial(ConfusionMatrix(num_classes).to(device).update, preds, target),
        **{name: partial(metric.update, preds, target) for name, metric in rivals.items()},
        "test only: softmax and maximum": lambda: [image.softmax(0).amax(0) for image in logits],
        "test only: Calibration": calibrate,
        "test only: runs of pixels": lambda: [image.runs for image in image_pairs(preds, target)],
        "test only: BoundaryCounts": partial(count, BoundaryCounts(num_classes)),
        "test only: SizeCounts": partial(count, SizeCounts(num_classes)),
        "test only: DistanceCounts": partial(count, DistanceCounts(num_classes)),
        "test only: ErrorRegions": find_regions,
    }


def noise(shape: tuple[int, int, int], num_classes: int) -> tuple[Tensor, Tensor]:
    """Logits and masks without any structure."""
    batch, height, width = shape
    target = torch.randint(num_classes, shape)
    target[torch.rand(shape) < VOID_SHARE] = IGNORE_INDEX
    return 3 * torch.randn(batch, num_classes, height, width, device=find_device()), target.to(find_device())


def patches(shape: tuple[int, int, int], num_classes: int) -> Tensor:
    """Masks of patches of some 40 pixels."""
    batch, height, width = shape
    coarse = torch.randn(batch, num_classes, height // 40 + 1, width // 40 + 1)
    return interpolate(coarse, (height, width), mode="bicubic").argmax(1).to(find_device())


def read_masks(camvid: Path, shape: tuple[int, int, int]) -> Tensor:
    """Masks of CamVid, as many as a batch has, spread over the test split."""
    files = sorted((camvid / "masks" / "test").iterdir())
    masks = np.stack([np.array(Image.open(file)) for file in files[:: len(files) // shape[0]][: shape[0]]])
    if masks.shape != shape:
        raise ValueError(f"the masks have the shape {masks.shape}; set scoring.size and scoring.batch_size to it")
    return torch.from_numpy(np.where(masks == 11, IGNORE_INDEX, masks)).long().to(find_device())


def smooth_logits(target: Tensor, num_classes: int) -> Tensor:
    """Logits of a network that finds the patches of a mask, not their exact outlines, and errs here and there."""
    present = one_hot(torch.where(target == IGNORE_INDEX, 0, target), num_classes).permute(0, 3, 1, 2).float()
    blurred = avg_pool2d(present, 9, 1, padding=4, count_include_pad=False)
    errors = torch.zeros_like(blurred)
    for side, scale in ((40, 0.25), (10, 0.15), (3, 0.08)):
        coarse = torch.randn(*present.shape[:2], *(length // side for length in target.shape[1:]), device=target.device)
        errors += scale * interpolate(coarse, target.shape[1:], mode="bicubic")
    return 8 * (blurred + errors)


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
