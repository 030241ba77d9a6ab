"""OpenVINO files: float32 on any CPU, and the fastest precision whose score holds.

In processes of their own: a training in one in which OpenVINO has run ended with a segmentation fault.
"""

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import seglit
from seglit.predict import Settings
from tests.conftest import Outcome
from tests.export.checkpoints import picture, write_checkpoint

pytestmark = pytest.mark.skipif(
    not all(map(find_spec, ("openvino", "nncf"))),
    reason="the extra `openvino` is not installed",
)


def call(folder: Path, *args: object) -> Outcome:
    command = [sys.executable, "-m", "seglit", *map(str, args)]
    environment = {**os.environ, "PYTHONPATH": str(Path(seglit.__file__).parents[1])}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return Outcome(done.returncode, done.stdout, done.stderr)


def test_file_predicts_as_its_checkpoint(tmp_path: Path) -> None:
    """In float32, although the CPU may have bfloat16, which OpenVINO prefers."""
    checkpoint = write_checkpoint(tmp_path / "a.ckpt", "seglit.networks.UNet", channels=[4, 8])
    options = ["--format=openvino", "--probabilities", "--output=model.xml"]
    assert call(tmp_path, "export", checkpoint, *options).code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ckpt", "model.bin", "model.xml", "model.xml.json"]
    Image.fromarray(picture(71, 50)).save(tmp_path / "a.png")
    assert call(tmp_path, "predict", "model.xml", "a.png", "--probabilities").code == 0
    expected = seglit.load(checkpoint)
    expected.settings = Settings(precision="32-true")
    stored = np.load(tmp_path / "predictions/probabilities/a.npy")
    assert np.abs(stored - expected.probabilities(picture(71, 50))).max() < 5e-4  # stored in float16
    assert str(Path(seglit.__file__).parent) not in (tmp_path / "model.xml").read_text()


def test_best_precision_keeps_one_file_within_the_limit(trained: Outcome, tmp_path: Path) -> None:
    outcome = call(tmp_path, "export", trained.folder, "--format=openvino", "--precision=best", "--output=model.xml")
    assert outcome.code == 0, outcome.err
    tried = re.findall(r"(?m)^(\w+): [\d.]+ MB, [\d.]+ ms, mean IoU [\d.]+$", outcome.out)
    assert {*tried} >= {"float32", "int8"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.bin", "model.xml", "model.xml.json"]
    description = json.loads((tmp_path / "model.xml.json").read_text())
    assert f"kept {description['precision']}\n" in outcome.out
    scores = description["proof"]["validation"]
    assert scores["miou"] >= scores["miou_pytorch"] - 0.005
