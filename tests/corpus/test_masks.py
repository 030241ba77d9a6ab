"""Bad masks through every door: each is read rightly, or refused in one line with its name, and stops no other."""

from pathlib import Path

import numpy as np
import pytest

from seglit.data import FolderDataModule
from seglit.errors import InputError
from tests.conftest import Run
from tests.corpus.conftest import TINY, findings, inspect, only_line, read_all, read_written
from tests.corpus.files import COLORS, Array, saved
from tests.corpus.masks import MASKS
from tests.predict.brightest import truth

IMAGES = {"train/a": 255 - COLORS, "train/b": COLORS[:, ::-1], "train/x": COLORS, "val/c": COLORS[::-1]}


def classes(name: str) -> Array:
    return truth(IMAGES[name]) // 255


def fill(root: Path, name: str) -> Path:
    """A folder of four pairs; where the case is broken, of one mask that is. The path of that one."""
    case = MASKS[name]
    for each, image in IMAGES.items():
        for kind in ("images", "masks"):
            (root / kind / each).parent.mkdir(parents=True, exist_ok=True)
        (root / "images" / f"{each}.png").write_bytes(saved(image, "PNG"))
        if each == "train/x" or not case.finding:
            case.write((root / "masks" / each).with_suffix(Path(case.name).suffix), classes(each))
        else:
            (root / "masks" / f"{each}.png").write_bytes(saved(classes(each), "PNG"))
    return root / "masks/train" / case.name


@pytest.mark.parametrize("name", MASKS)
def test_a_mask_is_read_rightly_or_refused_by_name(name: str, tmp_path: Path, run: Run) -> None:
    case, root = MASKS[name], tmp_path / "data"
    path = fill(root, name)
    plain = FolderDataModule(str(root), ["dark", "bright"], num_workers=0, **case.settings)
    if case.refused:
        with pytest.raises(InputError) as error:
            plain.dataset("train").read(2)
        assert only_line(str(error.value)).startswith(f"{path}: ")
        assert case.refused in str(error.value)
    else:
        for each, (_, mask) in read_all(plain).items():
            np.testing.assert_array_equal(mask, classes(each))
    inspected = inspect(run, root)
    assert inspected.code in (0, 1)
    left = {each for each in IMAGES if each != "train/x" or not case.finding}
    read = read_written(tmp_path / "data.yaml")
    assert read.keys() == left
    if case.finding:
        assert list(findings(inspected)[case.finding]) == [f"masks/train/{case.name}"]
    else:
        assert findings(inspected).keys().isdisjoint({"unreadable_mask", "size_mismatch"})
    for each, (_, mask) in read.items():
        known = mask != 255  # what is blurred may be void
        np.testing.assert_array_equal(mask[known], classes(each)[known])
        assert known.mean() > (0.2 if case.name.endswith(".jpg") else 0.999)
    assert not list(root.rglob("sprung"))


@pytest.mark.parametrize("name", ["0 and 255, not said", "another size"])
def test_a_training_is_refused_in_one_line(name: str, tmp_path: Path, run: Run) -> None:
    fill(tmp_path / "data", name)
    folder = ["--data=seglit.data.FolderDataModule", f"--data.root={tmp_path / 'data'}"]
    outcome = run("fit", *folder, "--data.class_names=[dark,bright]", *TINY)
    assert outcome.code == 2
    line = only_line(outcome.err)
    assert line.startswith(f"seglit: error: {tmp_path / 'data/masks'}/")
    assert MASKS[name].refused in line
