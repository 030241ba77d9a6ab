"""An image for which the network answers NaN has no mask."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

import seglit
from seglit.errors import RunError
from seglit.images import tiff
from tests.conftest import Run
from tests.predict.brightest import WATER, checkpoint


def test_others_are_predicted(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = torch.load(checkpoint(tmp_path / "dark.ckpt", WATER), weights_only=True)
    content["seglit"]["network"] = {"class_path": "tests.callbacks.failing.Failing", "init_args": {"num_classes": 2}}
    content["state_dict"] = {name.replace(".", ".layer."): value for name, value in content["state_dict"].items()}
    torch.save(content, tmp_path / "dark.ckpt")
    (tmp_path / "in").mkdir()
    bright = np.full((130, 40, 3), 200, np.uint8)
    dark = bright.copy()
    dark[-1, -1] = 0
    for name, image in {"1": bright, "2": dark, "3": bright}.items():
        Image.fromarray(image).save(tmp_path / "in" / f"{name}.png")
    monkeypatch.setattr(tiff, "LARGE", 100)
    tifffile.imwrite(tmp_path / "in" / "4.tif", dark)
    options = ["--output=out", "--probabilities", "--overlays", "--tile=64", "--trust=tests"]
    code, out, err = run("predict", "dark.ckpt", "in", *options)
    assert code == 1
    assert out.startswith("2 images predicted in ")
    failed = [line for line in err.splitlines() if line.startswith("not predicted")]
    assert failed == [
        f"not predicted: {tmp_path / 'in' / name}: the network answers NaN or infinity" for name in ("2.png", "4.tif")
    ]
    written = {path.name for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert written - {"predictions.json"} == {"1.png", "3.png", "1.npy", "3.npy"}
    predictor = seglit.load(tmp_path / "dark.ckpt", trust="tests")
    assert (predictor(bright) == 1).all()
    with pytest.raises(RunError, match="the network answers NaN"):
        predictor(dark)
