"""Unusual and invalid folders in `inspect`, `fit` and `predict`: valid pairs are read, errors are one line."""

from pathlib import Path

import numpy as np
import pytest

from seglit.data import FolderDataModule
from seglit.errors import InputError, one_line, printable
from tests.conftest import Run
from tests.corpus.conftest import TINY, findings, inspect, only_line, read_all, read_written
from tests.corpus.files import Array
from tests.corpus.folders import FOLDERS, GOOD, Case, good, image
from tests.predict.brightest import truth

NOTES = {"mask_without_image", "symlink_outside", "case_only_names", "exact_duplicate"}


def check(read: dict[str, tuple[Array, Array]], names: tuple[str, ...]) -> None:
    """Checks that exactly these pairs were read, each image with its own mask."""
    assert sorted(name.rsplit("/", 1)[1] for name in read) == sorted(names)
    for name, (pixels, mask) in read.items():
        np.testing.assert_array_equal(pixels, image(name.rsplit("/", 1)[1]))
        np.testing.assert_array_equal(mask, truth(pixels) // 255)


def read_plain(root: Path, case: Case) -> dict[str, tuple[Array, Array]]:
    data = FolderDataModule(str(root), ["dark", "bright"], num_workers=0, **case.settings)
    assert data.pairs_of("train")
    return read_all(data)


@pytest.mark.parametrize("name", FOLDERS)
def test_folders_are_read_correctly_or_rejected(name: str, tmp_path: Path, run: Run) -> None:
    case, root = FOLDERS[name], tmp_path / "data"
    try:
        case.make(root)
    except OSError as reason:
        pytest.skip(f"cannot be created here: {reason.strerror}")
    inspected = inspect(run, root)
    if case.error:
        assert inspected.code == 2
        line = only_line(inspected.err)
        assert case.error in line
        assert not (tmp_path / "data.yaml").exists()
    else:
        assert inspected.code == int(bool(case.finds)), inspected.err
        found = {code: list(files) for code, files in findings(inspected).items() if code not in NOTES}
        assert found == case.finds
        check(read_written(tmp_path / "data.yaml"), case.reads)
    if case.plain:
        with pytest.raises(InputError) as error:
            read_plain(root, case)
        assert one_line(error.value).startswith(str(root))
        assert case.plain in one_line(error.value)
    else:
        check(read_plain(root, case), case.reads)


@pytest.mark.parametrize("name", [name for name in FOLDERS if name.startswith(("a corrupt image", "folders that"))])
def test_printed_names_are_escaped(name: str, tmp_path: Path, run: Run) -> None:
    case = FOLDERS[name]
    try:
        case.make(tmp_path / "data")
    except OSError as reason:
        pytest.skip(f"cannot be created here: {reason.strerror}")
    outcome = run("inspect", tmp_path / "data", f"--report={tmp_path / 'page'}", "--workers=1")
    assert outcome.code == int(bool(case.finds)), outcome.err
    lines = outcome.out.split("\n")
    assert all(line.isprintable() for line in lines)
    assert sum(line.startswith("         images/train/") for line in lines) == len(case.finds)
    assert (tmp_path / "page/index.html").is_file()


def test_training_and_prediction_in_a_folder_with_special_characters(tmp_path: Path, run: Run) -> None:
    root = tmp_path / 'it\'s [b]\n# \u2028\U0001f600: "here"'
    good(root)
    inspected = run("inspect", root, "--write=data.yaml", "--workers=1")
    assert inspected.code == 0, inspected.err
    fitted = run("fit", "--data=data.yaml", *TINY)
    assert fitted.code == 0, fitted.err
    predicted = run("predict", next(tmp_path.glob("runs/data/*")), root / "images", "--output", root / "out")
    assert predicted.code == 0, predicted.err
    assert len(list((root / "out/masks").rglob("*.png"))) == len(GOOD)
    (root / "images/train/a.png").write_bytes(b"")
    refused = run("fit", "--data=data.yaml", *TINY)
    assert refused.code == 2
    assert only_line(refused.err).startswith(
        f"seglit: error: {printable(str(root))}/images/train/a.png: cannot be read"
    )
