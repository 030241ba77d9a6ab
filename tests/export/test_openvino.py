"""OpenVINO files: precisions, no data, and 8 bits under the control of mean IoU."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import seglit
from seglit.predict import Settings
from tests.conftest import Outcome, Run
from tests.export.checkpoints import export, picture, write_checkpoint

openvino = pytest.importorskip("openvino", reason="the extra `openvino` is not installed")


def test_file_predicts_as_its_checkpoint(tmp_path: Path) -> None:
    """In float32, although the CPU may have bfloat16, which OpenVINO prefers."""
    checkpoint = write_checkpoint(tmp_path / "a.ckpt", "seglit.networks.UNet", channels=[4, 8])
    options = ["--format=openvino", "--probabilities"]
    file = export(tmp_path, checkpoint, *options, name="model.xml")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ckpt", "model.bin", "model.xml", "model.xml.json"]
    ours, theirs = seglit.load(file), seglit.load(checkpoint)
    theirs.settings = Settings(precision="32-true")
    difference = np.abs(ours.probabilities(picture(71, 50)) - theirs.probabilities(picture(71, 50))).max()
    assert difference < 1e-5
    assert str(Path(seglit.__file__).parent) not in file.read_text()


def test_best_precision_keeps_one_file_within_the_limit(trained: Outcome, run: Run, tmp_path: Path) -> None:
    pytest.importorskip("nncf", reason="the extra `openvino` is not installed")
    outcome = run("export", trained.folder, "--format=openvino", "--precision=best", "--output=model.xml")
    assert outcome.code == 0, outcome.err
    tried = re.findall(r"(?m)^(\w+): [\d.]+ MB, ([\d.]+) ms, mean IoU [\d.]+$", outcome.out)
    assert {name for name, _ in tried} >= {"float32", "int8"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.bin", "model.xml", "model.xml.json"]
    description = json.loads((tmp_path / "model.xml.json").read_text())
    assert f"kept {description['precision']}\n" in outcome.out
    assert description["proof"]["validation"]["miou"] >= description["proof"]["validation"]["miou_pytorch"] - 0.005


def test_foreign_file_is_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "x.xml").write_text("<net/>")
    outcome = run("predict", "x.xml", "x.xml")
    assert outcome.code == 2
    assert len(outcome.err.splitlines()) == 1
