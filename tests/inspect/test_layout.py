"""Layouts of folders: all usual spellings, and that the data module finds the same pairs with the settings."""

from pathlib import Path

import pytest
from PIL import Image

from seglit.data import FolderDataModule
from seglit.errors import InputError
from seglit.images.pairs import SPLITS
from seglit.inspect.layout import find_layout
from tests.inspect.folders import image, mask, save

# Name -> files as (split, image, mask).
TREES: dict[str, list[tuple[str, str, str]]] = {
    "split folders": [
        ("train", "images/train/a.png", "masks/train/a.png"),
        ("val", "images/val/b.png", "masks/val/b.png"),
        ("test", "images/test/c.png", "masks/test/c.png"),
    ],
    "split first": [
        ("train", "train/images/a.jpg", "train/masks/a.png"),
        ("val", "val/images/b.jpg", "val/masks/b.png"),
    ],
    "other words": [
        ("train", "img/training/a.jpg", "annotations/training/a.png"),
        ("val", "img/validation/b.jpg", "annotations/validation/b.png"),
    ],
    "SegNet": [("train", "train/a.png", "trainannot/a.png"), ("val", "val/b.png", "valannot/b.png")],
    "joined words": [
        ("train", "train_images/a.png", "train_masks/a.png"),
        ("val", "val_images/b.png", "val_masks/b.png"),
    ],
    "sub-folders": [
        ("train", "images/train/x/a.png", "labels/train/x/a.png"),
        ("train", "images/train/y/a.png", "labels/train/y/a.png"),
        ("val", "images/val/x/b.png", "labels/val/x/b.png"),
    ],
    "flat": [("all", f"imgs/{name}.jpg", f"masks/{name}.png") for name in "abcde"],
    "images in a folder of any name": [("all", f"bilder/{name}.jpg", f"annot/{name}.png") for name in "abcde"],
    "scenes in folders of any name": [("all", f"fotos/{n}/{n}.jpg", f"masks/{n}/{n}.png") for n in "abcde"],
    "flat with an ending": [("all", f"input/{name}.jpg", f"gt/{name}_mask.png") for name in ("a1", "b2", "c3")],
    "other beginnings": [("all", f"images/img_{n}.png", f"labels/label_{n}.png") for n in ("001", "002", "113")],
    "endings of both": [
        ("train", "images/train/a_rgb.png", "labels/train/a_gt.png"),
        ("val", "images/val/b_rgb.png", "labels/val/b_gt.png"),
    ],
    "side by side": [("all", f"{name}.jpg", f"{name}_mask.png") for name in ("cat", "dog", "hen")],
    "side by side by suffix": [("all", f"{name}.jpg", f"{name}.png") for name in ("cat", "dog", "hen")],
    "side by side in splits": [("train", "train/a.jpg", "train/a_seg.png"), ("val", "valid/b.jpg", "valid/b_seg.png")],
    "Roboflow": [
        (split, f"{folder}/a_jpg.rf.0{split}.jpg", f"{folder}/a_jpg.rf.0{split}_mask.png")
        for split, folder in (("train", "train"), ("val", "valid"), ("test", "test"))
    ],
    "masks below their images": [
        (split, f"{split}/{name}.jpg", f"{split}/masks/{name}.png") for split, name in (("train", "a"), ("val", "b"))
    ],
    "masks below a flat folder": [("all", f"{name}.jpg", f"masks/{name}.png") for name in "abc"],
    "masks of all splits in one folder": [
        ("train", "images/train/a.jpg", "masks/a.png"), ("val", "images/val/b.jpg", "masks/b.png"),
    ],
    "splits spelt in two ways": [
        ("train", "images/train/a.jpg", "gt/training/a.png"), ("val", "images/val/b.jpg", "gt/validation/b.png"),
    ],
    "dots and spaces": [("all", f"my images/v1.{n} é.JPG", f"my masks/v1.{n} é seg.PNG") for n in "123"],
    "own data in folders of VOC": [("all", f"JPEGImages/{n}.jpg", f"SegmentationClass/{n}.png") for n in "abc"],
    "side by side, both named": [("all", f"{name}_image.png", f"{name}_label.png") for name in ("p", "q")],
}  # fmt: skip


def make(root: Path, files: list[tuple[str, str, str]]) -> None:
    for number, (_, image_file, mask_file) in enumerate(files):
        save(image(number), root / image_file)
        save(mask(number), root / mask_file)


@pytest.mark.parametrize("name", TREES)
def test_data_module_finds_the_same_pairs(name: str, tmp_path: Path) -> None:
    make(tmp_path, TREES[name])
    layout = find_layout(tmp_path)
    pairs = {
        (pair.split, *(path.relative_to(tmp_path).as_posix() for path in (pair.image, pair.mask)))
        for pair in layout.pairs
    }
    assert pairs == set(TREES[name])
    assert not layout.pairing.images_without_mask
    assert not layout.pairing.masks_without_image

    data = FolderDataModule(str(tmp_path), ["no", "yes"], num_workers=0, **layout.settings)
    read = {
        (split, pair.image.relative_to(tmp_path).as_posix(), pair.mask.relative_to(tmp_path).as_posix())
        for split in ("train", "val", "test")
        if data.has_split(split)
        for pair in data.dataset(split).pairs
    }
    flat = all(split == "all" for split, *_ in TREES[name])
    assert {files[1:] for files in read} == {files[1:] for files in pairs} if flat else read == pairs


NOVAL = [(split, f"{split}/images/{n}.png", f"{split}/masks/{n}.png") for split in ("train", "test") for n in "abc"]


@pytest.mark.parametrize(("files", "test"), [(NOVAL, 3), (NOVAL[:3], 1)])
def test_splits_without_folder_are_shares_of_train(
    files: list[tuple[str, str, str]], test: int, tmp_path: Path
) -> None:
    make(tmp_path, files)
    data = FolderDataModule(str(tmp_path), ["no", "yes"], num_workers=0, **find_layout(tmp_path).settings)
    assert len(data.dataset("val").pairs) == 1
    assert len(data.dataset("test").pairs) == test
    assert len(data.dataset("train").pairs) == len(files) - 1 - test


def test_split_without_masks_is_skipped(tmp_path: Path) -> None:
    make(tmp_path, TREES["split folders"])
    (tmp_path / "masks/test/c.png").unlink()
    (tmp_path / "masks/test").rmdir()
    layout = find_layout(tmp_path)
    assert "skipped because they have no masks: images/test" in layout.description
    data = FolderDataModule(str(tmp_path), ["no", "yes"], num_workers=0, **layout.settings)
    assert not data.has_split("test")
    assert data.has_split("val")


def test_mixed_split_without_masks(tmp_path: Path) -> None:
    make(tmp_path, [("train", "train/a.jpg", "train/a.png")])
    save(image(1), tmp_path / "test/b.jpg")
    layout = find_layout(tmp_path)
    assert [pair.mask.name for pair in layout.pairs] == ["a.png"]
    assert [path.name for path in layout.pairing.images_without_mask] == ["b.jpg"]


def test_pattern_is_inferred_from_few_masks(tmp_path: Path) -> None:
    make(tmp_path, [("all", f"images/img_{n:03}.png", f"labels/lbl_{n:03}.png") for n in range(12)])
    for number in range(12):
        if number % 3 != 2:
            (tmp_path / f"labels/lbl_{number:03}.png").unlink()
    layout = find_layout(tmp_path)
    assert [pair.image.stem[4:] for pair in layout.pairs] == ["002", "005", "008", "011"]
    assert len(layout.pairing.images_without_mask) == 8


def test_links_are_followed_and_hidden_folders_skipped(tmp_path: Path) -> None:
    root = tmp_path / "root"
    make(tmp_path, [("all", f"elsewhere/{n}.jpg", f"root/masks/{n}.png") for n in "abc"])
    (root / "images").symlink_to(tmp_path / "elsewhere")
    (root / "again").symlink_to(root)
    save(image(0), root / "images/.ipynb_checkpoints/a-checkpoint.jpg")
    save(image(0), root / "__MACOSX/images/a.jpg")
    layout = find_layout(root)
    assert [pair.image.name for pair in layout.pairs] == ["a.jpg", "b.jpg", "c.jpg"]
    data = FolderDataModule(str(root), ["no", "yes"], num_workers=0, **layout.settings)
    assert len(data.dataset("train").pairs) == 1


def test_list_files_define_splits(tmp_path: Path) -> None:
    make(tmp_path, [("all", f"images/{name}.jpg", f"masks/{name}.png") for name in "abc"])
    (tmp_path / "splits").mkdir()
    for split, names in {"train": "a\nb\n", "valid": "c.jpg\n"}.items():
        (tmp_path / "splits" / f"{split}.txt").write_text(names)
    layout = find_layout(tmp_path)
    assert {(pair.image.stem, pair.split) for pair in layout.pairs} == {("a", "train"), ("b", "train"), ("c", "val")}
    data = FolderDataModule(str(tmp_path), ["no", "yes"], num_workers=0, **layout.settings)
    assert [pair.name for pair in data.dataset("val").pairs] == ["c"]


def test_lists_without_val_get_a_share_of_train(tmp_path: Path) -> None:
    make(tmp_path, [("all", f"images/{name}.jpg", f"masks/{name}.png") for name in "abcdef"])
    (tmp_path / "train.txt").write_text("a\nb\nc\nd\n")
    (tmp_path / "test.txt").write_text("e\nf\n")
    layout = find_layout(tmp_path)
    assert layout.settings["splits"] == {"train": "train.txt", "test": "test.txt", "val": 0.1}
    data = FolderDataModule(str(tmp_path), ["no", "yes"], num_workers=0, **layout.settings)
    names = {split: {pair.name for pair in data.dataset(split).pairs} for split in SPLITS}
    assert names["test"] == {"e", "f"}
    assert len(names["val"]) == 1
    assert names["train"] | names["val"] == {"a", "b", "c", "d"}


def test_list_files_with_paths_of_images_and_masks(tmp_path: Path) -> None:
    make(tmp_path, [("all", f"images/{name}.jpg", f"masks/{name}.png") for name in "abc"])
    save(image(9), tmp_path / "images/unlisted.jpg")
    (tmp_path / "train.txt").write_text("images/a.jpg masks/a.png\n/images/b.jpg /masks/b.png\n")
    (tmp_path / "val.txt").write_text("./images/c.jpg\timages/c.png\nimages/a.jpg masks/a.png\nlost.jpg\n")
    layout = find_layout(tmp_path)
    assert [(pair.image.stem, pair.split) for pair in layout.pairs] == [("a", "train"), ("b", "train"), ("c", "val")]
    assert [path.stem for path in layout.pairing.in_several_splits] == ["a"]
    assert [path.stem for path in layout.missing] == ["lost"]
    assert not layout.pairing.images_without_mask
    left_out = ["images/a.jpg", "images/lost.*"]
    data = FolderDataModule(str(tmp_path), ["no", "yes"], num_workers=0, exclude=left_out, **layout.settings)
    assert [[pair.name for pair in data.dataset(split).pairs] for split in ("train", "val")] == [["b"], ["c"]]


def test_table_of_pairs(tmp_path: Path) -> None:
    make(tmp_path, [("all", f"here/{name}.jpg", f"there/{name}x.png") for name in "ab"])
    (tmp_path / "pairs.csv").write_text(
        "image,mask,split\nhere/a.jpg,there/ax.png,train\nhere/b.jpg,there/bx.png,val\n"
    )
    assert [(pair.image.name, pair.split) for pair in find_layout(tmp_path).pairs] == [
        ("a.jpg", "train"),
        ("b.jpg", "val"),
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (",there/bx.png,val", "line 3: image is empty"),
        ("../b.jpg,there/bx.png,val", "line 3: .* leaves"),
        ("here/b.jpg,there/bx.png,rest", "line 3: split is 'rest'; expected train, val or test"),
    ],
)
def test_invalid_table_raises(row: str, message: str, tmp_path: Path) -> None:
    make(tmp_path, [("all", f"here/{name}.jpg", f"there/{name}x.png") for name in "ab"])
    (tmp_path / "pairs.csv").write_text(f"image,mask,split\nhere/a.jpg,there/ax.png,train\n{row}\n")
    with pytest.raises(InputError, match=message):
        find_layout(tmp_path)


def test_public_data_sets_are_recognised(tmp_path: Path) -> None:
    voc, city = tmp_path / "VOCdevkit" / "VOC2012", tmp_path / "city"
    save(image(0), voc / "JPEGImages/2007_1.jpg")
    save(mask(0), voc / "SegmentationClass/2007_1.png")
    (voc / "ImageSets/Segmentation").mkdir(parents=True)
    (voc / "ImageSets/Segmentation/train.txt").write_text("2007_1\n")
    save(image(0), city / "leftImg8bit/train/ulm/ulm_0_leftImg8bit.png")
    save(mask(0), city / "gtFine/train/ulm/ulm_0_gtFine_labelIds.png")
    (voc / "ImageSets/Segmentation/val.txt").touch()
    save(image(0), city / "leftImg8bit/train/ulm/ulm_0_leftImg8bit.png")
    assert find_layout(voc).description == "the public data set voc"
    assert find_layout(city).description == "the public data set cityscapes"
    assert find_layout(city).settings["mask_values"]["road"] == 7
    assert len(find_layout(voc).pairs) == len(find_layout(city).pairs) == 1
    assert find_layout(voc).data_root == find_layout(tmp_path).data_root == tmp_path


def test_unpaired_files_are_listed(tmp_path: Path) -> None:
    make(tmp_path, TREES["flat"])
    (tmp_path / "masks/a.png").unlink()
    (tmp_path / "imgs/b.jpg").unlink()
    layout = find_layout(tmp_path)
    assert [path.name for path in layout.pairing.images_without_mask] == ["a.jpg"]
    assert [path.name for path in layout.pairing.masks_without_image] == ["b.png"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "no images"),
        (["one/a.png", "two/b.png"], "--images and --masks"),
        (["a.png", "b.png"], "--images and --masks"),
        (["images/a.png", "imgs2/img/b.png", "masks/a.png"], "more than one folder"),
    ],
)
def test_ambiguous_layout_raises(files: list[str], message: str, tmp_path: Path) -> None:
    for number, file in enumerate(files):
        save(image(number), tmp_path / file)
    with pytest.raises(InputError, match=message) as caught:
        find_layout(tmp_path)
    assert "\n" not in str(caught.value)


def test_given_folders(tmp_path: Path) -> None:
    make(tmp_path, [("all", f"one/{name}.png", f"two/{name}.png") for name in "ab"])
    layout = find_layout(tmp_path, "one", "two")
    assert len(layout.pairs) == 2
    with pytest.raises(InputError, match="go together"):
        find_layout(tmp_path, images="one")
    Image.new("L", (4, 4)).save(tmp_path / "two" / "c.png")
    assert [path.name for path in find_layout(tmp_path, "one", "two").pairing.masks_without_image] == ["c.png"]
