"""A fork renames the package, and deletes rooms that it does not need."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.structure import REPOSITORY, package

ROOMS = (
    *("inspect", "preview", "predict", "report", "compare", "completion"),
    *("export", "exported", "serve", "demo"),
    "data/public",
)
FIT = ["fit", "-c", "configs/experiment/shapes.yaml", "--trainer.max_steps", "2", "--data.num_workers", "0"]

Python = Callable[..., str]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the repository without its environment and caches."""
    fork = tmp_path / "fork"
    outputs = {"data", "runs", "wandb", "dist", "build"}
    for entry in REPOSITORY.iterdir():
        if entry.is_dir() and entry.name not in outputs and not entry.name.startswith("."):
            shutil.copytree(entry, fork / entry.name, ignore=shutil.ignore_patterns("__pycache__"))
        elif entry.is_file():
            fork.mkdir(exist_ok=True)
            shutil.copy(entry, fork)
    return fork


def python(folder: Path, *arguments: str) -> str:
    """Runs this interpreter in a folder, with packages found there first."""
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_renamed_package(copy: Path) -> None:
    assert "renamed" in python(copy, "-m", "tools.rename", "cracks")
    assert package(copy).name == "cracks"
    files = [file for file in copy.rglob("*") if file.is_file() and file.suffix not in (".png", ".pyc")]
    left = [file.name for file in files if package().name in file.read_text(encoding="utf-8", errors="replace").lower()]
    assert left == ["LICENSE"]
    python(copy, "-m", "ruff", "check", "--no-cache")
    python(copy, "-m", "ruff", "format", "--check", "--no-cache")
    python(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_layers.py", "-k", "room")
    assert "pixel accuracy" in python(copy, "-m", "cracks", *FIT)


@pytest.mark.parametrize("name", ["seglit", "import", "json", "tests", "My-Net", "9net"])
def test_impossible_names_are_rejected(copy: Path, name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.rename", name], cwd=copy, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"rename: {name!r}")
    assert done.stderr.count("\n") == 1
    assert package(copy).name == package().name


def test_training_without_the_other_rooms(copy: Path) -> None:
    for room in ROOMS:
        shutil.rmtree(package(copy) / room)
    assert "pixel accuracy" in python(copy, "-m", package().name, *FIT)
    commands = re.findall(r"(?m)^  (\w+)  ", python(copy, "-m", package().name, "--help"))
    assert commands == ["fit", "validate", "test", "shapes"]
