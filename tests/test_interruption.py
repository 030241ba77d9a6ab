"""Ctrl-C ends a command with one line and exit code 130, and leaves nothing half written."""

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from seglit.predict import Predictor
from tests.conftest import Run
from tests.predict.brightest import WATER, checkpoint


def test_interrupted_prediction_is_completed_later(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint(tmp_path / "water.ckpt", WATER)
    (tmp_path / "in").mkdir()
    for index in range(6):
        Image.fromarray(np.full((20, 20 + index, 3), 200, np.uint8)).save(tmp_path / "in" / f"{index}.png")
    predict, calls = Predictor._scores, []

    def interrupted(self: Predictor, pixels: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            signal.raise_signal(signal.SIGINT)
        return predict(self, pixels)

    with monkeypatch.context() as patch:
        patch.setattr(Predictor, "_scores", interrupted)
        code, _, err = run("predict", "water.ckpt", "in", "--output=out")
    assert code == 130
    assert err == "seglit: interrupted\n"
    written = [file for file in (tmp_path / "out").rglob("*") if file.is_file() and file.name != "predictions.json"]
    assert {file.suffix for file in written} == {".png"}
    for file in written:
        with Image.open(file) as mask:
            assert np.asarray(mask).tolist() == np.full(mask.size[::-1], 255).tolist()
    assert run("predict", "water.ckpt", "in", "--output=out").out.startswith(f"{6 - len(written)} images predicted")


def test_interrupted_page_keeps_the_one_before(
    run: Run, tmp_path: Path, shapes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page" / "index.html"
    page.parent.mkdir()
    page.write_text("before")
    write = Path.write_text

    def interrupted(self: Path, text: str, **options: Any) -> int:
        write(self, text[:100], **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", interrupted)
        code, _, err = run("inspect", shapes, "--report=page")
    assert (code, err) == (130, "seglit: interrupted\n")
    assert page.read_text() == "before"
    assert list(page.parent.iterdir()) == [page]
