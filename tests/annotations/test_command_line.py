"""Label formats on the command line: from the tool's files to a tested run, and mistakes in one line."""

from pathlib import Path

import pytest
import yaml

from tests.annotations import test_yolo
from tests.conftest import Run
from tests.corpus.conftest import TINY, only_line


def data_file(root: Path, reader: object) -> Path:
    file = root.parent / "data.yaml"
    settings = {"root": str(root), "reader": reader, "draw_boxes": True}
    file.write_text(yaml.safe_dump({"class_path": "seglit.data.AnnotationDataModule", "init_args": settings}))
    return file


@pytest.mark.parametrize(
    "reader", ["seglit.annotations.Yolo", {"class_path": "seglit.annotations.Yolo", "init_args": {"data": "data.yaml"}}]
)
def test_trains_and_tests(run: Run, tmp_path: Path, reader: object) -> None:
    root = test_yolo.write(tmp_path / "pets")
    (root / "labels/train/0000.txt").write_text("1 0.5 0.5 0.2 0.25\n")
    outcome = run("fit", "--data", data_file(root, reader), *TINY)
    assert outcome.code == 0, outcome.err
    header = (outcome.folder / "metrics.csv").read_text().splitlines()[0]
    assert "val/iou/dog" in header
    again = run(
        "validate", "-c", outcome.folder / "config.yaml", f"--ckpt_path={outcome.folder / 'checkpoints/last.ckpt'}"
    )
    assert again.code == 0, again.err


def test_mistakes_are_one_line(run: Run, tmp_path: Path) -> None:
    root = test_yolo.write(tmp_path / "pets")
    outcome = run("fit", "--data", data_file(root, "seglit.annotations.Yollo"), *TINY)
    assert outcome.code == 2
    assert "has no class 'Yollo'; did you mean 'Yolo'?" in only_line(outcome.err)
    reader = {"class_path": "seglit.annotations.Yolo", "init_args": {"dta": "data.yaml"}}
    outcome = run("fit", "--data", data_file(root, reader), *TINY)
    assert outcome.code == 2
    assert "did you mean 'data'" in only_line(outcome.err)
    outcome = run(
        "fit", "--data", data_file(root, "seglit.annotations.Yolo"), "--data.class_names=[background,cta]", *TINY
    )
    assert outcome.code == 2
    assert only_line(outcome.err).endswith("have no class 'cta'; did you mean 'cat'?")
    outcome = run("fit", "--data", data_file(root, "seglit.annotations.Yolo"), "--data.line_width=-1", *TINY)
    assert outcome.code == 2
    assert only_line(outcome.err).endswith("line_width is -1.0; give a width in pixels above 0, such as 3")
