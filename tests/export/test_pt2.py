"""PyTorch's own files: loaded only if they are trusted, and native code that crops at every size."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import seglit
from seglit.export.scored_file import score_file
from seglit.exported.graph import TRACED_SIZE
from seglit.predict.settings import Settings
from seglit.runs.trusted import NotTrustedError
from tests.conftest import run_in
from tests.export.checkpoints import export, picture, write_checkpoint


def runtime(file: Path) -> str:
    """What ran the file, as the JSON beside it says."""
    text: str = json.loads(file.with_suffix(".pt2.json").read_text())["proof"]["runtime"]
    return text


def test_file_is_loaded_if_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-compiler")  # which would take a minute
    checkpoint = write_checkpoint(tmp_path / "a.ckpt", "seglit.networks.UNet", channels=[4, 8])
    outcome, file = run_in(tmp_path, "export", checkpoint, "--format=pt2", "--output=model.pt2"), tmp_path / "model.pt2"
    assert outcome.code == 0, outcome.err
    assert outcome.out.endswith(f"\nexported: model.pt2 ({runtime(file)})\n")
    assert runtime(file) == f"PyTorch {torch.__version__}, graph without native code"
    with pytest.raises(NotTrustedError, match=r"model.pt2: runs native code of its own; .* --trust pt2"):
        seglit.load(file)
    with pytest.raises(NotTrustedError, match="--trust pt2"):
        score_file(str(file), "config.yaml")
    expected = seglit.load(checkpoint)
    expected.settings = Settings(precision="32-true")
    assert np.mean(seglit.load(file, trust="pt2")(picture(71, 50)) == expected(picture(71, 50))) > 0.999
    assert str(Path(seglit.__file__).parent).encode() not in file.read_bytes()


@pytest.mark.skipif(not os.environ.get("SEGLIT_SLOW"), reason="takes minutes; set SEGLIT_SLOW=1 to run it")
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_native_code_is_right_at_any_size(tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / "a.ckpt", "seglit.networks.UNet", channels=[4, 8, 16])
    file = export(tmp_path, checkpoint, "--format=pt2", name="model.pt2")
    assert runtime(file) == f"PyTorch {torch.__version__}, native code"
    predictor = seglit.load(file, trust="pt2")
    expected = seglit.load(checkpoint)
    expected.settings = Settings(precision="32-true")
    for size in [(7, 5), (33, 40), (66, 98)]:
        assert np.mean(predictor(picture(*size)) == expected(picture(*size))) > 0.999


def test_five_levels_crop_at_the_traced_size() -> None:
    """AOTInductor leaves out the crop of a map that has the size of its skip, for any size."""
    for traced in TRACED_SIZE:
        side = traced
        for _ in range(5):
            assert side % 2 == 1
            side = (side + 1) // 2
