"""How long `seglit report` and `seglit compare` take for two runs that were tested on many images."""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

ROOT = Path(__file__).parents[1]


def time_pages(camvid: str | None, images: int, size: tuple[int, int]) -> dict[str, tuple[float, float]]:
    """Seconds of the commands, from start to exit, and of processor time, after two trainings of two steps.

    Args:
        camvid: Folder of CamVid; None for synthetic shapes.
        images: Number of test images of the shapes.
        size: Height and width of the shapes.
    """
    with TemporaryDirectory() as folder:
        data = ["shapes.yaml", f"--data.init_args.num_test={images}", f"--data.init_args.size={list(size)}"]
        if camvid is not None:
            data = ["camvid.yaml", f"--data.init_args.root={Path(camvid).absolute()}"]
        for run in "ab":
            arguments = ["fit", "-c", f"configs/experiment/{data[0]}", *data[1:], f"--experiment={run}"]
            arguments += ["--model.network.init_args.channels=[4,8]", "--trainer.max_epochs=1"]
            arguments += ["--trainer.limit_train_batches=2", "--trainer.limit_val_batches=1"]
            arguments += ["--trainer.check_val_every_n_epoch=1", f"--trainer.default_root_dir={folder}"]
            _run([*arguments, f"--seed_everything={ord(run)}"])
        runs = [str(next(Path(folder).glob(f"**/{run}/*/scores_test.json")).parent) for run in "ab"]
        page = str(Path(folder) / "compare.html")
        return {
            "seglit report": _run(["report", runs[0]]),
            "seglit compare": _run(["compare", *runs]),
            "seglit compare --output": _run(["compare", *runs, "--output", page]),
        }


def _run(arguments: list[str]) -> tuple[float, float]:
    """Seconds from start to exit, and of processor time, of a command."""
    before, start = os.times(), perf_counter()
    subprocess.run([sys.executable, "-m", "seglit", *arguments], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return perf_counter() - start, cpu
