"""Two ranks on CPUs: how they are started, ends of one that is killed, resuming bit by bit: `make ranks`.

Every run has a network with unused weights, and images of different sizes, so that validations of ranks differ.
"""

import argparse
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import yaml
from PIL import Image

from seglit.drawing.shapes import write_folder
from tests.chaos import differing
from tests.conftest import CLASS_NAMES

REPOSITORY = Path(__file__).parents[1]
LIMIT = 60  # seconds in which a run has to end after a kill
KILLS_PER_RUN = 2
TORCHRUN = [sys.executable, "-m", "torch.distributed.run"]
STRATEGIES = {
    "DDP": "ddp_find_unused_parameters_true",
    "FSDP2": {
        "class_path": "pytorch_lightning.strategies.ModelParallelStrategy",
        "init_args": {"save_distributed_checkpoint": False},
    },
}


def write_inputs(root: Path) -> None:
    """Writes the data, and a configuration for each strategy and each rank to kill."""
    write_folder(root / "shapes", 12, 5, 5, (32, 32))
    for split, size in (("val", (40, 24)), ("test", (24, 48))):
        for kind in ("images", "masks"):
            file = root / "shapes" / kind / split / "00003.png"
            with Image.open(file) as image:
                image.resize(size, Image.Resampling.NEAREST).save(file)
    settings = {"root": str(root / "shapes"), "class_names": CLASS_NAMES, "batch_size": 1, "num_workers": 0}
    trainer = {"max_epochs": 4, "accumulate_grad_batches": 2, "log_every_n_steps": 1, "accelerator": "cpu"}
    trainer |= {"precision": "32-true", "enable_progress_bar": False, "enable_model_summary": False}
    config = {
        "data": {"class_path": "seglit.data.FolderDataModule", "init_args": settings},
        "model": {
            "network": {"class_path": "tests.runs.ranks.PartlyUsed"},
            "optimizer": {"class_path": "torch.optim.AdamW", "init_args": {"lr": 0.01}},
        },
        "pictures": {"count": 0},
        "save_steps": 1,
    }
    for name, strategy in STRATEGIES.items():
        text = yaml.dump({**config, "trainer": {**trainer, "strategy": strategy}})
        (root / f"{name}.yaml").write_text(text)
    for rank in (0, 1):
        kill = {"class_path": "tests.runs.ranks.KillRank", "init_args": {"rank": rank, "step": 4}}
        (root / f"kill-{rank}.yaml").write_text(yaml.dump({"trainer": {"callbacks": kill}}))


def launchers() -> dict[str, list[list[str]]]:
    """The commands that start two ranks, up to further arguments of `seglit fit`; of two machines, one each."""
    fit = ["-m", "seglit", "fit", "--trainer.devices"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = ["--master-addr=127.0.0.1", f"--master-port={free.getsockname()[1]}"]
    machine = [*TORCHRUN, "--nnodes=2", "--nproc-per-node=1", *address]
    return {
        "Lightning": [[sys.executable, *fit, "2"]],
        "torchrun": [[*TORCHRUN, "--standalone", "--nproc-per-node=2", *fit, "2"]],
        "two torchruns": [[*machine, f"--node-rank={rank}", *fit, "1", "--trainer.num_nodes=2"] for rank in (0, 1)],
    }


def start(folder: Path, commands: list[list[str]], *args: object) -> list[subprocess.Popen[bytes]]:
    """Starts the commands in a folder, each in a process group of its own."""
    folder.mkdir(exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    with (folder / "log.txt").open("ab") as log:
        return [
            subprocess.Popen(
                [*command, *map(str, args)], cwd=folder, env=environment, stdout=log, stderr=log, process_group=0
            )
            for command in commands
        ]


def run_folder(folder: Path) -> Path | None:
    """The run folder, if its configuration was written."""
    return next((file.parent for file in folder.glob("runs/*/*/config.yaml")), None)


def finish(folder: Path, commands: list[list[str]], *args: object) -> Path:
    """Runs the commands to the end; returns the run folder, the only one."""
    codes = [process.wait() for process in start(folder, commands, *args)]
    (run,) = (file.parent for file in folder.glob("runs/*/*/config.yaml"))  # not one that was killed before
    if any(codes) or not (run / "scores_test.json").is_file():
        raise SystemExit(f"exit codes {codes}, see {folder / 'log.txt'}")
    return run


def kill_at_step(folder: Path, commands: list[list[str]], rank: int) -> tuple[bool, str]:
    """Kills a rank at a step; returns whether the run ended as it should, and how."""
    processes = start(folder, commands, "-c", folder.parent / "DDP.yaml", "-c", folder.parent / f"kill-{rank}.yaml")
    while any(process.poll() is None for process in processes) and not (folder / "killed").exists():
        time.sleep(0.1)
    begin = time.monotonic()
    if not all_ended(processes):
        return False, f"still runs after {LIMIT} s"
    seconds, codes = time.monotonic() - begin, [process.wait() for process in processes]
    text = (folder / "log.txt").read_text(errors="replace")
    lines = [line for line in text.splitlines() if line.startswith("seglit: error: ")]
    named = [f"rank {rank} " in line for line in lines]
    resume = f"fit --resume {run_folder(folder)}" in text
    return all(codes) and named == [True] and resume, f"exit codes {codes} after {seconds:.0f} s, {lines}"


def kill_at_random(folder: Path, command: list[str], draw: random.Random, seconds: float, *args: object) -> str:
    """Kills one rank, or both, after a time, and waits for the other; returns what was killed.

    Raises:
        SystemExit: The other rank does not end.
    """
    (process,) = start(folder, [command], *args)
    with suppress(subprocess.TimeoutExpired):
        process.wait(draw.uniform(0.2, 0.9) * seconds)
        return "nothing"
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    target = draw.choice(["both", "rank 0", "rank 1"])
    with suppress(ProcessLookupError):
        if target == "both" or not children:
            os.killpg(process.pid, draw.choice([signal.SIGKILL, signal.SIGTERM]))
        else:
            os.kill(process.pid if target == "rank 0" else int(children[0]), signal.SIGKILL)
    if not all_ended([process]):
        raise SystemExit(f"{target} was killed, the other one still runs after {LIMIT} s; see {folder}")
    return target


def all_ended(processes: list[subprocess.Popen[bytes]]) -> bool:
    """Waits until no process of their groups is left, ranks that outlive a killed one included; kills them if late."""
    deadline = time.monotonic() + LIMIT
    left = processes
    while left and time.monotonic() < deadline:
        time.sleep(0.1)
        left = [process for process in left if process.poll() is None or _has_group(process)]
    for process in left:
        os.killpg(process.pid, signal.SIGKILL)
    return not left


def _has_group(process: subprocess.Popen[bytes]) -> bool:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, 0)
        return True
    return False


def check_launchers(root: Path) -> tuple[list[bool], dict[str, Path], float]:
    """Runs each strategy by each launcher; they have to be equal. Returns also Lightning's runs, and their seconds."""
    right: list[bool] = []
    references: dict[str, Path] = {}
    begin = time.monotonic()
    for strategy in STRATEGIES:
        for name, commands in launchers().items():
            run = finish(root / f"{strategy}-{name}", commands, "-c", root / f"{strategy}.yaml")
            right.append(compare(f"{strategy}, {name}", run, references.setdefault(strategy, run)))
    return right, references, (time.monotonic() - begin) / len(right)


def check_kills(root: Path) -> list[bool]:
    """Kills each rank once by each launcher."""
    right = []
    for name, commands in launchers().items():
        for rank in (0, 1):
            ok, ends = kill_at_step(root / f"{name}-{rank}", commands, rank)
            print(f"{'ok' if ok else 'WRONG'}: {name}, rank {rank} killed: {ends}", flush=True)
            right.append(ok)
    return right


def check_resuming(root: Path, draw: random.Random, references: Mapping[str, Path], seconds: float) -> bool:
    """Kills a run twice, resumes it, and compares it with one that was not killed."""
    strategy, command = draw.choice([*STRATEGIES]), launchers()["Lightning"][0]
    folder = Path(tempfile.mkdtemp(dir=root))

    def args() -> list[object]:
        run = run_folder(folder)
        return ["--resume", run] if run else ["-c", root / f"{strategy}.yaml"]

    killed = [kill_at_random(folder, command, draw, seconds, *args()) for _ in range(KILLS_PER_RUN)]
    if not [*folder.glob("runs/*/*/scores_test.json")]:
        finish(folder, [command], *args())
    (run,) = (file.parent for file in folder.glob("runs/*/*/config.yaml"))  # not one that was killed before
    return compare(f"{strategy}, killed {', '.join(killed)}", run, references[strategy])


def compare(what: str, run: Path, reference: Path) -> bool:
    """Whether two runs are equal, bit by bit; prints it."""
    found = differing(run, reference)
    print(f"WRONG: {what}: differs in {found[:3]}, see {run}" if found else f"ok: {what}: same", flush=True)
    return not found


def main() -> None:
    """Prints what each check found; exit code 1 if one failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resumes", type=int, default=4, help=f"runs that are killed {KILLS_PER_RUN} times")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draw, root = random.Random(options.seed), Path(tempfile.mkdtemp(prefix="seglit-ranks-"))
    write_inputs(root)
    right, references, seconds = check_launchers(root)
    right += check_kills(root)
    right += [check_resuming(root, draw, references, seconds) for _ in range(options.resumes)]
    raise SystemExit(not all(right))


if __name__ == "__main__":
    main()
