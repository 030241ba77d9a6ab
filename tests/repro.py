"""Trains twice, in two processes, and compares them bit by bit: `make repro CONFIG=mine.yaml ARGS=--steps=20`.

A third process trains a step with `torch.use_deterministic_algorithms(True, warn_only=True)`, to name the operators
that have no deterministic implementation on this device.
"""

import argparse
import hashlib
import multiprocessing
import re
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from seglit.__main__ import main as command_line

_OPTIONS = (
    *("--test_after_fit=false", "--trainer.num_sanity_val_steps=0", "--trainer.log_every_n_steps=1"),
    *("--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false", "--experiment=repro"),
)
_NAMED = "trainer: {deterministic: warn, callbacks+: {class_path: tests.repro.NameOperators, init_args: {file: %s}}}"
_OPERATOR = re.compile(r"(\S+) does not have a deterministic implementation")


class NameOperators(pl.Callback):
    """Writes the names of operators that warn that they are not deterministic.

    Args:
        file: The file to write, a name per line.
    """

    def __init__(self, file: str) -> None:
        self.file = Path(file)
        self.names = set[str]()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Reads warnings from now on, which the command line filters."""
        self.caught = warnings.catch_warnings(record=True)
        self.log = self.caught.__enter__()
        warnings.simplefilter("always")

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Writes the file."""
        self.caught.__exit__(None, None, None)
        found = (_OPERATOR.search(str(warning.message)) for warning in self.log or [])
        self.file.write_text("".join(f"{name}\n" for name in sorted({match[1] for match in found if match})))


def digests(run: Path) -> dict[str, str]:
    """Hashes of what a training left: of its weights, of the states of its optimizers, and of the logged losses."""
    checkpoint = torch.load(run / "checkpoints" / "last.ckpt", map_location="cpu", weights_only=True)
    parts = {"weights": checkpoint["state_dict"], "optimizer": checkpoint["optimizer_states"]}
    hashed = {name: hashlib.sha256() for name in parts}
    for name, part in parts.items():
        _update(hashed[name], part)
    losses = hashlib.sha256((run / "metrics.csv").read_bytes())
    return {name: digest.hexdigest()[:16] for name, digest in {**hashed, "losses": losses}.items()}


def _update(digest: Any, value: Any) -> None:
    if isinstance(value, Mapping):
        for key, part in value.items():
            digest.update(str(key).encode())
            _update(digest, part)
    elif isinstance(value, list | tuple):
        for part in value:
            _update(digest, part)
    elif isinstance(value, Tensor):
        digest.update(f"{value.dtype}{tuple(value.shape)}".encode())
        digest.update(value.contiguous().flatten().view(torch.uint8).numpy().tobytes())
    else:
        digest.update(repr(value).encode())


def compare(runs: Sequence[Path]) -> list[str]:
    """Prints the hashes of two runs, and returns the names of those that differ."""
    one, other = map(digests, runs)
    for name in one:
        sys.stdout.write(
            f"{name:<10} {one[name]}  {other[name]}  {'same' if one[name] == other[name] else 'DIFFERS'}\n"
        )
    return [name for name in one if one[name] != other[name]]


def train(folder: Path, *args: object) -> Path:
    """Trains in a process of its own, and returns its run folder."""
    options = [*map(str, args), *_OPTIONS, f"--trainer.default_root_dir={folder}"]
    process = multiprocessing.get_context("spawn").Process(target=_fit, args=(options,))
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(process.exitcode)
    return next(folder.glob("repro/*"))


def _fit(options: list[str]) -> None:
    sys.exit(command_line(["fit", *options]))


def main() -> None:
    """Prints hashes and operators; exits with 1 if the two trainings differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=20)
    options, args = parser.parse_known_args()
    with tempfile.TemporaryDirectory(prefix="seglit-repro-") as name:
        root = Path(name)
        (root / "named.yaml").write_text(_NAMED % (root / "operators.txt"))
        runs = [train(root / number, *args, f"--trainer.max_steps={options.steps}") for number in "12"]
        train(root / "3", *args, "-c", root / "named.yaml", "--trainer.max_steps=1")
        differing = compare(runs)
        operators = (root / "operators.txt").read_text().split()
    sys.stdout.write(f"operators without a deterministic implementation: {', '.join(operators) or 'none'}\n")
    if differing and not operators:
        sys.stdout.write("of several implementations, --trainer.deterministic true chooses a deterministic one\n")
    sys.exit(bool(differing))


if __name__ == "__main__":
    main()
