"""The example project trains as its README describes."""

import json
from pathlib import Path

import pytest

from tests.conftest import Run
from tools.structure import REPOSITORY


def test_rings(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(REPOSITORY / "examples")
    options = [
        "--trainer.max_epochs=2",
        "--data.num_train=32",
        "--data.num_eval=8",
        f"--trainer.default_root_dir={tmp_path}",
    ]
    code, out, err = run("fit", "-c", str(REPOSITORY / "examples/rings/rings.yaml"), *options)
    assert code == 0, err
    assert "│ AreaError │" in out.replace("┃", "│")
    (file,) = tmp_path.glob("rings/*/scores_test.json")
    assert len(json.loads(file.read_text(encoding="utf-8"))["metrics"]["AreaError"]) == 3
