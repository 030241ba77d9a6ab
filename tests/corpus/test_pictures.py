"""Unusual and invalid images: each is read correctly, or rejected with a one-line error; other files are still read."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seglit.data import FolderDataModule
from seglit.errors import InputError
from tests.conftest import Run
from tests.corpus.conftest import TINY, findings, inspect, left_behind, only_line, read_all, read_written
from tests.corpus.files import COLORS, saved
from tests.corpus.pictures import PICTURES
from tests.predict.brightest import truth

BOMBS = "decompression_bomb"
GOOD = {"train/a": COLORS, "train/b": 255 - COLORS, "val/c": COLORS[::-1]}


def fill(root: Path, name: str) -> Path:
    """Creates three valid pairs, and the case's image with a valid mask; returns the image's path."""
    case = PICTURES[name]
    shown = COLORS if case.shows is None else case.shows
    masks = {**GOOD, f"train/{Path(case.name).stem}": shown}
    for pair, image in GOOD.items():
        (root / "images" / pair).parent.mkdir(parents=True, exist_ok=True)
        (root / "images" / f"{pair}.png").write_bytes(saved(image, "PNG"))
    for pair, image in masks.items():
        (root / "masks" / pair).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((truth(image) // 255).astype(np.uint8)).save(root / "masks" / f"{pair}.png")
    path = root / "images/train" / case.name
    case.write(path)
    return path


@pytest.mark.parametrize("name", PICTURES)
def test_images_are_read_correctly_or_rejected(name: str, tmp_path: Path, run: Run, ckpt: Path) -> None:
    case, root = PICTURES[name], tmp_path / "data"
    path = fill(root, name)
    plain = FolderDataModule(str(root), ["dark", "bright"], num_workers=0)
    inspected = inspect(run, root)
    predicted = run("predict", ckpt, root / "images", "--output=out", "--precision=32-true")
    shown = dict(GOOD)
    if case.shows is None:
        with pytest.raises(InputError) as error:
            read_all(plain)
        assert only_line(str(error.value)).startswith(f"{path}: ")
        assert case.refused in str(error.value)
        assert inspected.code == 1
        unusable = {**findings(inspected).get("unreadable_image", {}), **findings(inspected).get(BOMBS, {})}
        assert list(unusable) == [f"images/train/{case.name}"]
        assert case.refused in unusable[f"images/train/{case.name}"]
        assert predicted.code == 1
        assert only_line(predicted.err).startswith(f"not predicted: {path}: ")
    else:
        shown["train/x"] = case.shows
        assert findings(inspected).keys().isdisjoint({"unreadable_image", BOMBS})
        assert (predicted.code, predicted.err) == (0, "")
        for pair, (image, mask) in read_all(plain).items():
            np.testing.assert_array_equal(image, shown[pair])
            np.testing.assert_array_equal(mask, truth(shown[pair]) // 255)
    assert read_written(tmp_path / "data.yaml").keys() == shown.keys()
    files = sorted((tmp_path / "out/masks").rglob("*.*"))
    masks = {file.relative_to(tmp_path / "out/masks").with_suffix("").as_posix(): file for file in files}
    assert masks.keys() == shown.keys()
    for pair, file in masks.items():
        np.testing.assert_array_equal(Image.open(file), truth(shown[pair]))
    assert not left_behind(tmp_path)
    assert not list(root.rglob("sprung"))


@pytest.mark.parametrize("name", ["one pixel", "66,000 wide", "66,000 high"])
def test_training_with_images_of_extreme_size(name: str, tmp_path: Path, run: Run) -> None:
    fill(tmp_path / "data", name)
    for kind in ("images", "masks"):
        (file,) = (tmp_path / "data" / kind / "train").glob("x.*")
        file.replace(tmp_path / "data" / kind / "val" / file.name)
    folder = ["--data=seglit.data.FolderDataModule", f"--data.root={tmp_path / 'data'}"]
    outcome = run("fit", *folder, "--data.class_names=[dark,bright]", *TINY, "--pictures.count=8")
    assert outcome.code == 0, outcome.err
    assert max(np.asarray(Image.open(outcome.folder / "pictures/val.png")).shape) < 2_000


def test_training_with_a_constant_channel(tmp_path: Path, run: Run) -> None:
    for name, array in GOOD.items():
        for kind in ("images", "masks"):
            (tmp_path / "data" / kind / name).parent.mkdir(parents=True, exist_ok=True)
        bands = np.stack([array[..., 0].astype(np.float32), np.full(array.shape[:2], 0.1, np.float32)], -1)
        np.save(tmp_path / f"data/images/{name}.npy", bands)
        np.save(tmp_path / f"data/masks/{name}.npy", truth(array) // 255)
    inspected = inspect(run, tmp_path / "data")
    assert inspected.code == 0
    assert "constant_channels" in findings(inspected)
    outcome = run("fit", f"--data={tmp_path / 'data.yaml'}", *TINY)
    assert outcome.code == 0, outcome.err


@pytest.mark.parametrize("name", ["JPEG, truncated", "pickled objects", "TIFF that unpacks to 10 GB"])
def test_training_fails_with_a_one_line_error(name: str, tmp_path: Path, run: Run) -> None:
    path = fill(tmp_path / "data", name)
    folder = ["--data=seglit.data.FolderDataModule", f"--data.root={tmp_path / 'data'}"]
    outcome = run("fit", *folder, "--data.class_names=[dark,bright]", *TINY)
    assert outcome.code == 2
    line = only_line(outcome.err)
    assert line.startswith(f"seglit: error: {path}: ")
    assert PICTURES[name].refused in line
