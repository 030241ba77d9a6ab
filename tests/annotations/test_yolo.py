"""YOLO's text files: polygons in shares of the size, classes and splits of data.yaml in its variants."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from seglit.annotations import Yolo
from tests.annotations.folders import ALL, Mask, below, data_of, masks_of, painted, refusal, save_image

CAT, DOG = 1, 2
SQUARE = "0 0.1 0.125 0.4 0.125 0.4 0.5 0.1 0.5"  # columns 8 to 32, rows 8 to 32
TRIANGLE = "1 0.6 0.2 0.9 0.2 0.9 0.7"


def write(root: Path, images: str = "images/{}", labels: str = "labels/{}", data: object = None) -> Path:
    """Eight training and four validation images; the fourth has no labels."""
    for split, ids in (("train", range(8)), ("val", range(8, 12))):
        for index in ids:
            save_image(root / images.format(split) / f"{index:04d}.jpg")
            file = root / labels.format(split) / f"{index:04d}.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            if index != 3:
                file.write_text(f"{SQUARE}\n{TRIANGLE}\n")
    default = {"path": ".", "train": "images/train", "val": "images/val", "names": {0: "cat", 1: "dog"}}
    (root / "data.yaml").write_text(yaml.safe_dump(data or default))
    return root


def expected() -> Mask:
    mask = painted((CAT, (8, 8, 32, 32)))
    inside = ~below((48, 12.8), (72, 44.8))
    inside[:13], inside[:, :48], inside[:, 72:] = False, False, False
    mask[inside] = DOG
    return mask


def test_polygons_names_and_splits(tmp_path: Path) -> None:
    data = data_of(write(tmp_path), Yolo())
    assert data.labels.class_names == ("background", "cat", "dog")
    assert [len(data.dataset(split)) for split in ("train", "val")] == [8, 4]
    assert not data.has_split("test")
    masks = masks_of(tmp_path, Yolo())
    assert (masks.pop("0003") == 0).all()
    assert len(masks) == 11
    for mask in masks.values():
        assert (mask == CAT).sum() == 24 * 24
        assert (mask != expected()).sum() <= 5  # corners are rounded to fifths of a pixel
    assert (expected() == DOG).sum() > 350


@pytest.mark.parametrize(
    ("images", "labels", "data"),
    [
        ("{}/images", "{}/labels", {"train": "../train/images", "val": "../val/images", "names": ["cat", "dog"]}),
        ("images/{}", "labels/{}", {"path": "/home/me/sets", "train": "images/train", "val": "images/val"}),
        ("images/{}", "labels/{}", {"train": "/content/pets/images/train", "valid": "C:\\pets\\images\\val"}),
        ("images/{}", "labels/{}", {"train": ["images/train"], "val": ["images/val"], "test": None}),
        ("{}", "{}", {"train": "train", "val": "val", "test": "../test/images"}),
    ],
)
def test_folders_as_exporters_write_them(tmp_path: Path, images: str, labels: str, data: dict[str, object]) -> None:
    root = write(tmp_path, images, labels, {"names": ["cat", "dog"], **data})
    module = data_of(root, Yolo())
    assert [len(module.dataset(split)) for split in ("train", "val")] == [8, 4]
    assert (masks_of(root, Yolo())["0009"] == CAT).sum() == 24 * 24
    assert module.found.notes == (
        [f"{root / 'data.yaml'}: test: ../test/images does not exist below {root}"] if images == "{}" else []
    )


def test_lists_of_images(tmp_path: Path) -> None:
    root = write(tmp_path, data={"train": "train.txt", "val": "val.txt", "names": {1: "dog", 0: "cat"}})
    (root / "train.txt").write_text("./images/train/0000.jpg\n/data/x/images/train/0001.jpg\n\n")
    (root / "val.txt").write_text("images/val/0008.jpg\r\n")
    data = data_of(root, Yolo())
    assert [data.dataset("train").read(index)[2] for index in (0, 1)] == ["images/train/0000", "images/train/0001"]
    assert len(data.dataset("val")) == 1
    (root / "val.txt").write_text("images/val/9.jpg\n")
    assert "val.txt: image images/val/9.jpg: no such file" in refusal(root, Yolo())


def test_plain_class_list(tmp_path: Path) -> None:
    root = write(tmp_path, "images", "labels")
    (root / "classes.txt").write_text("cat\ndog\n")
    masks = masks_of(root, Yolo("classes.txt"), **ALL)
    assert len(masks) == 12
    assert (masks["0000"] == CAT).sum() == 24 * 24
    nested = write(tmp_path / "nested")
    (nested / "classes.txt").write_text("cat\ndog\n")
    assert len(data_of(nested, Yolo("classes.txt")).dataset("val")) == 4


def test_larger_polygons_are_drawn_first(tmp_path: Path) -> None:
    root = write(tmp_path)
    lines = ["1 0.2 0.25 0.3 0.25 0.3 0.375 0.2 0.375", SQUARE]
    for order in (lines, lines[::-1]):
        (root / "labels/train/0000.txt").write_text("\n".join(order))
        assert np.array_equal(masks_of(root, Yolo())["0000"], painted((CAT, (8, 8, 32, 32)), (DOG, (16, 16, 24, 24))))


def test_boxes(tmp_path: Path) -> None:
    root = write(tmp_path)
    (root / "labels/train/0001.txt").write_text("1 0.5 0.5 0.2 0.25\n")
    assert "0001.txt: contains a bounding box without an outline; set `draw_boxes: true`" in refusal(root, Yolo())
    box = painted((DOG, (32, 24, 48, 40)))
    assert np.array_equal(masks_of(root, Yolo(), draw_boxes=True)["0001"], box)
    assert not masks_of(root, Yolo(), skip_shapes=["box"])["0001"].any()
    (root / "data.yaml").write_text((root / "data.yaml").read_text() + "kpt_shape: [2, 2]\n")
    (root / "labels/train/0001.txt").write_text("1 0.5 0.5 0.2 0.25 0.1 0.1 0.2 0.2\n")
    assert np.array_equal(masks_of(root, Yolo(), draw_boxes=True)["0001"], box)


def test_chosen_classes(tmp_path: Path) -> None:
    mask = masks_of(write(tmp_path), Yolo(), class_names=["cat"], background=None)["0000"]
    assert np.array_equal(mask, painted((0, (8, 8, 32, 32)), fill=255))
    assert "have no class 'cta'; did you mean 'cat'?" in refusal(tmp_path, Yolo(), class_names=["background", "cta"])
    mask = masks_of(tmp_path, Yolo(), ignore_labels=["dog"])["0000"]
    assert (mask == 255).sum() > 350


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("2 0.1 0.1 0.4 0.1 0.4 0.5", "line 2: the class 2 has no name; there are 0 (cat), 1 (dog)"),
        ("0 0.1 0.1 0.4 0.1 0.4", "line 2: a shape has 5 coordinates, not pairs of x and y"),
        ("0 0.1 0.1", "line 2: 2 numbers are neither a polygon nor a box"),
        ("0 0.1 0.1 x 0.1 0.4 0.5", "line 2: could not convert string to float: 'x'"),
        ("0 nan 0.1 0.1 0.1 0.4 0.5", "a shape reaches nan"),
        ("0 320 200 330 200 330 210", "a shape reaches 25600 in an image of 64 x 80 pixels"),
    ],
)
def test_wrong_lines_are_named(tmp_path: Path, line: str, words: str) -> None:
    root = write(tmp_path)
    (root / "labels/train/0000.txt").write_text(f"{SQUARE}\n{line}\n")
    message = refusal(root, Yolo())
    assert message.startswith(str(root / "labels/train/0000.txt"))
    assert words in message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("train: images/train", "data.yaml: has no 'names'"),
        ("name: [a]\ntrain: images/train", "has no 'names'; did you mean 'name'?"),
        ("[", "data.yaml: is not valid YAML"),
        ("{" * 5000, "data.yaml: is not valid YAML"),
        ("a: !!python/object/apply:os.system [ls]", "data.yaml: is not valid YAML (could not determine a constructor"),
        ("names: {x: cat}\ntrain: images/train", "is not in YOLO's segmentation format"),
        ("names: [cat]\ntrain: images/tain", "no images in the folders that it names"),
        ("names: [cat]", "(it names none)"),
    ],
)
def test_wrong_yaml_is_named(tmp_path: Path, content: str, words: str) -> None:
    root = write(tmp_path)
    (root / "data.yaml").write_text(content)
    assert words in refusal(root, Yolo())


def test_labels_must_be_somewhere(tmp_path: Path) -> None:
    root = write(tmp_path, labels="texts/{}")
    assert f"its labels {root / 'labels/train/0000.txt'} do not exist, nor those of any" in refusal(root, Yolo())
    assert "dataset.yaml: no such file; did you mean 'data.yaml'?" in refusal(root, Yolo("dataset.yaml"))
