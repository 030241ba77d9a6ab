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


def copy_repository(fork: Path) -> Path:
    """Copies the repository without its environment and caches."""
    outputs = {"data", "runs", "wandb", "dist", "build"}
    fork.mkdir()
    for entry in REPOSITORY.iterdir():
        if entry.is_dir() and entry.name not in outputs and not entry.name.startswith("."):
            shutil.copytree(entry, fork / entry.name, ignore=shutil.ignore_patterns("__pycache__"))
        elif entry.is_file() and not entry.name.startswith(".coverage"):
            shutil.copy(entry, fork)
    return fork


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_repository(tmp_path_factory.mktemp("fork") / "unchanged")


def python(folder: Path, *arguments: str) -> str:
    """Runs this interpreter in a folder, with packages found there first."""
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.starts_processes
def test_renamed_package_trains_without_the_other_rooms(tmp_path: Path) -> None:
    fork = copy_repository(tmp_path / "fork")
    assert "renamed" in python(fork, "-m", "tools.rename", "cracks")
    assert package(fork).name == "cracks"
    files = [file for file in fork.rglob("*") if file.is_file() and file.suffix not in (".png", ".pyc")]
    left = [file.name for file in files if package().name in file.read_text(encoding="utf-8", errors="replace").lower()]
    assert left == ["LICENSE"]
    python(fork, "-m", "ruff", "check", "--no-cache")
    python(fork, "-m", "ruff", "format", "--check", "--no-cache")
    of_rooms = ["tests/test_layers.py", "-k", "room", "--noconftest"]  # conftest.py would import torch
    assert " passed" in python(fork, "-m", "pytest", "-q", "-p", "no:cacheprovider", *of_rooms)
    for room in ROOMS:
        shutil.rmtree(package(fork) / room)
    assert "pixel accuracy" in python(fork, "-m", "cracks", *FIT)
    commands = re.findall(r"(?m)^  (\w+)  ", python(fork, "-m", "cracks", "--help"))
    assert commands == ["fit", "validate", "test", "shapes"]


@pytest.mark.parametrize("name", ["seglit", "import", "json", "tests", "My-Net", "9net"])
def test_impossible_names_are_rejected(unchanged: Path, name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.rename", name], cwd=unchanged, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"rename: {name!r}")
    assert done.stderr.count("\n") == 1
    assert package(unchanged).name == package().name
