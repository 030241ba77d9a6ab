"""Folders of images and masks: every layout finds the right pairs, and what is wrong is said in one line."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from jsonargparse import auto_cli
from PIL import Image

from seglit.data import FolderDataModule, Samples
from seglit.errors import InputError
from seglit.images.pairs import Split

CLASS_NAMES = [f"class {index}" for index in range(200)]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
FLAT: dict[str, Any] = {"images": "images", "masks": "masks"}
NAMES = [f"{index:02d}" for index in range(20)]


def write(root: Path, *pairs: tuple[str, str]) -> Path:
    """Writes pairs of (image, mask); both hold one number, drawn from the image's name, so that pairs are known."""
    for image, mask in pairs:
        for file in (image, mask):
            (root / file).parent.mkdir(parents=True, exist_ok=True)
        number = crc32(image.encode()) % 200
        Image.fromarray(np.full((2, 3, 3), number, np.uint8)).save(root / image)
        Image.fromarray(np.full((2, 3), number, np.uint8)).save(root / mask)
    return root


def write_flat(root: Path, names: Iterable[str] = NAMES) -> Path:
    return write(root, *((f"images/{name}.png", f"masks/{name}.png") for name in names))


def folder(root: Path, **settings: Any) -> FolderDataModule:
    return FolderDataModule(str(root), CLASS_NAMES, **settings)


def names(data: FolderDataModule, split: Split) -> list[str]:
    """The names of a split, after a look that each image comes with its own mask."""
    if not data.has_split(split):
        return []
    dataset = data.dataset(split)
    read = [dataset.read(index) for index in range(len(dataset))]
    assert all(np.unique(image).tolist() == np.unique(mask).tolist() for image, mask, _ in read)
    return [name for _, _, name in read]


def refusal(root: Path, split: Split = "train", **settings: Any) -> str:
    with pytest.raises(InputError) as error:
        folder(root, **settings).dataset(split).read(0)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_split_folders_with_sub_folders(tmp_path: Path) -> None:
    write(
        tmp_path,
        ("images/train/ulm/a.png", "masks/train/ulm/a.png"),
        ("images/train/bonn/a.png", "masks/train/bonn/a.tif"),
        ("images/train/b.0001.png", "masks/train/b.0001.png"),
        ("images/train/b.0002.png", "masks/train/b.0002.png"),
        ("images/val/a.png", "masks/val/a.png"),
    )
    (tmp_path / "images/train/Thumbs.db").touch()
    data = folder(tmp_path)
    assert names(data, "train") == ["b.0001", "b.0002", "bonn/a", "ulm/a"]
    assert names(data, "val") == ["a"]
    assert not data.has_split("test")


def test_split_placeholder_anywhere_in_the_path(tmp_path: Path) -> None:
    write(tmp_path, ("train/rgb/a.png", "train/gt/a.png"), ("val/rgb/b.png", "val/gt/b.png"))
    data = folder(tmp_path, images="{split}/rgb", masks="{split}/gt")
    assert (names(data, "train"), names(data, "val")) == (["a"], ["b"])


@pytest.mark.parametrize(
    ("mask_name", "mask"),
    [
        ("{stem}.*", "a.1.bmp"),
        ("{stem}.png", "a.1.png"),
        ("{stem}_mask.png", "a.1_mask.png"),
        ("gt_{stem}.*", "gt_a.1.tif"),
        ("fine/{stem}.png", "fine/a.1.png"),
    ],
)
def test_mask_name_patterns(tmp_path: Path, mask_name: str, mask: str) -> None:
    write(tmp_path, ("images/train/ulm/a.1.png", f"masks/train/ulm/{mask}"))
    assert names(folder(tmp_path, mask_name=mask_name), "train") == ["ulm/a.1"]


def test_masks_beside_their_images(tmp_path: Path) -> None:
    write(tmp_path, *((f"all/{name}.png", f"all/{name}_mask.png") for name in "abcd"))
    data = folder(tmp_path, images="all", masks="all", mask_name="{stem}_mask.png", splits={"val": 0.25})
    assert sorted(names(data, "train") + names(data, "val")) == ["a", "b", "c", "d"]


def test_list_files(tmp_path: Path) -> None:
    write_flat(tmp_path, [*NAMES, "ulm/x.1"])
    (tmp_path / "train.txt").write_text("03\n01.png\n\n  ulm/x.1  \n", encoding="utf-8-sig")
    (tmp_path / "val.txt").write_text("07\n")
    data = folder(tmp_path, **FLAT, splits={"train": "train.txt", "val": "val.txt"})
    assert names(data, "train") == ["03", "01", "ulm/x.1"]
    assert names(data, "val") == ["07"]
    assert not data.has_split("test")


def test_share_beside_lists_is_drawn_from_train(tmp_path: Path) -> None:
    write_flat(tmp_path)
    (tmp_path / "train.txt").write_text("".join(f"{name} 1 2\n" for name in NAMES[:10]))
    (tmp_path / "test.txt").write_text("17\n")
    data = folder(tmp_path, **FLAT, splits={"train": "train.txt", "test": "test.txt", "val": 0.3})
    assert [len(names(data, split)) for split in SPLITS] == [7, 3, 1]
    assert sorted(names(data, "train") + names(data, "val")) == NAMES[:10]


def divided(root: Path, **settings: Any) -> dict[str, list[str]]:
    data = folder(root, splits={"val": 0.1, "test": 0.25}, **settings)
    return {split: names(data, split) for split in SPLITS}


def test_shares_are_disjoint_complete_and_depend_on_names_only(tmp_path: Path) -> None:
    drawn = divided(write_flat(tmp_path / "one"), **FLAT)
    assert {split: len(found) for split, found in drawn.items()} == {"train": 13, "val": 2, "test": 5}
    assert sorted(name for found in drawn.values() for name in found) == NAMES
    assert divided(tmp_path / "one", **FLAT, seed=9) == drawn
    assert divided(write_flat(tmp_path / "other", reversed(NAMES)), **FLAT) == drawn
    assert divided(tmp_path / "one", **FLAT, split_seed=1) != drawn


def test_csv_with_split_column(tmp_path: Path) -> None:
    write(tmp_path, ("x/a.png", "y/1.png"), ("x/b.png", "y/2.png"), ("c.png", "3.png"))
    (tmp_path / "pairs.csv").write_text(
        "split,mask,image\nval,y/1.png,x/a.png\ntrain,y/2.png,x/b.png\ntrain,3.png,./c.png\n", encoding="utf-8-sig"
    )
    data = folder(tmp_path, pairs="pairs.csv")
    assert {split: names(data, split) for split in SPLITS} == {"train": ["x/b", "c"], "val": ["x/a"], "test": []}


def test_csv_without_split_column(tmp_path: Path) -> None:
    write_flat(tmp_path)
    rows = "".join(f"images/{name}.png,masks/{name}.png\n" for name in NAMES)
    (tmp_path / "pairs.csv").write_text(f"image,mask\n{rows}")
    shares = divided(tmp_path, pairs="pairs.csv")
    assert shares == {s: [f"images/{name}" for name in found] for s, found in divided(tmp_path, **FLAT).items()}
    (tmp_path / "train.txt").write_text("images/05.png\n")
    assert names(folder(tmp_path, pairs="pairs.csv", splits={"train": "train.txt"}), "train") == ["images/05"]


def build(data: FolderDataModule) -> FolderDataModule:
    return data


@pytest.mark.parametrize("share", [("--data.splits", "{val: 0.1}"), ("--data.splits.val", "0.1")])
def test_shares_on_the_command_line_are_numbers(tmp_path: Path, share: tuple[str, str]) -> None:
    settings = ["--data.images=images", "--data.masks=masks", f"--data.class_names=[{','.join(CLASS_NAMES)}]"]
    data = auto_cli(build, args=["--data.root", str(write_flat(tmp_path)), *settings, *share], as_positional=False)
    assert len(names(data, "val")) == 2


def test_grey_images_have_one_channel(tmp_path: Path) -> None:
    write_flat(tmp_path, ["a"])
    dataset = folder(tmp_path, **FLAT, splits={"val": 0.4}, in_channels=1).dataset("train")
    assert Samples(dataset)[0]["image"].shape == (1, 2, 3)


def test_wrong_root_or_channel_count_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "camvid").mkdir()
    message = refusal(tmp_path / "camvd")
    assert f"data root {tmp_path / 'camvd'}: no such folder; did you mean 'camvid'?" in message
    assert "in_channels is 0" in refusal(tmp_path, in_channels=0)
    assert "crop_size is -8" in refusal(tmp_path, crop_size=[16, -8])


def test_missing_split_suggests_the_nearest_folder(tmp_path: Path) -> None:
    write(tmp_path, ("images/train/a.png", "masks/train/a.png"), ("images/valid/b.png", "masks/valid/b.png"))
    message = refusal(tmp_path, "val")
    assert f"no images for the split 'val' (looked in {tmp_path / 'images/val'}" in message
    assert "did you mean 'valid'?" in message
    assert "splits is {'val': 0.5}" in refusal(
        tmp_path, "test", images="images/train", masks="masks/train", splits={"val": 0.5}
    )


def test_missing_mask_suggests_the_nearest_file(tmp_path: Path) -> None:
    write(tmp_path, ("images/train/a.png", "masks/train/a_mask.png"))
    message = refusal(tmp_path)
    assert str(tmp_path / "images/train/a.png") in message
    assert "its mask a.* is not in" in message
    assert "there are a_mask.png; set mask_name to fit" in message
    assert "its mask {name}.png is not in" in refusal(tmp_path, mask_name="{name}.png")


@pytest.mark.parametrize(
    ("splits", "words"),
    [
        (None, "splits is not set"),
        ({"val": 1.0}, "train is the rest"),
        ({"val": -0.1}, "train is the rest"),
        ({"train": 0.5, "val": 0.1}, "train is the rest"),
        ({"valid": 0.1}, "expected list files"),
        ({"train": "trian.txt"}, "did you mean 'train.txt'?"),
        ({"train": "lost.txt"}, "1 of its names have no image, first 'ulm_1'; did you mean 'ulm/1'?"),
        ({"train": "train.txt", "test": "train.txt"}, "2 images are in more than one split, first"),
    ],
    ids=str,
)
def test_invalid_splits_are_rejected(tmp_path: Path, splits: dict[str, float | str] | None, words: str) -> None:
    write_flat(tmp_path, [*NAMES, "ulm/1"])
    (tmp_path / "train.txt").write_text("01\n02\n")
    (tmp_path / "lost.txt").write_text("ulm_1\n02\n")
    assert words in refusal(tmp_path, **FLAT, splits=splits)


def test_splits_contradicting_split_folders_are_rejected(tmp_path: Path) -> None:
    write(
        tmp_path, *((f"images/{split}/{n}.png", f"masks/{split}/{n}.png") for split in ("train", "test") for n in "ab")
    )
    assert "test has images of its own" in refusal(tmp_path, splits={"test": 0.1})
    assert "train is the rest" in refusal(tmp_path, splits={"train": 0.5})
    assert "is not a file" in refusal(tmp_path, splits={"train": "train.txt"})
    drawn = folder(tmp_path, splits={"val": 0.1})  # there is no folder for it
    assert sorted(names(drawn, "train") + names(drawn, "val")) == ["a", "b"]
    assert names(drawn, "test") == ["a", "b"]


GOOD = "images/01.png,masks/01.png,train\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("image,label,split\n", "no column 'mask'; its columns are image, label, split"),
        ("", "no column 'image'"),
        (f"image,mask,split\n{GOOD}images/02.png,masks/02.png,rest\n", "line 3: split is 'rest'"),
        (f"image,mask,split\n{GOOD}images/02.png,,val\n", "line 3: mask is empty"),
        (f"image,mask,split\n{GOOD},masks/02.png,val\n", "line 3: image is empty"),
        ("image,mask,split\nimages/01.png,../secret.png,train\n", "line 2: mask ../secret.png leaves the data root"),
        ("image,mask,split\n/images/01.png,masks/01.png,train\n", "line 2: image /images/01.png leaves the data root"),
        ("image,mask,split\nimages/01.pgn,masks/01.png,train\n", "did you mean '01.png'?"),
        (f"image,mask,split\n{GOOD}images/01.png,masks/02.png,val\n", "1 images are in more than one split"),
    ],
)
def test_csv_errors_name_the_line(tmp_path: Path, content: str, words: str) -> None:
    write_flat(tmp_path)
    (tmp_path / "pairs.csv").write_text(content)
    assert words in refusal(tmp_path, pairs="pairs.csv")


def test_missing_csv_or_two_kinds_of_splits_are_rejected(tmp_path: Path) -> None:
    write_flat(tmp_path)
    (tmp_path / "pairs.csv").write_text(f"image,mask,split\n{GOOD}")
    assert "did you mean 'pairs.csv'?" in refusal(tmp_path, pairs="pair.csv")
    assert "keep one" in refusal(tmp_path, pairs="pairs.csv", splits={"val": 0.1})


def test_image_listed_twice_in_one_split_is_not_a_leak(tmp_path: Path) -> None:
    write_flat(tmp_path)
    (tmp_path / "pairs.csv").write_text(f"image,mask,split\n{GOOD}images/01.png,masks/02.png,train\n")
    assert len(folder(tmp_path, pairs="pairs.csv").dataset("train")) == 2
