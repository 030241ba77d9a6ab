"""Splits by lists, shares, folds and groups, through the data module and the command line."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from seglit.data import FolderDataModule
from seglit.errors import InputError
from seglit.images.pairs import SPLITS
from tests.conftest import QUIET, Run

FRAMES = [f"video{video}_{frame:02d}" for video in range(6) for frame in range(5)]
SHORT = [
    *("--model.network=seglit.networks.UNet", "--model.network.channels=[4,8]", "--trainer.max_steps=1"),
    *("--pictures.count=0", *QUIET),
]


def write(root: Path, names: list[str] = FRAMES, folder: str = "") -> Path:
    for kind in ("images", "masks"):
        for name in names:
            path = root / kind / folder / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            array = np.zeros((8, 8, 3) if kind == "images" else (8, 8), np.uint8)
            Image.fromarray(array).save(path)
    return root


def flat(root: Path, **settings: Any) -> FolderDataModule:
    return FolderDataModule(str(root), ["a"], **{"images": "images", "masks": "masks", **settings})


def names(data: FolderDataModule) -> dict[str, list[str]]:
    return {split: [pair.name for pair in data.pairs_of(split)] for split in SPLITS if data.has_split(split)}


def test_share_of_a_train_list(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "train.txt").write_text("\n".join(FRAMES[:20]))
    (tmp_path / "test.txt").write_text("\n".join(FRAMES[20:]))
    splits = names(flat(tmp_path, splits={"train": "train.txt", "test": "test.txt", "val": 0.1}))
    assert {split: len(listed) for split, listed in splits.items()} == {"train": 18, "val": 2, "test": 10}
    assert sorted(splits["train"] + splits["val"]) == FRAMES[:20]
    assert splits["test"] == FRAMES[20:]


def test_groups_stay_together(tmp_path: Path) -> None:
    write(tmp_path)
    for seed in range(5):
        splits = names(flat(tmp_path, splits={"val": 0.2, "test": 0.2}, group="^(video[0-9])", split_seed=seed))
        videos = {split: Counter(name[:6] for name in listed) for split, listed in splits.items()}
        assert all(set(counter.values()) == {5} for counter in videos.values())
        assert {split: len(counter) for split, counter in videos.items()} == {"train": 2, "val": 2, "test": 2}


def test_groups_are_known_to_the_scores_whatever_made_the_split(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "test.txt").write_text("\n".join(FRAMES[20:]))
    splits = {"test": "test.txt", "val": 0.1}
    by_video = flat(tmp_path, splits=splits, group="^(video[0-9])").groups("test")
    assert by_video == {name: name[:6] for name in FRAMES[20:]}
    assert flat(tmp_path, splits=splits).groups("test") == {name: name for name in FRAMES[20:]}
    with pytest.raises(InputError, match="in parentheses"):
        flat(tmp_path, splits={"test": "test.txt"}, group="^video").has_split("test")


def test_shares_without_groups_are_as_before(tmp_path: Path) -> None:
    import random

    expected = sorted(FRAMES)
    random.Random(0).shuffle(expected)
    splits = names(flat(write(tmp_path), splits={"val": 0.1, "test": 0.2}))
    assert splits == {"val": expected[:3], "test": expected[3:9], "train": expected[9:]}


def test_images_in_no_list_are_drawn(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "test.txt").write_text("\n".join(FRAMES[20:]))
    splits = names(flat(tmp_path, splits={"test": "test.txt", "val": 0.1}))
    assert sorted(splits["train"] + splits["val"]) == FRAMES[:20]
    assert splits["test"] == FRAMES[20:]
    folds = names(flat(tmp_path, splits={"folds": 4, "fold": 1, "test": "test.txt"}, group="^(video[0-9])"))
    assert {split: len(listed) for split, listed in folds.items()} == {"train": 15, "val": 5, "test": 10}


def test_images_in_no_list_are_trained_on(tmp_path: Path) -> None:
    write(tmp_path, ["a", "b", "c", "d"])
    (tmp_path / "val.txt").write_text("a\n")
    (tmp_path / "test.txt").write_text("b\nb\n")  # scored once
    data = flat(tmp_path, splits={"val": "val.txt", "test": "test.txt"})
    assert names(data) == {"train": ["c", "d"], "val": ["a"], "test": ["b"]}
    (tmp_path / "masks/d.png").unlink()
    with pytest.raises(InputError, match=r"d\.png"):
        flat(tmp_path, splits={"val": "val.txt", "test": "test.txt"}).pairs_of("train")


def test_list_replaces_the_folder_of_its_split_alone(tmp_path: Path) -> None:
    write(tmp_path, ["a", "b", "c"], "train")
    write(tmp_path, ["d", "e"], "test")
    (tmp_path / "val.txt").write_text("images/train/a\n")
    (tmp_path / "short.txt").write_text("images/test/e\n")
    folders = {"images": "images/{split}", "masks": "masks/{split}"}
    listed = names(flat(tmp_path, **folders, splits={"val": "val.txt"}))
    assert {split: [Path(name).name for name in found] for split, found in listed.items()} == {
        "train": ["b", "c"],
        "val": ["a"],
        "test": ["d", "e"],
    }
    drawn = names(flat(tmp_path, **folders, splits={"test": "short.txt", "val": 0.3}))
    assert [Path(name).name for name in drawn["test"]] == ["e"]
    assert len(drawn["train"]) == 2


@pytest.mark.parametrize("group", [None, "^(video[0-9])"])
def test_folds_cover_all_images_once(tmp_path: Path, group: str | None) -> None:
    write(tmp_path)
    (tmp_path / "train.txt").write_text("\n".join(FRAMES[:25]))
    (tmp_path / "test.txt").write_text("\n".join(FRAMES[25:]))
    lists = {"train": "train.txt", "test": "test.txt"}
    validated = []
    for fold in range(5):
        splits = names(flat(tmp_path, splits={"folds": 5, "fold": fold, **lists}, group=group))
        assert len(splits["val"]) == 5
        assert sorted(splits["train"] + splits["val"]) == FRAMES[:25]
        assert splits["test"] == FRAMES[25:]
        assert group is None or len({name[:6] for name in splits["val"]}) == 1
        validated += splits["val"]
    assert sorted(validated) == FRAMES[:25]


def test_groups_of_a_table(tmp_path: Path) -> None:
    write(tmp_path)
    rows = [f"images/{name}.png,masks/{name}.png,{index // 10}" for index, name in enumerate(FRAMES)]
    (tmp_path / "pairs.csv").write_text("\n".join(["image,mask,patient", *rows]))
    data = FolderDataModule(
        str(tmp_path), ["a"], pairs="pairs.csv", splits={"val": 0.3, "test": 0.3}, group="patient", split_seed=3
    )
    splits = names(data)
    assert {split: len(listed) for split, listed in splits.items()} == {"train": 10, "val": 10, "test": 10}
    assert all(len({FRAMES.index(Path(name).name) // 10 for name in listed}) == 1 for listed in splits.values())


@pytest.mark.parametrize("word", ["valid", "validation", "Dev"])
def test_spellings_of_val_in_a_table(tmp_path: Path, word: str) -> None:
    write(tmp_path, FRAMES[:2])
    rows = [
        f"images\\{name}.png,masks\\{name}.png,{split}" for name, split in zip(FRAMES, ("training", word), strict=False)
    ]
    (tmp_path / "pairs.csv").write_text("\n".join(["image,mask,split", *rows]))
    splits = names(FolderDataModule(str(tmp_path), ["a"], pairs="pairs.csv"))
    assert splits == {"train": [f"images/{FRAMES[0]}"], "val": [f"images/{FRAMES[1]}"]}


def test_names_in_two_unicode_forms(tmp_path: Path) -> None:
    import unicodedata

    name = "für"
    write(tmp_path, [unicodedata.normalize("NFD", name), "b"])
    (tmp_path / "masks" / f"{unicodedata.normalize('NFD', name)}.png").rename(tmp_path / f"masks/{name}.png")
    (tmp_path / "train.txt").write_text(f"{name}\n", encoding="utf-8")
    (tmp_path / "val.txt").write_text("sub\\..\\b\n".replace("sub\\..\\", ".\\"), encoding="utf-8")
    splits = names(flat(tmp_path, splits={"train": "train.txt", "val": "val.txt"}))
    assert [unicodedata.normalize("NFC", name) for name in splits["train"]] == ["für"]
    assert splits["val"] == ["b"]


@pytest.mark.parametrize("layout", ["flat", "folders"])
def test_a_run_writes_lists_that_splits_takes_back(tmp_path: Path, run: Run, layout: str) -> None:
    root = tmp_path / "data"
    if layout == "flat":
        write(root)
        where, splits = "images: images, masks: masks", "{val: 0.2, test: 0.2}"
    else:
        write(root, FRAMES[:20], "train")
        write(root, FRAMES[20:], "test")
        where, splits = "images: 'images/{split}', masks: 'masks/{split}'", "{val: 0.2}"
    config = "class_path: seglit.data.FolderDataModule\ninit_args: {root: data, class_names: [a], num_workers: 0, "
    (tmp_path / "data.yaml").write_text(f"{config}{where}, splits: {splits}}}\n")
    first = run("fit", "--data=data.yaml", *SHORT)
    assert first.code == 0, first.err
    lists = {split: (first.folder / f"splits/{split}.txt").read_text() for split in SPLITS}
    assert sorted("".join(lists.values()).split()) == sorted(
        path.relative_to(root).as_posix() for path in root.glob("images/**/*.png")
    )
    taken = {split: f"{first.folder}/splits/{split}.txt" for split in SPLITS}
    (tmp_path / "data.yaml").write_text(f"{config}{where}, splits: {taken}}}\n")
    again = run("fit", "--data=data.yaml", *SHORT)
    assert again.code == 0, again.err
    assert {split: (again.folder / f"splits/{split}.txt").read_text() for split in SPLITS} == lists


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"splits": {"folds": 5}}, r"expected \{folds: K, fold: 0 to K - 1\} without val"),
        ({"splits": {"folds": 5, "fold": 5}}, "expected {folds: K, fold: 0 to K - 1}"),
        ({"splits": {"folds": 1, "fold": 0}}, "expected {folds: K"),
        ({"splits": {"folds": 3, "fold": 0, "val": 0.1}}, "without val"),
        ({"splits": {"val": 0.1}, "group": "video"}, "put the part of the name that identifies the group in paren"),
        ({"splits": {"val": 0.1}, "group": "(video"}, "which is not a regular expression (missing )"),
        ({"splits": {"val": 0.1}, "group": "^(video)"}, "which divides 30 images into 1 groups: too few for splits"),
        ({"splits": {"vall": 0.1}}, "expected list files (train, val, test) or shares (val, test)"),
    ],
)
def test_impossible_splits_are_rejected(tmp_path: Path, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as error:
        flat(write(tmp_path), **settings).pairs_of("train")
    assert words.replace("\\", "") in str(error.value)
    assert "\n" not in str(error.value)
