"""Bad images through every door: each is read rightly, or refused in one line with its name, and stops no other."""

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
    """A folder of three good pairs, and one of the case's image and a right mask; the image's path."""
    case = PICTURES[name]
    shown = COLORS if case.shows is None else case.shows
    masks = {**GOOD, f"train/{Path(case.name).stem}": shown}
    for each, image in GOOD.items():
        (root / "images" / each).parent.mkdir(parents=True, exist_ok=True)
        (root / "images" / f"{each}.png").write_bytes(saved(image, "PNG"))
    for each, image in masks.items():
        (root / "masks" / each).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((truth(image) // 255).astype(np.uint8)).save(root / "masks" / f"{each}.png")
    path = root / "images/train" / case.name
    case.write(path)
    return path


@pytest.mark.parametrize("name", PICTURES)
def test_an_image_is_read_rightly_or_refused_by_name(name: str, tmp_path: Path, run: Run, ckpt: Path) -> None:
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
        for each, (image, mask) in read_all(plain).items():
            np.testing.assert_array_equal(image, shown[each])
            np.testing.assert_array_equal(mask, truth(shown[each]) // 255)
    assert read_written(tmp_path / "data.yaml").keys() == shown.keys()
    files = sorted((tmp_path / "out/masks").rglob("*.*"))
    masks = {file.relative_to(tmp_path / "out/masks").with_suffix("").as_posix(): file for file in files}
    assert masks.keys() == shown.keys()
    for each, file in masks.items():
        np.testing.assert_array_equal(Image.open(file), truth(shown[each]))
    assert not left_behind(tmp_path)
    assert not list(root.rglob("sprung"))


@pytest.mark.parametrize("name", ["one pixel", "66,000 wide", "66,000 high"])
def test_a_training_takes_an_image_of_any_size(name: str, tmp_path: Path, run: Run) -> None:
    fill(tmp_path / "data", name)
    for kind in ("images", "masks"):
        (file,) = (tmp_path / "data" / kind / "train").glob("x.*")
        file.replace(tmp_path / "data" / kind / "val" / file.name)
    folder = ["--data=seglit.data.FolderDataModule", f"--data.root={tmp_path / 'data'}"]
    outcome = run("fit", *folder, "--data.class_names=[dark,bright]", *TINY)
    assert outcome.code == 0, outcome.err
    assert max(np.asarray(Image.open(outcome.folder / "pictures/val.png")).shape) < 2_000


def test_a_training_takes_a_channel_that_holds_one_value(tmp_path: Path, run: Run) -> None:
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


@pytest.mark.parametrize("name", ["JPEG, cut", "pickled objects", "TIFF that unpacks to 10 GB"])
def test_a_training_is_refused_in_one_line(name: str, tmp_path: Path, run: Run) -> None:
    path = fill(tmp_path / "data", name)
    folder = ["--data=seglit.data.FolderDataModule", f"--data.root={tmp_path / 'data'}"]
    outcome = run("fit", *folder, "--data.class_names=[dark,bright]", *TINY)
    assert outcome.code == 2
    line = only_line(outcome.err)
    assert line.startswith(f"seglit: error: {path}: ")
    assert PICTURES[name].refused in line
