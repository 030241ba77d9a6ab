"""Runs that continue on other validation images, or start again after images were added."""

import shutil
from pathlib import Path

import pytest
import torch
import yaml

from seglit.runs.checkpoint import RECORD_KEY
from seglit.runs.scores import SavedScores
from tests.conftest import Outcome, Run

FORGOTTEN = "its best score is not compared with those to come"


def copy_image(root: Path, split: str) -> None:
    """Adds an image of the test split to another one."""
    for folder in ("images", "masks"):
        shutil.copyfile(root / folder / "test" / "00000.png", root / folder / split / "added.png")


@pytest.fixture
def data(shapes: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(shapes, tmp_path / "shapes"))


@pytest.fixture
def folder(trained: Outcome, tmp_path: Path, shapes: Path, data: Path) -> Path:
    """A copy of the run, on the copied images, that stops early."""
    folder = Path(shutil.copytree(trained.folder, tmp_path / "runs" / "mine" / "copied"))
    config = (folder / "config.yaml").read_text()
    changed = config.replace(str(shapes), str(data)).replace("\npatience: null\n", "\npatience: 1\n")
    assert changed.count(str(data)) == changed.count("\npatience: 1\n") == 1
    (folder / "config.yaml").write_text(changed)
    return folder


def make_unbeatable(file: Path) -> None:
    """Changes a checkpoint as if its best score were 0.999."""
    state, score = torch.load(file, weights_only=True), torch.tensor(0.999)
    (key,) = (key for key in state["callbacks"] if key.startswith("BestCheckpoint"))
    best = state["callbacks"][key]
    best |= {"best_model_score": score, "kth_value": score, "best_k_models": {best["best_model_path"]: score}}
    stopping = {"wait_count": 0, "stopped_epoch": 0, "best_score": score, "patience": 1}
    state["callbacks"]["Patience{'monitor': 'val/miou', 'mode': 'max'}"] = stopping
    torch.save(state, file)


@pytest.mark.parametrize("changes", [False, True])
def test_best_score_of_other_validation_images_is_forgotten(
    folder: Path, data: Path, run: Run, caplog: pytest.LogCaptureFixture, changes: bool
) -> None:
    checkpoints = folder / "checkpoints"
    make_unbeatable(checkpoints / "last.ckpt")
    if changes:
        copy_image(data, "val")
    outcome = run("fit", "--resume", folder, "--trainer.max_epochs=4")
    assert outcome.code == 0, outcome.err
    best, last = (torch.load(checkpoints / f"{name}.ckpt", weights_only=True)["epoch"] for name in ("best", "last"))
    assert (best >= 2, last) == ((True, 3) if changes else (False, 2))  # without a better score, it stops
    forgotten = f"the validation images are not those of the checkpoint: {FORGOTTEN}"
    assert caplog.messages.count(forgotten) == changes
    assert ("added.png" in (folder / "splits" / "val.txt").read_text()) == changes


def test_best_score_at_another_size_is_forgotten(folder: Path, run: Run, caplog: pytest.LogCaptureFixture) -> None:
    make_unbeatable(folder / "checkpoints/last.ckpt")
    last = ["--ckpt_path", "runs/mine/copied/checkpoints/last.ckpt"]
    continued = run("fit", "-c", folder / "config.yaml", *last, "--data.resize=0.5", "--trainer.max_epochs=3")
    assert continued.code == 0, continued.err
    assert f"data.resize is not that of the checkpoint: {FORGOTTEN}" in caplog.messages
    best = torch.load(continued.folder / "checkpoints/best.ckpt", weights_only=True)
    assert (best["epoch"], best[RECORD_KEY]["resize"]) == (2, 0.5)
    config = continued.folder / "config.yaml"
    assert yaml.safe_load(config.read_text())["ckpt_path"] == str(folder / "checkpoints/last.ckpt")

    options = ["--init_from", continued.folder, "--trainer.max_epochs=1", "--test_after_fit=false"]
    anew = run("fit", "-c", config, *options)  # which names the checkpoint that was continued
    assert anew.code == 0, anew.err
    assert f"starting from the weights of {continued.folder}" in anew.out
    assert torch.load(anew.folder / "checkpoints/last.ckpt", weights_only=True)["epoch"] == 0


def test_best_checkpoint_of_a_finished_training_is_tested(folder: Path, data: Path, run: Run) -> None:
    (folder / "scores_test.json").unlink()
    copy_image(data, "val")
    outcome = run("fit", "--resume", folder)
    assert outcome.code == 0, outcome.err
    assert SavedScores.read(folder).checkpoint == "checkpoints/best.ckpt"


def test_run_without_a_checkpoint_lists_the_images_that_it_starts_on(folder: Path, data: Path, run: Run) -> None:
    shutil.rmtree(folder / "checkpoints")
    copy_image(data, "train")
    for kind in ("images", "masks"):
        shutil.rmtree(data / kind / "test")
    outcome = run("fit", "--resume", folder)
    assert outcome.code == 0, outcome.err
    expected = [*(f"images/train/{index:05d}.png" for index in range(5)), "images/train/added.png"]
    assert (folder / "splits" / "train.txt").read_text().splitlines() == expected
    assert not (folder / "splits" / "test.txt").exists()
