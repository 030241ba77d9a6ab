"""How long a user waits for the command line, and for the first step of training."""

import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import pytorch_lightning as pl
from rich.box import MARKDOWN
from rich.table import Table

ROOT = Path(__file__).parents[1]
SEGLIT = ["-m", "seglit"]
MISSPELT = "--model.network.init_args.chanels=[8,16]"
COMMANDS = {
    "`seglit --version`": [*SEGLIT, "--version"],
    "`seglit --help`": [*SEGLIT, "--help"],
    "`import torch` alone": ["-c", "import torch"],
    "`import pytorch_lightning` alone": ["-c", "import pytorch_lightning"],
    "`seglit fit --help`": [*SEGLIT, "fit", "--help"],
    "`import seglit.cli, seglit.data, seglit.networks` alone": [
        "-c",
        "import seglit.cli, seglit.data, seglit.networks",
    ],
    "`seglit fit` with a misspelt setting of the network": [
        *(*SEGLIT, "fit", "-c", "configs/experiment/shapes.yaml"),
        MISSPELT,
    ],
}
FIRST_STEP = "the first step is done"


class FirstStep(pl.Callback):
    """Says when the first step is done, to whoever reads the standard output."""

    def on_train_batch_end(self, *_: Any) -> None:
        """Says it."""
        print(FIRST_STEP, flush=True)


def measure_startup(rounds: int = 3) -> Table:
    """Seconds until the command line answers, and from `seglit fit` to the end of the first step.

    Args:
        rounds: How often each is started; the median counts.
    """
    table = Table("what", title=f"start-up: median of {rounds}", box=MARKDOWN, title_justify="left")
    for heading in ("seconds", "of processor time"):
        table.add_column(heading, justify="right")
    for name, arguments in COMMANDS.items():
        times = zip(*(time_command(arguments) for _ in range(rounds)), strict=True)
        table.add_row(name, *(f"{median(seconds):.2f}" for seconds in times))
    first_step = median(time_first_step() for _ in range(rounds))
    table.add_row("`seglit fit -c configs/experiment/shapes.yaml` to step 1", f"{first_step:.2f}")
    return table


def time_command(arguments: list[str]) -> tuple[float, float]:
    """Seconds that Python takes with these arguments, from start to exit, and of processor time."""
    start, before = perf_counter(), os.times()
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, check=False)
    if done.returncode != (2 if MISSPELT in arguments else 0):
        raise RuntimeError(f"{arguments}: exit code {done.returncode}")
    after = os.times()
    own = after.children_user - before.children_user + after.children_system - before.children_system
    return perf_counter() - start, own


def time_first_step() -> float:
    """Seconds from the start of a training run to the end of its first step, Lightning's sanity check included."""
    with TemporaryDirectory() as folder:
        arguments = [*SEGLIT, "fit", "-c", "configs/experiment/shapes.yaml", "--trainer.max_steps=1"]
        arguments += ["--test_after_fit=false", f"--trainer.default_root_dir={folder}", "--data.init_args.num_val=16"]
        arguments += ["--trainer.callbacks+=benchmarks.startup.FirstStep"]
        start = perf_counter()
        command = [sys.executable, *arguments]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            seconds = next((perf_counter() - start for line in process.stdout or () if FIRST_STEP in line), None)
            process.communicate()
    if seconds is None or process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, command)
    return seconds
