"""From a folder of images and masks to a served mask."""

import json
import re
from pathlib import Path

import pytest

import seglit
from tests.conftest import QUIET, Run

pytest.importorskip("fastapi", reason="the extra `serve` is not installed")
pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")

from seglit.serve.app import create_app
from tests.serve.running import running


def test_from_photos_to_a_served_mask(run: Run, shapes: Path, tmp_path: Path) -> None:
    inspected = run("inspect", shapes, "--write", "mine.yaml")
    assert inspected.code in (0, 1), inspected.err  # 1: it finds the folder small
    assert re.search(r"seglit fit .*mine\.yaml", inspected.out)
    small = ["--model.network.channels=[4,8]", "--data.batch_size=2", "--pictures.count=0"]
    trained = run("fit", "--data", "mine.yaml", *small, *QUIET, "--trainer.max_epochs=1", "--data.num_workers=0")
    assert trained.code == 0, trained.err
    exported = run("export", trained.folder)
    assert exported.code == 0, exported.err
    (file,) = Path(tmp_path, trained.folder, "export").glob("*.onnx")
    photo = next(shapes.glob("**/test/**/*.jpg"), None) or next(shapes.glob("**/test/**/*.png"))
    predicted = run("predict", file, photo)
    assert predicted.code == 0, predicted.err
    (written,) = (tmp_path / "predictions" / "masks").glob("*.png")
    with running(create_app(seglit.load(file))) as service:
        assert service.predict(photo.read_bytes()) == written.read_bytes()
        reply = service.request("/predict?format=probabilities", photo.read_bytes())
        assert reply.status == 422
        message = "float32.onnx has masks, no probabilities: export it with --probabilities true"
        assert json.loads(reply.body) == {"detail": message}  # without a path of the server
