"""COCO JSON as masks: what is drawn equals what is drawn otherwise, in a stated order, and mistakes are named."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from seglit.annotations import Coco
from seglit.data import AnnotationDataModule
from seglit.errors import InputError
from seglit.images.pairs import Split

HEIGHT, WIDTH = 10, 12
CATEGORIES = [{"id": 7, "name": "car"}, {"id": 3, "name": "person"}]
BACKGROUND, PERSON, CAR, VOID = 0, 1, 2, 255


def box(left: int, top: int, right: int, bottom: int) -> list[list[int]]:
    """A rectangle as a polygon, from pixel corner to pixel corner."""
    return [[left, top, right, top, right, bottom, left, bottom]]


def annotation(category: int, segmentation: Any, image: int = 1, **others: Any) -> dict[str, Any]:
    return {"id": 5, "image_id": image, "category_id": category, "segmentation": segmentation, **others}


def write(root: Path, *annotations: dict[str, Any], split: str = "train", names: tuple[str, ...] = ("a",)) -> Path:
    entries = []
    for place, name in enumerate(names, start=1):
        file = root / "images" / split / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (WIDTH, HEIGHT), (90, 90, 90)).save(file)
        entries.append({"id": place, "file_name": f"{name}.png", "height": HEIGHT, "width": WIDTH})
    content = {"images": entries, "annotations": annotations, "categories": CATEGORIES}
    (root / "annotations").mkdir(exist_ok=True)
    (root / "annotations" / f"{split}.json").write_text(json.dumps(content))
    return root


def data_of(
    root: Path, images: str = Coco.images, annotations: str = Coco.annotations, **settings: Any
) -> AnnotationDataModule:
    return AnnotationDataModule(str(root), Coco(images, annotations), **settings)


def mask(root: Path, split: Split = "train", **settings: Any) -> npt.NDArray[np.uint8]:
    image, drawn, _ = data_of(root, **settings).dataset(split).read(0)
    assert image.shape == (HEIGHT, WIDTH, 3)
    return drawn


def expected(*boxes: tuple[int, tuple[int, int, int, int]], fill: int = BACKGROUND) -> npt.NDArray[np.uint8]:
    drawn = np.full((HEIGHT, WIDTH), fill, np.uint8)
    for value, (left, top, right, bottom) in boxes:
        drawn[top:bottom, left:right] = value
    return drawn


def refusal(root: Path, split: Split = "train", **settings: Any) -> str:
    with pytest.raises(InputError) as error:
        mask(root, split, **settings)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("segmentation", "corners"),
    [
        (box(2, 3, 7, 9), (2, 3, 7, 9)),
        (box(-4, -4, 40, 2), (0, 0, 12, 2)),
        ([*box(1, 1, 3, 9), *box(3, 1, 5, 9)], (1, 1, 5, 9)),
        ([[0, 0, 11, 9], *box(2, 3, 7, 9)], (2, 3, 7, 9)),  # two points cover nothing, and are no box
        ({"size": [HEIGHT, WIDTH], "counts": [22, 3, 7, 3, 85]}, (2, 2, 4, 5)),  # by columns: 22 out, 3 in, ...
        ({"size": [HEIGHT, WIDTH], "counts": "[1280000000k0"}, (4, 3, 9, 5)),  # COCO's compressed form
    ],
)
def test_polygons_and_run_lengths_draw_rectangles(
    tmp_path: Path, segmentation: Any, corners: tuple[int, int, int, int]
) -> None:
    drawn = mask(write(tmp_path, annotation(7, segmentation)))
    assert np.array_equal(drawn, expected((CAR, corners)))


@pytest.mark.parametrize("reverse", [False, True])
def test_small_regions_cover_large_ones_and_crowds(tmp_path: Path, reverse: bool) -> None:
    annotations = [
        annotation(3, box(0, 0, 12, 6)),
        annotation(7, box(2, 2, 6, 8)),
        annotation(3, {"size": [HEIGHT, WIDTH], "counts": [0, 120]}, iscrowd=1),
        annotation(3, box(3, 3, 4, 4)),
    ]
    drawn = mask(write(tmp_path, *(annotations[::-1] if reverse else annotations)))
    boxes = [(VOID, (0, 0, 12, 10)), (PERSON, (0, 0, 12, 6)), (CAR, (2, 2, 6, 8)), (PERSON, (3, 3, 4, 4))]
    assert np.array_equal(drawn, expected(*boxes))


def test_default_classes_are_categories_by_id(tmp_path: Path) -> None:
    write(tmp_path, annotation(3, box(0, 0, 2, 2)), names=("a", "b"))
    write(tmp_path, annotation(1, box(0, 0, 2, 2)), split="val", names=("c",))
    file = tmp_path / "annotations" / "val.json"
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, "categories": [{"id": 1, "name": "car"}, {"id": 2, "name": "person"}]}))
    data = data_of(tmp_path)
    assert data.labels.class_names == ("background", "person", "car")
    assert [len(data.dataset(split)) for split in ("train", "val")] == [2, 1]
    assert not data.has_split("test")
    assert np.array_equal(mask(tmp_path, "val"), expected((CAR, (0, 0, 2, 2))))
    assert (data.dataset("train").read(1)[1] == BACKGROUND).all()  # an image in which nothing was found


def test_categories_with_the_same_name_are_merged(tmp_path: Path) -> None:
    write(tmp_path, annotation(7, box(0, 0, 2, 2)), annotation(0, box(3, 0, 5, 2)))
    file = tmp_path / "annotations" / "train.json"
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, "categories": [{"id": 0, "name": "car"}, *CATEGORIES]}))
    assert data_of(tmp_path).labels.class_names == ("background", "car", "person")
    assert np.array_equal(mask(tmp_path), expected((1, (0, 0, 2, 2)), (1, (3, 0, 5, 2))))


def test_categories_not_in_class_names_are_ignored(tmp_path: Path) -> None:
    root = write(tmp_path, annotation(3, box(0, 0, 4, 4)), annotation(7, box(0, 0, 2, 2)))
    chosen = mask(root, class_names=["car", "background"])
    assert np.array_equal(chosen, expected((0, (0, 0, 2, 2)), fill=1))
    assert np.array_equal(mask(root, background=None), expected((0, (0, 0, 4, 4)), (1, (0, 0, 2, 2)), fill=VOID))


def test_one_file_is_split_by_shares(tmp_path: Path) -> None:
    names = tuple(f"{index:02d}" for index in range(10))
    write(tmp_path, annotation(7, box(0, 0, 2, 2), image=4), names=names)
    data = data_of(tmp_path, "images/train", "annotations/train.json", splits={"val": 0.2})
    found = {
        split: [data.dataset(split).read(i) for i in range(len(data.dataset(split)))] for split in ("train", "val")
    }
    assert {split: len(rows) for split, rows in found.items()} == {"train": 8, "val": 2}
    assert [name for rows in found.values() for _, drawn, name in rows if drawn.any()] == ["03"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (annotation(7, []), "it has neither a segmentation nor a box"),
        (annotation(7, "polygon"), "train.json: image a: a region is neither polygons nor a run-length encoding"),
        (annotation(7, [["x", 0, 1, 1, 2, 2]]), "a region is neither polygons nor a run-length encoding"),
        (annotation(7, {"size": [12, 10], "counts": [120]}), "its size is [12, 10], but the image's [10, 12]"),
        (annotation(7, {"size": [10, 12], "counts": [60]}), "its counts sum to 60 pixels, but the image has 120"),
        (annotation(7, {"size": [10, 12], "counts": "x@@@"}), "not a run-length encoding"),
        (annotation(9, box(0, 0, 1, 1)), "an annotation has the category 9"),
        ({"id": 5, "image_id": 1, "segments_info": []}, "an entry has no 'category_id'"),
    ],
)
def test_invalid_regions_are_rejected(tmp_path: Path, wrong: dict[str, Any], words: str) -> None:
    assert words in refusal(write(tmp_path, wrong))


def test_missing_files_and_classes_are_named(tmp_path: Path) -> None:
    write(tmp_path, annotation(7, box(0, 0, 1, 1)))
    assert "have no class 'cars'; did you mean 'car'?" in refusal(tmp_path, class_names=["background", "cars"])
    assert "background is 'backgrund'" in refusal(tmp_path, class_names=["background"], background="backgrund")
    assert f"looked in {tmp_path / 'annotations/val.json'}" in refusal(tmp_path, "val")
    assert "trian.json: no such file; did you mean" in refusal(tmp_path, annotations="annotations/trian.json")
    Image.new("RGB", (HEIGHT, WIDTH)).save(tmp_path / "images/train/a.png")
    assert "was drawn on 10 x 12 pixels (height x width), but its image a.png has 12 x 10" in refusal(tmp_path)
    (tmp_path / "images/train/a.png").rename(tmp_path / "images/train/b.png")
    assert "image a.png: no such file in" in refusal(tmp_path)
    assert "to go on without it, set `exclude: [images/train/a.png]`" in refusal(tmp_path)
    assert "has no images" not in refusal(tmp_path, exclude=["images/train/a.png"])
    (tmp_path / "annotations/train.json").write_text("{")
    assert "train.json: is not valid JSON" in refusal(tmp_path)
    (tmp_path / "annotations/train.json").write_text("[]")
    assert "train.json: has no 'images'" in refusal(tmp_path)


def roboflow(root: Path) -> Path:
    """Roboflow's export: a folder per split with its JSON, ids from 0, and the project's name as a category."""
    for split, ids in (("train", (0, 1)), ("valid", (7,)), ("test", (9,))):
        (root / split).mkdir(parents=True)
        for index in ids:
            Image.new("RGB", (WIDTH, HEIGHT)).save(root / split / f"IMG_{index}_jpg.rf.jpg")
        content = {
            "images": [
                {"id": at, "file_name": f"IMG_{i}_jpg.rf.jpg", "height": HEIGHT, "width": WIDTH, "license": 1}
                for at, i in enumerate(ids)
            ],
            "annotations": [annotation(1, box(1, 2, 4, 8), at) for at in range(len(ids))],
            "categories": [
                {"id": 0, "name": "boxes", "supercategory": "none"},
                {"id": 1, "name": "box", "supercategory": "boxes"},
            ],
        }
        (root / split / "_annotations.coco.json").write_text(json.dumps(content))
    return root


def test_roboflow(tmp_path: Path) -> None:
    data = data_of(roboflow(tmp_path), "{split}", "{split}/_annotations.coco.json")
    assert data.labels.class_names == ("background", "box")
    splits: tuple[Split, ...] = ("train", "val", "test")
    assert [len(data.dataset(split)) for split in splits] == [2, 1, 1]
    for split in splits:
        assert np.array_equal(data.dataset(split).read(0)[1], expected((1, (1, 2, 4, 8))))


@pytest.mark.parametrize(
    "name",
    [
        "images\\train\\a.png",
        "..\\..\\label-studio\\media\\upload\\7\\a.png",
        "C:\\Users\\me\\ls\\a.png",
        "/data/upload/7/a.png",
        "https://server/7/a.png",
        "Ma\u0308rz/a.png",
    ],
)
def test_images_are_found_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    write(tmp_path, annotation(7, box(2, 3, 7, 9)), annotation(3, box(0, 0, 1, 1), 2), names=("a", "b"))
    file = tmp_path / "annotations" / "train.json"
    content = json.loads(file.read_text())
    content["images"][0]["file_name"] = name
    file.write_text(json.dumps(content))
    data = data_of(tmp_path)
    assert np.array_equal(data.dataset("train").read(0)[1], expected((CAR, (2, 3, 7, 9))))
    assert data.found.notes == [f"{file}: 1 image not where it says (first {name}), found by name below {tmp_path}"]
    (tmp_path / "images/other").mkdir()
    (tmp_path / "images/train/a.png").rename(tmp_path / "images/other/a.png")
    assert np.array_equal(mask(tmp_path), expected((CAR, (2, 3, 7, 9))))
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "a.png").write_bytes((tmp_path / "images/other/a.png").read_bytes())
    assert "is in several folders (a/a.png, images/other/a.png)" in refusal(tmp_path)


def test_polygons_may_reach_over_the_edge(tmp_path: Path) -> None:
    for left, top, pixels in ((-0.6, -0.4, 7 * 9), (-3.5, 5, 7 * 4), (-100, 5, 7 * 4)):
        polygon = [left, top, 7, top, 7, 9, left, 9]
        assert (mask(write(tmp_path, annotation(7, [polygon]))) == CAR).sum() == pixels


def test_boxes_without_outline_are_drawn_or_skipped(tmp_path: Path) -> None:
    root = write(tmp_path, annotation(7, [], bbox=[2, 3, 5, 6]), annotation(3, box(0, 0, 1, 1)))
    assert "contains a bounding box without an outline; set `draw_boxes: true`" in refusal(root)
    person = (PERSON, (0, 0, 1, 1))
    assert np.array_equal(mask(root, draw_boxes=True), expected((CAR, (2, 3, 7, 9)), person))
    assert np.array_equal(mask(root, skip_shapes=["box"]), expected(person))


def test_annotations_of_unlisted_images_are_said(tmp_path: Path) -> None:
    data = data_of(write(tmp_path, annotation(7, box(0, 0, 1, 1), 99)))
    assert data.found.notes == [
        f"{tmp_path / 'annotations/train.json'}: annotations of 1 images that it does not list are not used"
    ]


def test_several_files_are_one_set(tmp_path: Path) -> None:
    write(tmp_path, annotation(7, box(0, 0, 2, 2)), split="one")
    write(tmp_path, annotation(3, box(0, 0, 2, 2)), split="two", names=("b",))
    data = data_of(tmp_path, "images", "annotations/*.json", splits={"val": 0.0})
    dataset = data.dataset("train")
    assert sorted((name, int(drawn.max())) for _, drawn, name in map(dataset.read, range(2))) == [
        ("one/a", CAR),
        ("two/b", PERSON),
    ]


def test_colours_of_categories_are_used(tmp_path: Path) -> None:
    write(tmp_path, annotation(7, box(0, 0, 2, 2)))
    file = tmp_path / "annotations" / "train.json"
    content = json.loads(file.read_text())
    content["categories"] = [{"id": 7, "name": "car", "color": "#0a0b0c"}, {"id": 3, "name": "man", "color": "#ff0000"}]
    file.write_text(json.dumps(content))
    assert data_of(tmp_path).labels.palette == ((0, 0, 0), (255, 0, 0), (10, 11, 12))
