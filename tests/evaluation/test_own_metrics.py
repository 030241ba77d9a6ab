"""The user's own metrics in the log, the table, the score file, the report page and compare."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from seglit.drawing.shapes import write_folder
from seglit.errors import InputError
from seglit.evaluation.own_metrics import OwnMetrics, by_name
from tests.conftest import CLASS_NAMES, QUIET, Run
from tests.runs.ranks import Images

METRICS = '''
import torch
from torchmetrics import Metric


class Hits(Metric):
    """Weighted pixel accuracy; checks the documented inputs."""

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = weight
        self.add_state("correct", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("labelled", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, preds, target):
        assert preds.dtype == target.dtype == torch.int64
        assert preds.shape == target.shape and preds.ndim == 3
        assert preds.max() < 6
        self.correct += ((preds == target) & (target != 255)).sum()
        self.labelled += (target != 255).sum()

    def compute(self):
        return self.weight * self.correct / self.labelled


class Predicted(Metric):
    """Number of images in which each class is predicted."""

    def __init__(self) -> None:
        super().__init__()
        self.add_state("images", torch.zeros(6), dist_reduce_fx="sum")

    def update(self, preds, target):
        self.images += torch.stack([(preds == index).any(2).any(1).sum() for index in range(6)])

    def compute(self):
        return self.images
'''


def test_metrics_from_a_file_next_to_the_yaml(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "hits.py").write_text(METRICS)
    (tmp_path / "run.yaml").write_text(
        "data:\n"
        "  class_path: seglit.data.FolderDataModule\n"
        f"  init_args: {{root: shapes, class_names: [{', '.join(CLASS_NAMES)}], batch_size: 3, num_workers: 0}}\n"
        "model:\n"
        "  network: {class_path: seglit.networks.UNet, init_args: {channels: [4, 8]}}\n"
        "  metrics:\n"
        "    - hits.Hits\n"
        "    - hits.Predicted\n"
        "    - {class_path: hits.Hits, init_args: {weight: 2.0}}\n"
        "trainer: {max_epochs: 2}\n"
        "checkpoint: {monitor: val/Hits_2}\n"
    )
    write_folder(tmp_path / "shapes", 6, 3, 4, (32, 32))
    for path in (tmp_path / "shapes/masks/test").iterdir():  # adds void
        mask = np.array(Image.open(path))
        mask[:4] = 255
        Image.fromarray(mask).save(path)
    settings = ["-c", "run.yaml", "--data.ignore_values=[255]", "--pictures.count=0", *QUIET]
    outcome = run("fit", *settings)
    assert outcome.code == 0, outcome.err

    content = json.loads((outcome.folder / "scores_test.json").read_text())
    accuracy = content["scores"]["pixel_accuracy"]
    assert content["metrics"]["Hits"] == pytest.approx(accuracy, abs=1e-6)
    assert content["metrics"]["Hits_2"] == pytest.approx(2 * accuracy, abs=1e-6)
    assert content["metrics"]["Predicted"].keys() == set(CLASS_NAMES)
    assert 4 <= sum(content["metrics"]["Predicted"].values()) <= 24

    with (outcome.folder / "metrics.csv").open() as lines:
        rows = [row for row in csv.DictReader(lines) if row["val/Hits"]]
    assert [float(row["val/Hits"]) for row in rows] == pytest.approx([float(row["val/pixel_accuracy"]) for row in rows])
    assert all(row["val/Predicted/star"] for row in rows)
    best = torch.load(outcome.folder / "checkpoints/best.ckpt", weights_only=True)
    (state,) = (state for name, state in best["callbacks"].items() if name.startswith("BestCheckpoint"))
    assert state["monitor"] == "val/Hits_2"

    assert "Predict" in outcome.out  # a column, wrapped in a narrow terminal
    assert f"Hits_2                  {2 * accuracy:.3f}" in outcome.out
    assert run("report", outcome.folder).code == 0
    page = (outcome.folder / "report.html").read_text()
    assert f"<b>Hits_2</b><big>{2 * accuracy:.3f}</big>" in page
    assert ">Predicted</button>" in page

    again = run("fit", *settings, "--trainer.max_epochs=1")
    comparison = json.loads(run("compare", outcome.folder, again.folder, "--json").out)
    assert comparison["metrics"]["Hits"][0] == pytest.approx(accuracy, abs=1e-6)
    assert len(comparison["metrics"]) == 2 + len(CLASS_NAMES)
    compared = run("compare", outcome.folder, again.folder, "--output=page.html")
    assert "Predicted/star" in compared.out
    assert "<td>Predicted/star</td>" in (tmp_path / "page.html").read_text()


def test_rejects_values_of_other_shapes() -> None:
    metrics = OwnMetrics([Images((2, 3))], CLASS_NAMES)
    metrics.update(torch.zeros(1, 4, 4), torch.zeros(1, 4, 4), ["a"])
    message = r"model.metrics: Images.compute returns a tensor of shape \(2, 3\); it must be one"
    with pytest.raises(InputError, match=message):
        metrics.compute()


def test_metrics_of_the_same_class_are_numbered() -> None:
    metrics = OwnMetrics([Images(), Images((6,)), Images()], CLASS_NAMES)
    metrics.update(torch.zeros(2, 4, 4), torch.zeros(2, 4, 4), ["a", "b"])
    values = metrics.compute()
    assert values == {"Images": 2.0, "Images_2": dict.fromkeys(CLASS_NAMES, 2.0), "Images_3": 2.0}
    assert by_name(values)["Images_2/box"] == 2.0
    metrics.reset()
    metrics.update(torch.zeros(1, 4, 4), torch.zeros(1, 4, 4), ["a"])
    assert metrics.compute()["Images"] == 1.0
