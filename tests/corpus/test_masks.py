"""Unusual and invalid masks: each is read correctly, or rejected with a one-line error; other files are still read."""

from pathlib import Path

import numpy as np
import pytest

from seglit.data import FolderDataModule
from seglit.errors import InputError
from tests.conftest import Run
from tests.corpus.conftest import TINY, findings, inspect, only_line, read_all, read_written
from tests.corpus.files import COLORS, Array, saved
from tests.corpus.masks import MASKS, Case
from tests.predict.brightest import truth

IMAGES = {"train/a": 255 - COLORS, "train/b": COLORS[:, ::-1], "train/x": COLORS, "val/c": COLORS[::-1]}


def classes(name: str) -> Array:
    return truth(IMAGES[name]) // 255


def fill(root: Path, case: Case) -> Path:
    """Creates four pairs, all or (if the case is invalid) one with the case's mask; returns the path of that one."""
    for name, image in IMAGES.items():
        for kind in ("images", "masks"):
            (root / kind / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "images" / f"{name}.png").write_bytes(saved(image, "PNG"))
        if name == "train/x" or not case.finding:
            case.write((root / "masks" / name).with_suffix(Path(case.name).suffix), classes(name))
        else:
            (root / "masks" / f"{name}.png").write_bytes(saved(classes(name), "PNG"))
    return root / "masks/train" / case.name


@pytest.mark.parametrize("case", MASKS.values(), ids=MASKS)
def test_masks_are_read_correctly_or_rejected(case: Case, tmp_path: Path, run: Run) -> None:
    root = tmp_path / "data"
    path = fill(root, case)
    plain = FolderDataModule(str(root), ["dark", "bright"], num_workers=0, **case.settings)
    if case.refused:
        with pytest.raises(InputError) as error:
            plain.dataset("train").read(2)
        assert only_line(str(error.value)).startswith(f"{path}: ")
        assert case.refused in str(error.value)
    else:
        for name, (_, mask) in read_all(plain).items():
            np.testing.assert_array_equal(mask, classes(name))
    inspected = inspect(run, root)
    assert inspected.code in (0, 1)
    readable = {name for name in IMAGES if name != "train/x" or not case.finding}
    pairs = read_written(tmp_path / "data.yaml")
    assert pairs.keys() == readable
    if case.finding:
        assert list(findings(inspected)[case.finding]) == [f"masks/train/{case.name}"]
    else:
        assert findings(inspected).keys().isdisjoint({"unreadable_mask", "size_mismatch"})
    for name, (_, mask) in pairs.items():
        labelled = mask != 255  # blurred pixels may be void
        np.testing.assert_array_equal(mask[labelled], classes(name)[labelled])
        assert labelled.mean() > (0.2 if case.name.endswith(".jpg") else 0.999)
    assert not list(root.rglob("sprung"))


@pytest.mark.parametrize("name", ["0 and 255 without settings", "another size"])
def test_training_fails_with_a_one_line_error(name: str, tmp_path: Path, run: Run) -> None:
    fill(tmp_path / "data", MASKS[name])
    folder = ["--data=seglit.data.FolderDataModule", f"--data.root={tmp_path / 'data'}"]
    outcome = run("fit", *folder, "--data.class_names=[dark,bright]", *TINY)
    assert outcome.code == 2
    line = only_line(outcome.err)
    assert line.startswith(f"seglit: error: {tmp_path / 'data/masks'}/")
    assert MASKS[name].refused in line
