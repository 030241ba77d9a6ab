"""Hugging Face data sets: from the disk as from the hub, sliced, and what is missing is named."""

from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from PIL import Image

from seglit.data import HuggingFaceDataModule
from seglit.errors import InputError
from seglit.images.pairs import Split

CLASSES = ["background", "crack"]


def table(length: int, start: int = 0, mask_mode: str = "L", size: tuple[int, int] = (3, 2)) -> datasets.Dataset:
    """Row i's image is of the grey `start + i`, its mask of 0 and 1, with a void pixel."""
    stored = np.array([[0, 1, 7], [1, 1, 0]], np.uint8)
    features = {"id": datasets.Value("int64"), "image": datasets.Image(), "mask": datasets.Image()}
    return datasets.Dataset.from_dict(
        {
            "id": list(range(length)),
            "image": [Image.new("RGB", size, (start + i,) * 3) for i in range(length)],
            "mask": [Image.fromarray(stored).convert(mask_mode) for _ in range(length)],
        },
        features=datasets.Features(features),
    )


def saved(folder: Path, **splits: datasets.Dataset) -> str:
    datasets.DatasetDict(splits).save_to_disk(folder / "saved")
    return str(folder / "saved")


def module(path: str, **settings: Any) -> HuggingFaceDataModule:
    return HuggingFaceDataModule(path, CLASSES, **{"ignore_values": [7], **settings})


def greys(data: HuggingFaceDataModule, split: Split) -> list[int]:
    dataset = data.dataset(split)
    rows = [dataset.read(index) for index in range(len(dataset))]
    assert all(mask.tolist() == [[0, 1, 255], [1, 1, 0]] for _, mask, _ in rows)
    assert [name for _, _, name in rows] == [f"{index:06d}" for index in range(len(rows))]
    return [int(image[0, 0, 0]) for image, _, _ in rows]


def refusal(path: str, split: Split = "train", **settings: Any) -> str:
    with pytest.raises(InputError) as error:
        module(path, **settings).dataset(split).read(0)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_splits_by_their_usual_names(tmp_path: Path) -> None:
    data = module(saved(tmp_path, train=table(3), validation=table(2, 50)))
    data.prepare_data()
    assert (greys(data, "train"), greys(data, "val")) == ([0, 1, 2], [50, 51])
    assert not data.has_split("test")


def test_splits_by_name_and_slice(tmp_path: Path) -> None:
    path = saved(tmp_path, train=table(10), extra=table(2, 50))
    data = module(path, splits={"train": "train[:70%]+extra", "val": "train[70%:]"})
    assert (greys(data, "train"), greys(data, "val")) == ([*range(7), 50, 51], [7, 8, 9])
    without = module(path, splits={"train": "train[:2]+train[3:4]+train[5:]", "val": "extra"})  # rows 2 and 4
    assert greys(without, "train") == [0, 1, 3, 5, 6, 7, 8, 9]
    overlap = {"train": "train[:80%]", "val": "train[70%:]"}
    assert "train and val share rows of 'train'" in refusal(path, splits=overlap)
    assert 'Unknown split "tain"' in refusal(path, splits={"train": "tain"})
    assert "no split 'test'; splits is {'train': 'extra'}" in refusal(path, "test", splits={"train": "extra"})


def test_single_table_is_train(tmp_path: Path) -> None:
    table(4).save_to_disk(tmp_path / "alone")
    data = module(str(tmp_path / "alone"), splits={"train": "train[:3]", "val": "train[3:]"})
    assert (greys(data, "train"), greys(data, "val")) == ([0, 1, 2], [3])


def test_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(path: str, name: str | None) -> datasets.DatasetDict:
        if path == "far/away":
            raise ConnectionError("Couldn't reach 'far/away' on the Hub\n(LocalEntryNotFoundError)")
        assert (path, name) == ("user/name", "small")
        return datasets.DatasetDict(train=table(1))

    monkeypatch.setattr(datasets, "load_dataset", load)
    assert greys(module("user/name", name="small"), "train") == [0]
    assert "data set far/away: Couldn't reach 'far/away' on the Hub (Local" in refusal("far/away")


def test_columns_are_checked(tmp_path: Path) -> None:
    path = saved(tmp_path, train=table(1))
    assert "no column 'masks'; did you mean 'mask'?" in refusal(path, mask="masks")
    assert "the column 'id' contains" in refusal(path, mask="id")
    assert "row 0: contains the value 7" in refusal(path, ignore_values=[])
    path = saved(tmp_path / "other", train=table(1, size=(5, 2)))
    assert "the mask is 2 x 3 pixels (height x width), but its image" in refusal(path)


def test_colour_and_grey_images(tmp_path: Path) -> None:
    colors = {"background": [[0, 0, 0], [7, 7, 7]], "crack": [1, 1, 1]}
    data = module(saved(tmp_path, train=table(1, 9, "RGB")), mask_colors=colors, ignore_values=None, in_channels=1)
    image, mask, _ = data.dataset("train").read(0)
    assert (image.shape, image[0, 0, 0], mask.tolist()) == ((2, 3, 1), 9, [[0, 1, 0], [1, 1, 0]])
