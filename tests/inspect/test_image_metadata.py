"""`seglit inspect` on image folders with metadata: the pairs that these list, whatever the names are."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from seglit.data import FolderDataModule
from seglit.images.pairs import SPLITS
from tests.conftest import Run
from tests.inspect.folders import image, mask, save


def inspected(run: Run, tmp_path: Path) -> tuple[Any, dict[str, set[str]], dict[str, Any]]:
    """The settings; the names of each split, and the masks by name, of the data module that is written."""
    outcome = run("inspect", "data", "--json", "--write=mine.yaml", "--workers=1")
    assert outcome.code == 0, outcome.err
    report = json.loads(outcome.out)
    settings = yaml.safe_load((tmp_path / "mine.yaml").read_text())["init_args"]
    del settings["augment"]
    data = FolderDataModule(**settings, num_workers=0)
    datasets = {split: data.dataset(split) for split in SPLITS if data.has_split(split)}
    read = [dataset.read(index) for dataset in datasets.values() for index in range(len(dataset))]
    splits: dict[str, set[str]] = {
        split: {Path(pair.name).name for pair in dataset.pairs} for split, dataset in datasets.items()
    }
    return report, splits, {Path(name).name: indices for _, indices, name in read}


def write(root: Path, splits: dict[str, range], masks: str, form: str) -> None:
    """Image `number` has the mask of the reverse number in its split."""
    for split, numbers in splits.items():
        rows = []
        for number, other in zip(numbers, reversed(numbers), strict=True):
            file = masks.format(number=number, other=other)
            save(image(number), root / split / f"{number}.png")
            save(mask(number), root / split / file)
            rows.append({"file_name": f"{number}.png", "mask_file_name": file, "text": "a, b"})
        lines = [json.dumps(row) for row in rows]
        if form == "csv":
            table = [f'{row["file_name"]},{row["mask_file_name"]},"{row["text"]}"' for row in rows]
            lines = [",".join(rows[0]), *table]
        (root / split / f"metadata.{form}").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("form", "splits"),
    [
        ("csv", {"train": range(6), "validation": range(6, 8)}),
        ("jsonl", {"train": range(10), "test": range(10, 12)}),
        ("csv", {".": range(10)}),
    ],
)
def test_pairs_that_only_the_metadata_tell(form: str, splits: dict[str, range], tmp_path: Path, run: Run) -> None:
    write(tmp_path / "data", splits, "{other}_mask.png", form)  # by their names, pairs would be others
    report, names, masks = inspected(run, tmp_path)
    assert report["layout"] == "pairs that the metadata file lists"
    for number in (number for numbers in splits.values() for number in numbers):
        np.testing.assert_array_equal(masks[str(number)], mask(number))
    sizes = {split: len(members) for split, members in names.items()}
    expected = {"validation": {"train": 6, "val": 2}, "test": {"train": 9, "val": 1, "test": 2}}
    assert sizes == expected.get([*splits][-1], {"train": 7, "val": 1, "test": 2})
    if "test" in splits:
        assert names["test"] == {"10", "11"}


def test_an_edited_table_is_kept(tmp_path: Path, run: Run) -> None:
    write(tmp_path / "data", {".": range(10)}, "{other}_mask.png", "csv")
    assert "written: mine.yaml" in run("inspect", "data", "--write=mine.yaml", "--workers=1").out
    assert "written: mine.yaml" in run("inspect", "data", "--write=mine.yaml", "--workers=1").out  # the same again
    table = tmp_path / "mine.pairs.csv"
    edited = "\n".join(table.read_text(encoding="utf-8").splitlines()[:-1]) + "\n"
    table.write_text(edited, encoding="utf-8")
    outcome = run("inspect", "data", "--write=mine.yaml", "--workers=1")
    assert "not written: mine.yaml or mine.pairs.csv has changed since `seglit inspect` wrote it" in outcome.out
    assert table.read_text(encoding="utf-8") == edited
    table.unlink()
    assert "mine.yaml or mine.pairs.csv has changed" in run("inspect", "data", "--write=mine.yaml", "--workers=1").out


def test_missing_masks_are_left_out(tmp_path: Path, run: Run) -> None:
    write(tmp_path / "data", {".": range(10)}, "{other}_mask.png", "csv")
    (tmp_path / "data/9_mask.png").unlink()  # of the first row
    file = tmp_path / "data/metadata.csv"
    file.write_text(file.read_text().replace("9.png,0_mask.png", "9.png,"))
    outcome = run("inspect", "data", "--json", "--write=mine.yaml", "--workers=1")
    assert outcome.code == 1
    (finding,) = [f for f in json.loads(outcome.out)["findings"] if f["code"] == "listed_but_missing"]
    assert sorted(name for name, _ in finding["files"]) == ["0.png", "9.png"]
    assert yaml.safe_load((tmp_path / "mine.yaml").read_text())["init_args"]["exclude"] == ["0.png", "9.png"]
    assert "written: mine.yaml" in run("inspect", "data", "--write=mine.yaml", "--workers=1").out  # the same again
    (tmp_path / "mine.yaml").unlink()
    assert "not written: mine.yaml needs" in run("inspect", "data", "--write=mine.yaml", "--workers=1").out


def test_settings_that_find_the_same_pairs(tmp_path: Path, run: Run) -> None:
    write(tmp_path / "data", {"train": range(6), "validation": range(6, 8)}, "masks/{number}.png", "jsonl")
    report, names, masks = inspected(run, tmp_path)
    assert report["layout"].endswith("as the metadata file lists them")
    assert not (tmp_path / "mine.pairs.csv").exists()
    assert names == {"train": set("012345"), "val": {"6", "7"}}
    np.testing.assert_array_equal(masks["3"], mask(3))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"file_name": "0.png", "mask": "1.png", "label": "1.png"}', "the columns mask, label all name masks"),
        ('{"file_name": "0.png", "mask": "1.png"}\n{"file_name"', "metadata.jsonl, line 2: is not valid JSON"),
        ('{"file_name": "0.png", "mask": "1.png"}\n{"file_name": "../0.png", "mask": "1.png"}', "leaves the data root"),
    ],
)
def test_invalid_metadata_is_one_line(content: str, message: str, tmp_path: Path, run: Run) -> None:
    for number in range(2):
        save(image(number), tmp_path / f"data/{number}.png")
    (tmp_path / "data/metadata.jsonl").write_text(content)
    outcome = run("inspect", "data")
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert message in outcome.err
