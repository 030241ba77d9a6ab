"""Class weights computed from the training masks: from the YAML to the loss."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from seglit.class_weights import FORMULAS, ClassCounts, count_classes
from seglit.data import FolderDataModule
from seglit.drawing.shapes import write_folder
from seglit.errors import InputError
from seglit.losses import CrossEntropy
from tests.conftest import CLASS_NAMES, Outcome, Run, run_in

CRITERION = "--model.criterion={class_path: seglit.losses.CrossEntropy, init_args: {class_weights: %s}}"


def reference(masks: list[NDArray[np.uint8]], formula: str, classes: int) -> list[float]:
    """The formulas as in their papers, scaled to a mean of 1 over the pixels."""
    pixels = np.array([sum((mask == index).sum() for mask in masks) for index in range(classes)], float)
    held = np.array([sum(mask.size for mask in masks if (mask == index).any()) for index in range(classes)], float)
    share = pixels / pixels.sum()
    frequency = pixels / held
    weights = {
        "median_frequency": np.median(frequency) / frequency,
        "inverse": 1 / share,
        "sqrt_inverse": share**-0.5,
        "enet": 1 / np.log(1.02 + share),
        "effective_number": 0.001 / (1 - 0.999 ** (share * 1e5)),
    }[formula]
    scaled: list[float] = (weights / (weights * share).sum()).tolist()
    return scaled


@pytest.mark.parametrize("formula", FORMULAS)
def test_formulas_match_the_papers(formula: str) -> None:
    generator = np.random.default_rng(0)
    masks = [generator.choice([0, 1, 2, 255], (9, 11), p=[0.7, 0.2, 0.05, 0.05]).astype(np.uint8) for _ in range(5)]
    masks[0][masks[0] == 2] = 0
    counts = ClassCounts.of_images(np.stack([count_classes(mask, 3) for mask in masks]))
    assert counts.weights(formula) == pytest.approx(reference(masks, formula, 3), abs=6e-4)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def auto(tiny: list[str], tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return run_in(tmp_path_factory.mktemp("auto"), "fit", *tiny, CRITERION % "auto")


def test_auto_equals_its_explicit_weights(auto: Outcome, shapes: Path, run: Run, tiny: list[str]) -> None:
    masks = [np.array(Image.open(path)) for path in sorted((shapes / "masks" / "train").glob("*.png"))]
    counts = ClassCounts.of_images(np.stack([count_classes(mask, len(CLASS_NAMES)) for mask in masks]))
    weights = counts.weights("sqrt_inverse")
    told = json.loads(run("inspect", shapes, "--json", "--workers=1").out)
    held = [value["stored"] for value in told["values"]]  # the smallest of sets may lack a class
    assert told["weights"]["sqrt_inverse"] == pytest.approx([weights[index] for index in held])
    given = run("fit", *tiny, CRITERION % json.dumps(weights))
    one, other = (torch.load(each.folder / "checkpoints" / "last.ckpt", weights_only=True) for each in (auto, given))
    assert all(torch.equal(one["state_dict"][name], other["state_dict"][name]) for name in one["state_dict"])
    plain = torch.load(run("fit", *tiny, CRITERION % "null").folder / "checkpoints" / "last.ckpt", weights_only=True)[
        "state_dict"
    ]
    assert not all(torch.equal(one["state_dict"][name], plain[name]) for name in plain)


class Elsewhere(torch.Tensor):
    """Imitates a tensor on another device: `.to` returns a new tensor."""

    def to(self, *_: object) -> torch.Tensor:  # type: ignore[override]
        return self.as_subclass(torch.Tensor).clone()


def test_weights_moved_in_inference_mode_can_train() -> None:
    criterion = CrossEntropy([1.0, 2.0])
    assert criterion.class_weights is not None
    criterion.class_weights = criterion.class_weights.as_subclass(Elsewhere)
    logits, mask = torch.zeros(1, 2, 3, 3, requires_grad=True), torch.zeros(1, 3, 3, dtype=torch.long)
    with torch.inference_mode():  # Lightning's sanity check
        criterion(logits, mask)
    criterion(logits, mask).backward()
    assert logits.grad is not None


def test_class_weights_with_weight_averaging(run: Run, tiny: list[str], tmp_path: Path) -> None:
    averaging = tmp_path / "averaging.yaml"
    averaging.write_text("trainer: {callbacks: {class_path: pytorch_lightning.callbacks.EMAWeightAveraging}}")
    outcome = run("fit", *tiny, CRITERION % "auto", "-c", averaging)
    assert outcome.code == 0, outcome.err


def test_checkpoint_restores_class_weights(auto: Outcome, shapes: Path, run: Run, tmp_path: Path) -> None:
    shutil.copytree(shapes, tmp_path / "kept", ignore=shutil.ignore_patterns("train"))
    config = ["-c", auto.folder / "config.yaml", "--data.root", tmp_path / "kept", "--trainer.default_root_dir=runs"]
    again = run("test", *config, "--ckpt_path", auto.folder / "checkpoints" / "best.ckpt")
    assert again.code == 0, again.err
    (other,) = (tmp_path / "runs").glob("*/*")
    assert loss(other) == pytest.approx(loss(auto.folder))


def loss(folder: Path) -> float:
    with (folder / "metrics.csv").open(newline="") as file:
        (found,) = [row["test/loss"] for row in csv.DictReader(file) if row["test/loss"]]
    return float(found)


def test_counts_are_cached_by_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_folder(tmp_path / "shapes", 3, 1, 1, (32, 32))

    def count() -> ClassCounts:
        return FolderDataModule(str(tmp_path / "shapes"), CLASS_NAMES, num_workers=0).count_classes()

    first = count()
    (kept,) = (tmp_path / "cache").rglob("*.npy")
    np.save(kept, np.load(kept) * 2)
    assert count().pixels == tuple(2 * pixels for pixels in first.pixels), "what was kept was counted again"
    mask = tmp_path / "shapes" / "masks" / "train" / "00000.png"
    Image.fromarray(np.zeros((32, 32), np.uint8)).save(mask)
    assert count().pixels[0] > first.pixels[0]
    assert sum(count().pixels) == sum(first.pixels), "the counts of another mask were taken"


def test_checkpoint_without_counts_is_rejected(trained: Outcome, run: Run) -> None:
    config = ["-c", trained.folder / "config.yaml", CRITERION % "auto", "--trainer.default_root_dir=runs"]
    code, _, err = run("test", *config, "--ckpt_path", trained.folder / "checkpoints" / "best.ckpt")
    assert code == 2
    assert "contains no class counts" in err.splitlines()[-1]


def test_invalid_formulas_are_rejected(run: Run, tiny: list[str]) -> None:
    code, _, err = run("fit", *tiny, CRITERION % "median")
    assert code == 2
    (line,) = [line for line in err.splitlines() if line.startswith("seglit: error: ")]
    assert "median_frequency" in line
    with pytest.raises(InputError, match="but the classes are not counted"):
        CrossEntropy("inverse")(torch.zeros(1, 2, 3, 3), torch.zeros(1, 3, 3, dtype=torch.long))
