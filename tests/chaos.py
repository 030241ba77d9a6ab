"""Kills runs at random moments, resumes and compares them with an uninterrupted one: `make chaos ARGS=--kills=200`."""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import torch

from tests.runs.test_resume import differences

REPOSITORY = Path(__file__).parents[1]
KILLS_PER_RUN = 3
RUN = """
data:
  class_path: seglit.data.SyntheticDataModule
  init_args: {num_train: 40, num_val: 6, num_test: 6, num_workers: WORKERS, batch_size: 2, augment: strong}
model:
  network: {class_path: tests.runs.interrupted.Dropped}
  optimizer: {class_path: torch.optim.AdamW, init_args: {lr: 0.01, weight_decay: 0.01}}
trainer:
  max_epochs: 4
  accumulate_grad_batches: 2
  log_every_n_steps: 1
  accelerator: cpu
  enable_progress_bar: false
  callbacks: [{class_path: pytorch_lightning.callbacks.EMAWeightAveraging, init_args: {decay: 0.8}}]
save_steps: 3
"""


def start(folder: Path, *args: object) -> subprocess.Popen[bytes]:
    """`seglit fit ARGS` in a process group of its own."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "seglit", "fit", *map(str, args)]
    with (folder / "log.txt").open("ab") as log:
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, process_group=0)


def differing(one: Path, other: Path) -> list[str]:
    """What differs between two finished runs."""
    names = ("last", "best")
    files = [[torch.load(each / "checkpoints" / f"{name}.ckpt") for each in (one, other)] for name in names]
    found = [f"{name}{line}" for name, pair in zip(names, files, strict=True) for line in differences(*pair)]
    return found + ["metrics.csv"] * ((one / "metrics.csv").read_bytes() != (other / "metrics.csv").read_bytes())


def main() -> None:
    """Prints how many kills were survived, how many runs were lost, and how many differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draw, root = random.Random(options.seed), Path(tempfile.mkdtemp(prefix="seglit-chaos-"))
    (root / "reference").mkdir()
    (root / "run.yaml").write_text(RUN.replace("WORKERS", "0"))
    begin = time.monotonic()
    if start(root / "reference", "-c", root / "run.yaml").wait():
        raise SystemExit(f"the run fails without kills, see {root / 'reference' / 'log.txt'}")
    (reference,) = root.glob("reference/runs/*/*")
    duration = time.monotonic() - begin
    kills = survived = lost = different = 0
    while kills < options.kills:
        folder, workers = root / f"{kills}", draw.choice([0, 2])
        folder.mkdir()
        (folder / "run.yaml").write_text(RUN.replace("WORKERS", str(workers)))
        for _ in range(KILLS_PER_RUN):
            started = next((folder / "runs").glob("*/*/config.yaml"), None)
            process = start(folder, *(["--resume", started.parent] if started else ["-c", folder / "run.yaml"]))
            with suppress(subprocess.TimeoutExpired):
                process.wait(draw.uniform(0.3, 1.0) * duration)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, draw.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]))
                kills += 1
            process.wait()
        started = next((folder / "runs").glob("*/*/config.yaml"), None)
        print(f"{kills} kills, {workers} workers: ", end="", flush=True)
        done = started is not None and (started.with_name("scores_test.json")).is_file()
        args = ["--resume", started.parent] if started else ["-c", folder / "run.yaml"]
        if not done and start(folder, *args).wait():
            lost += 1
            print(f"lost, see {folder / 'log.txt'}")
            continue
        survived += 1
        found = differing(next((folder / "runs").glob("*/*/config.yaml")).parent, reference)
        different += bool(found)
        print(f"differs in {len(found)}: {found[:3]}, see {folder}" if found else "same")
    print(f"{kills} kills, {survived + lost} runs: survived {survived}, lost {lost}, differing {different}")
    raise SystemExit(lost + different > 0)


if __name__ == "__main__":
    main()
