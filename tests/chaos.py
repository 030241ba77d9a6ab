"""Kills runs at random moments and around writes, resumes them and compares them bit by bit with one that was not.

`make chaos ARGS=--kills=200`. Each process is forked from one that has imported seglit, so that a start takes a moment
and each kill meets a run; from there on it is the command line.
"""

import argparse
import atexit
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch

import seglit.cli  # noqa: F401 (for the forks)
from seglit.__main__ import main as command_line
from tests.runs.test_resume import differences

KILLS_PER_RUN = 3
WORKERS = (0, 2)
RUN = """
data:
  class_path: seglit.data.SyntheticDataModule
  init_args: {num_train: 18, num_val: 3, num_test: 3, size: [24, 24], batch_size: 2, augment: strong}
model:
  network: {class_path: tests.runs.interrupted.Dropped}
  optimizer: {class_path: torch.optim.AdamW, init_args: {lr: 0.01, weight_decay: 0.01}}
trainer:
  max_epochs: 3
  accumulate_grad_batches: 2
  log_every_n_steps: 1
  accelerator: cpu
  precision: 32-true
  enable_progress_bar: false
  callbacks: [{class_path: pytorch_lightning.callbacks.EMAWeightAveraging, init_args: {decay: 0.8}}]
pictures: {count: 0}
save_steps: 2
"""


def start(folder: Path, args: list[str], on_write: Callable[[], object] | None = None) -> BaseProcess:
    """Starts `seglit fit ARGS` in a folder, in a process group of its own."""
    process = multiprocessing.get_context("fork").Process(target=_fit, args=(folder, args, on_write))
    process.start()
    with suppress(PermissionError, ProcessLookupError):  # the process has done it, or has ended
        os.setpgid(process.pid or 0, process.pid or 0)
    return process


def _fit(folder: Path, args: list[str], on_write: Callable[[], object] | None) -> None:
    with suppress(PermissionError):
        os.setpgid(0, 0)
    log = os.open(folder / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    os.chdir(folder)
    torch.set_num_threads(1)
    if on_write:
        process, inside = os.getpid(), f"{folder / 'runs'}{os.sep}"
        sys.addaudithook(
            lambda event, of: on_write() if _is_write(event, of, inside) and os.getpid() == process else None
        )
    try:
        code: Any = command_line(["fit", *args])
    except SystemExit as leave:
        code = leave.code
    atexit._run_exitfuncs()  # which a process that is forked does not run by itself: they end the workers
    sys.exit(code)


def _is_write(event: str, args: tuple[Any, ...], inside: str) -> bool:
    """Whether an audit event changes a file of the run."""
    changes = event in ("os.rename", "os.remove", "os.mkdir")
    opens = event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)
    return bool(changes or opens) and str(args[0]).startswith(inside)


class KillAtWrite:
    """Kills the process at a write, or within the moments after it: SIGALRM, without a handler, ends it like SIGKILL.

    Args:
        number: How many writes precede it.
        seconds: How long after its start.
    """

    def __init__(self, number: int, seconds: float) -> None:
        self.number = number
        self.seconds = seconds

    def __call__(self) -> None:
        if not self.number:
            signal.setitimer(signal.ITIMER_REAL, self.seconds)
        self.number -= 1


def run_folder(folder: Path) -> Path | None:
    """The run folder, if its configuration was written."""
    return next((file.parent for file in folder.glob("runs/*/*/config.yaml")), None)


def command(folder: Path, workers: int) -> list[str]:
    """The arguments that start the run of a folder, or go on with it."""
    run = run_folder(folder)
    begin = ["--resume", str(run)] if run else ["-c", str(folder.parent / "run.yaml")]
    return [*begin, f"--data.init_args.num_workers={workers}"]


def kill_once(folder: Path, draw: random.Random, seconds: float, writes: int) -> bool:
    """Starts or resumes a run and kills it, half of the times around a write; False if it had ended before."""
    at_write = draw.random() < 0.5
    kill = KillAtWrite(draw.randrange(writes), draw.choice([1e-6, draw.uniform(0, 0.003)]))
    process = start(folder, command(folder, draw.choice(WORKERS)), kill if at_write else None)
    process.join(None if at_write else draw.uniform(0, seconds))
    killed = process.is_alive() or process.exitcode == -signal.SIGALRM
    with suppress(ProcessLookupError):
        # the group: the workers of a killed process as well
        os.killpg(process.pid or 0, signal.SIGKILL if at_write else draw.choice([signal.SIGKILL, signal.SIGTERM]))
    process.join()
    return killed


def differing(one: Path, other: Path) -> list[str]:
    """What differs between two finished runs."""
    names = ("last", "best")
    files = [[torch.load(each / "checkpoints" / f"{name}.ckpt") for each in (one, other)] for name in names]
    found = [f"{name}{line}" for name, pair in zip(names, files, strict=True) for line in differences(*pair)]
    scores = [{**json.loads((each / "scores_test.json").read_bytes()), "cost": None} for each in (one, other)]
    found += [f"scores_test.json{line}" for line in differences(scores[0], scores[1])]
    return found + ["metrics.csv"] * ((one / "metrics.csv").read_bytes() != (other / "metrics.csv").read_bytes())


def reference_run(root: Path) -> tuple[Path, float, int]:
    """An uninterrupted run: its folder, its seconds and its number of writes."""
    (root / "run.yaml").write_text(RUN)
    (folder := root / "reference").mkdir()
    writes, begin = multiprocessing.Value("i", 0), time.monotonic()

    def count() -> None:
        writes.value += 1

    process = start(folder, command(folder, 0), count)
    process.join()
    run = run_folder(folder)
    if process.exitcode or run is None:
        raise SystemExit(f"the run fails without kills, see {folder / 'log.txt'}")
    return run, time.monotonic() - begin, writes.value


def main() -> None:
    """Prints how many runs survived their kills, how many were lost, and how many differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draw, root = random.Random(options.seed), Path(tempfile.mkdtemp(prefix="seglit-chaos-"))
    reference, seconds, writes = reference_run(root)
    print(f"{root}: a run takes {seconds:.1f} s and {writes} writes", flush=True)
    kills = survived = lost = different = 0
    while kills < options.kills:
        (folder := root / f"{survived + lost}").mkdir()
        for _ in range(KILLS_PER_RUN):
            kills += kill_once(folder, draw, seconds, writes)
        run = run_folder(folder)
        if run is None or not (run / "scores_test.json").is_file():
            process = start(folder, command(folder, draw.choice(WORKERS)))
            process.join()
            if process.exitcode:
                lost += 1
                print(f"{kills} kills: lost, see {folder / 'log.txt'}", flush=True)
                continue
        survived += 1
        found = differing(run_folder(folder) or folder, reference)
        different += bool(found)
        print(f"{kills} kills: {f'differs in {found[:3]}, see {folder}' if found else 'same'}", flush=True)
    print(f"{kills} kills in {survived + lost} runs: survived {survived}, lost {lost}, differing {different}")
    raise SystemExit(lost + different > 0)


if __name__ == "__main__":
    main()
