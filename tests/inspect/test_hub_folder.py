"""`seglit inspect` on folders of Hugging Face `datasets`: a configuration whose data module reads the very masks."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from seglit.data import HuggingFaceDataModule
from seglit.images.pairs import SPLITS
from tests.conftest import Run
from tests.inspect.folders import image, mask

datasets = pytest.importorskip("datasets")


def table(numbers: range, columns: tuple[str, str] = ("image", "mask"), empty: bool = False) -> Any:
    masks = [None if empty else Image.fromarray(mask(number, 3)) for number in numbers]
    rows = {"id": list(numbers), columns[0]: [Image.fromarray(image(number)) for number in numbers], columns[1]: masks}
    features = {"id": datasets.Value("int64"), columns[0]: datasets.Image(), columns[1]: datasets.Image()}
    return datasets.Dataset.from_dict(rows, features=datasets.Features(features))


def save(root: Path, **splits: Any) -> None:
    datasets.DatasetDict(splits).save_to_disk(root)


def inspected(run: Run, tmp_path: Path, *args: str) -> tuple[Any, HuggingFaceDataModule]:
    """The report, and the data module of the written configuration."""
    outcome = run("inspect", "data", "--json", "--write=data.yaml", "--report=page", "--workers=1", *args)
    assert outcome.code == 0, outcome.err
    report = json.loads(outcome.out)
    config = yaml.safe_load((tmp_path / "data.yaml").read_text())
    assert config["class_path"] == report["class_path"] == "seglit.data.HuggingFaceDataModule"
    assert "written: data.yaml; train with `seglit fit --data data.yaml`" in outcome.err
    settings = config["init_args"]
    del settings["augment"]
    return report, HuggingFaceDataModule(**settings, num_workers=0)


def check(data: HuggingFaceDataModule, **numbers: range) -> None:
    """The masks of each split are those of these numbers, in order."""
    assert {split for split in SPLITS if data.has_split(split)} == numbers.keys()
    for split in SPLITS:
        expected = numbers.get(split, range(0))
        read = [data.dataset(split).read(index) for index in range(len(expected))] if expected else []
        for number, (_, indices, _) in zip(expected, read, strict=True):
            np.testing.assert_array_equal(indices, mask(number, 3))
        assert not expected or len(data.dataset(split)) == len(expected)


def test_saved_to_disk(tmp_path: Path, run: Run) -> None:
    save(tmp_path / "data", train=table(range(8)), validation=table(range(8, 10)), test=table(range(10, 13)))
    report, data = inspected(run, tmp_path)
    check(data, train=range(8), val=range(8, 10), test=range(10, 13))
    assert report["splits"] == {"train": 8, "val": 2, "test": 3}
    assert report["layout"].startswith("Hugging Face data set saved by `save_to_disk`, columns image + mask")
    every = np.stack([mask(number, 3) for number in range(13)])
    assert [value["pixels"] for value in report["values"]] == np.bincount(every.ravel()).tolist()
    pixels = np.stack([image(number) for number in range(8)]).astype(np.float64)
    assert report["mean"] == pytest.approx(pixels.mean((0, 1, 2)))
    assert (tmp_path / "page/index.html").read_text().count("<figure") == 13


def test_parquet_files_with_other_names(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "data/data").mkdir(parents=True)
    for split, numbers in (("train", range(10)), ("test", range(10, 12))):
        file = tmp_path / f"data/data/{split}-00000-of-00001.parquet"
        table(numbers, ("pixel_values", "label")).to_parquet(file)
    report, data = inspected(run, tmp_path)
    assert report["settings"]["image"] == "pixel_values"
    assert report["settings"]["mask"] == "label"
    check(data, train=range(9), val=range(9, 10), test=range(10, 12))


def test_columns_are_told_by_content_and_one_split_is_divided(tmp_path: Path, run: Run) -> None:
    save(tmp_path / "data", full=table(range(10), ("b", "a")))
    report, data = inspected(run, tmp_path)
    check(data, train=range(7), val=range(7, 8), test=range(8, 10))
    assert "one split: its last 2 rows for test, the 1 before them for val" in report["layout"]


def test_given_columns_and_splits_without_masks(tmp_path: Path, run: Run) -> None:
    other = table(range(4), ("image", "b")).select_columns("b")
    train = datasets.concatenate_datasets([table(range(4), ("image", "a")), other], axis=1)
    test = table(range(6, 8), ("image", "a"), empty=True)
    save(tmp_path / "data", train=train, valid=table(range(4, 6), ("image", "a")), test=test)
    refused = run("inspect", "data")
    assert refused.code == 2
    assert refused.err.count("\n") == 1
    assert "columns of images: image, a, b); name them: `seglit inspect" in refused.err
    report, data = inspected(run, tmp_path, "--images=image", "--masks=a")
    check(data, train=range(4), val=range(4, 6))
    assert report["layout"].endswith("; not used: test")
    assert "no column 'c' of images" in run("inspect", "data", "--images=image", "--masks=c").err


def test_without_the_library_one_line_names_it(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "data", train=table(range(3)))
    monkeypatch.setitem(sys.modules, "datasets", None)
    outcome = run("inspect", "data")
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert 'Hugging Face data sets require: pip install "seglit[huggingface]"' in outcome.err


def test_unusable_rows_are_left_out_by_slices(tmp_path: Path, run: Run) -> None:
    train = datasets.concatenate_datasets([table(range(6)), table(range(6, 7), empty=True)])
    save(tmp_path / "data", train=train, validation=table(range(8, 10)))
    findings = json.loads(run("inspect", "data", "--json", "--workers=1").out)["findings"]
    (advice,) = [finding["advice"] for finding in findings if finding["code"] == "unreadable_mask"]
    assert advice.endswith('again; slices leave rows out: `splits: {train: "train[:12]+train[13:]"}` is without row 12')
