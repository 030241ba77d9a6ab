"""Benchmark of one GPU: correctness against the CPU, speed of training and prediction, and a training on CamVid.

python -m benchmarks gpu --camvid data/camvid

It needs no network. CamVid is the folder that configs/data/camvid.yaml describes. A part that fails does not end the
others; the exit code is 1 then, or if a check failed.
"""

import sys
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Literal, get_args

import numpy as np
import pytorch_lightning as pl
import torch
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table
from torch.utils.data import DataLoader

from benchmarks.correctness import Check, check_losses_and_scores, check_network, check_step, networks
from benchmarks.input import time_loader, write_pictures
from benchmarks.machine import autocast, describe_machine, fastest_layout, now
from benchmarks.scoring import time_call
from benchmarks.training import WARM_UP, BareLoop, LightningFit, Loop, Workload
from seglit.cli import SegmentationCLI
from seglit.config.named_configs import expand_names, read_names_in_files
from seglit.data import FolderDataModule
from seglit.drawing.shapes import LABELS
from seglit.errors import RunError
from seglit.hardware import fastest_precision, find_device
from seglit.module import DEFAULT_NORMALIZATION
from seglit.networks import SMP
from seglit.predict.predictor import BATCH_PIXELS, Predictor

EXPERIMENTS = Path(__file__).parents[1] / "configs" / "experiment"
CLASSES = LABELS.num_classes
CAMVID = Path("data/camvid")
FILES = 32  # different images of the training benchmark; further files are links to them
VALIDATIONS, SCORING_SECONDS = 12, 25  # of the CamVid training, and the time that it leaves for its test

Part = Literal["checks", "training", "prediction", "camvid"]
Job = Callable[[], Iterable[Table | str]]


class SMPWorkload(Workload):
    """U-Net of segmentation_models_pytorch with a ResNet-34 as encoder and random weights."""

    def network(self) -> Any:
        return SMP(CLASSES, architecture="unet", encoder_name="resnet34")


class ReadyData(FolderDataModule):
    """Training batches that are on the device before training starts."""

    def train_dataloader(self) -> Any:
        batches: Any = islice(super().train_dataloader(), 4)
        ready: Any = [batch | {key: batch[key].to(find_device()) for key in ("image", "mask")} for batch in batches]
        return DataLoader(1000 * ready, batch_size=None)


class EpochTimes(pl.Callback):
    """Records when each training epoch starts and when training ends."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_train_epoch_start(self, *_: Any) -> None:
        self.times.append(now())

    def on_train_end(self, *_: Any) -> None:
        self.times.append(now())


def measure_checks(title: str, checks: Callable[[], Iterator[Check]]) -> Iterator[str]:
    """Runs checks; yields the rows of their table.

    Raises:
        RunError: A difference is larger than its tolerance.
    """
    torch.manual_seed(0)
    failed = 0
    yield f"\n| {title}: relative difference from the CPU | difference | tolerance | result |\n|---|---:|---:|---:|"
    for name, difference, tolerance in checks():
        passed = difference <= tolerance  # nan fails
        failed += not passed
        yield f"| {name} | {difference:.1e} | {tolerance:.0e} | {'ok' if passed else 'FAILED'} |"
    if failed:
        raise RunError(f"{title}: {failed} check{'s' * (failed != 1)} failed")


def measure_training(
    name: str, workload: Workload, size: tuple[int, int], steps: int, rounds: int = 2
) -> Iterator[Table | str]:
    """Images per second of `seglit fit`, and of the same without its data and without its code."""
    write_pictures(workload.root, FILES, size)
    loading = workload.data().loading
    for file in [*workload.root.glob("*/train/*")]:
        for index in range(FILES + int(file.stem), (WARM_UP + steps + loading.ahead) * workload.batch_size, FILES):
            file.with_stem(f"{index:05d}").hardlink_to(file)
    table = _table(f"training, images/s: {name}, {workload.batch_size} x {size[0]} x {size[1]}", "eager", "compiled")
    columns = []
    for compiled in (False, True):
        torch.compiler.reset()  # having seen two sizes, it would compile for any
        loops = _make_loops(workload, compiled)
        measured = [[run(steps) for run in loops.values()] for _ in range(rounds)]
        columns.append(dict(zip(loops, map(median, zip(*measured, strict=True)), strict=True)))
        speeds = ", ".join(f"{loop} {speed:.0f}" for loop, speed in columns[-1].items())
        yield f"{name}, {'compiled' if compiled else 'eager'}, images/s: {speeds}"  # should what follows fail
    for loop in columns[0]:
        table.add_row(loop, *(f"{column[loop]:.0f}" for column in columns if loop in column))
    ratios = (column["seglit fit"] / column["seglit fit, data-free"] for column in columns)
    table.add_row("seglit fit / data-free", *(f"{ratio:.3f}" for ratio in ratios))
    table.add_row(f"reading alone, {loading.workers} workers", f"{time_loader(workload.data(), 1):.0f}")
    yield table


def measure_prediction(name: str, workload: Workload, size: tuple[int, int]) -> Iterator[Table]:
    """Images per second of the predictor, from arrays to masks, and of the network's forward pass alone."""
    network = workload.network()
    predictor = Predictor(network, LABELS, DEFAULT_NORMALIZATION)
    batch_size = BATCH_PIXELS // (size[0] * size[1])
    images = [np.random.default_rng(0).integers(256, size=(*size, 3), dtype=np.uint8)] * (8 * batch_size)
    inputs = torch.randn(batch_size, 3, *size, device=find_device()).contiguous(memory_format=fastest_layout())
    table = _table(f"prediction: {name}, {size[0]} x {size[1]}", "images/s")
    table.add_row("predictor", f"{len(images) / time_call(lambda: [*predictor.stream(images)], 2.0):.0f}")
    with torch.inference_mode(), autocast(fastest_precision(find_device())):
        table.add_row("network alone", f"{batch_size / time_call(lambda: network(inputs), 2.0):.0f}")
    yield table


def measure_camvid(folder: Path, runs: Path, deadline: float, fit_args: tuple[str, ...]) -> Iterator[str]:
    """Trains on CamVid until shortly before the deadline and scores the test split; yields what it measured."""
    if deadline - now() < SCORING_SECONDS:
        yield "CamVid: no time is left"
        return
    arguments = [f"-c={EXPERIMENTS / 'camvid.yaml'}", f"-c={EXPERIMENTS / 'camvid-gpu.yaml'}", f"--data.root={folder}"]
    arguments.append(f"--trainer.default_root_dir={runs}")
    _, start_up, (first, *plain, validated, _) = _fit([*arguments, *fit_args, "--test_after_fit=false"], 6, 5)
    epoch = median(plain)
    validation = max(0.0, validated - epoch)
    yield f"start-up {start_up:.1f} s, first epoch {first:.1f} s, then {epoch:.2f} s, validation {validation:.2f} s"
    left = deadline - now() - start_up - SCORING_SECONDS
    if left < epoch + validation:
        yield f"CamVid: no time is left to train, {left:.0f} s"
        return
    every = max(1, int(left / epoch / VALIDATIONS))
    start = now()
    run, _, epochs = _fit([*arguments, *fit_args], every * max(1, int(left / (every * epoch + validation))), every)
    total, seconds, images = now() - start, sum(epochs), run.trainer.global_step * run.datamodule.batch_size
    yield f"{len(epochs)} epochs, {seconds:.0f} s, {images / seconds:.0f} images/s; with start and test {total:.0f} s"
    val, test = run.trainer.checkpoint_callback.best_model_score, run.model.scores["test"].miou
    yield f"validation mIoU {val:.3f}, test mIoU {test:.3f}"


def benchmark_gpu(
    camvid: Path = CAMVID,
    parts: tuple[Part, ...] = get_args(Part),
    minutes: float = 8.5,
    channels: tuple[int, ...] = (64, 128, 256, 512, 1024),
    unet_size: tuple[int, int] = (368, 480),
    smp_size: tuple[int, int] = (512, 512),
    batch_size: int = 16,
    steps: int = 60,
    fit_args: tuple[str, ...] = (),
) -> bool:
    """Prints all measurements; returns whether all parts ran and all checks passed.

    Args:
        camvid: Folder of CamVid.
        parts: What to measure.
        minutes: Duration of the whole benchmark but the half minute that imports take; the CamVid training takes what
            the other parts leave.
        channels: Width of the levels of the hand-written U-Net, except on CamVid.
        unet_size: Height and width of its images.
        smp_size: Height and width of the images of the U-Net of segmentation_models_pytorch.
        batch_size: Images per step, except on CamVid.
        steps: Timed steps per round.
        fit_args: Further arguments of `seglit fit` on CamVid.
    """
    deadline = now() + 60 * minutes
    if "camvid" in parts and not (camvid / "images" / "test").is_dir():
        sys.exit(f"--camvid {camvid}: contains no images/test; configs/data/camvid.yaml describes the folder")
    torch.backends.cudnn.benchmark = True
    torch.manual_seed(0)  # weights of the networks that are checked
    warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric|torch|jsonargparse")
    console = Console(width=160, highlight=False)
    console.print(describe_machine())
    with TemporaryDirectory() as folder:
        unet = Workload(Path(folder, "unet"), channels, batch_size)
        smp = SMPWorkload(Path(folder, "smp"), (), batch_size)
        jobs: dict[Part, list[Job]] = {
            "checks": _checks(),
            "training": [
                partial(measure_training, f"U-Net {list(channels)}", unet, unet_size, steps),
                partial(measure_training, "smp U-Net resnet34", smp, smp_size, steps),
            ],
            "prediction": [
                partial(measure_prediction, f"U-Net {list(channels)}", unet, unet_size),
                partial(measure_prediction, "smp U-Net resnet34", smp, smp_size),
            ],
            "camvid": [partial(measure_camvid, camvid, Path(folder, "runs"), deadline, fit_args)],
        }
        passed = [_run(job, console) for part in jobs if part in parts for job in jobs[part]]
    return all(passed)


def _checks() -> list[Job]:
    return [
        partial(measure_checks, "losses and scores", check_losses_and_scores),
        *(partial(measure_checks, name, partial(check_network, net)) for name, net in networks().items()),
        partial(measure_checks, "clipped step", check_step),
    ]


def _run(job: Job, console: Console) -> bool:
    """Prints what a job measures; returns False if it fails, with its traceback, so that the others still run."""
    try:
        for measured in job():
            console.print(measured, soft_wrap=isinstance(measured, str))
    except Exception:  # noqa: BLE001
        traceback.print_exc()
        return False
    return True


def _make_loops(workload: Workload, compiled: bool) -> dict[str, Loop]:
    fit, ready = LightningFit(workload), LightningFit(workload)
    ready.module = fit.module
    ready.data = ReadyData(str(workload.root), [*LABELS.class_names], batch_size=workload.batch_size, num_workers=0)
    make_bare = partial(BareLoop, workload, fastest_precision(find_device()), fastest_layout(), fused=True)
    loops: dict[str, Loop] = {"seglit fit": fit, "seglit fit, data-free": ready, "bare": (bare := make_bare())}
    if compiled:
        fit.module.network.compile()
        bare.network.compile()
    elif find_device() == "cuda":
        loops["bare, CUDA graphs"] = graphed = make_bare()
        graphed.autocast = torch.autocast("cuda", graphed.autocast.fast_dtype, cache_enabled=False)
        with graphed.autocast:
            torch.cuda.make_graphed_callables(graphed.network, (graphed.batches[0][0],))
    return loops


def _fit(arguments: list[str], epochs: int, every: int) -> tuple[Any, float, list[float]]:
    """Runs `seglit fit` with a validation every so many epochs; returns it and the seconds of start-up and epochs."""
    start = now()
    read_names_in_files()
    length = [f"--trainer.max_epochs={epochs}", f"--trainer.check_val_every_n_epoch={every}"]
    quiet = ["--trainer.enable_progress_bar=false", "--trainer.callbacks+=benchmarks.gpu.EpochTimes"]
    run: Any = SegmentationCLI(expand_names(["fit", *arguments, *length, *quiet]))
    times = next(callback.times for callback in run.trainer.callbacks if isinstance(callback, EpochTimes))
    return run, times[0] - start, np.diff(times).tolist()


def _table(title: str, *headings: str) -> Table:
    table = Table(title, box=MARKDOWN)
    for heading in headings:
        table.add_column(heading, justify="right")
    return table
