"""Which format a folder is in, with the paths that read it; and class names that exporters write beside masks."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from seglit.annotations import Coco, Cvat, Labelme, LabelStudio, Reader, Supervisely, Via, Yolo
from seglit.annotations.recognition import recognise
from seglit.annotations.written_classes import find_written_classes
from seglit.drawing.shapes import write_folder
from seglit.errors import InputError
from tests.annotations import (
    test_coco,
    test_cvat,
    test_label_studio,
    test_labelme,
    test_supervisely,
    test_via,
    test_yolo,
)
from tests.annotations.folders import save_image


def recognised(root: Path) -> Reader:
    """The reader of a folder, which finds images without a note."""
    reader = recognise(root)
    assert reader is not None
    found = reader.find(root)
    assert found.images
    assert not found.notes
    assert not found.missing
    return reader


def test_recognises_coco(tmp_path: Path) -> None:
    assert recognised(test_coco.roboflow(tmp_path / "a")) == Coco("{split}", "{split}/_annotations.coco.json")
    for split in ("train", "val"):
        test_coco.write(tmp_path / "b", split=split)
        (tmp_path / f"b/images/{split}").rename(tmp_path / f"b/{split}2017")
        annotations = tmp_path / "b/annotations"
        (annotations / f"{split}.json").rename(annotations / f"instances_{split}2017.json")
        captions: dict[str, Any] = {"images": [], "annotations": []}
        (annotations / f"captions_{split}2017.json").write_text(json.dumps(captions))
        shutil.copy(annotations / f"instances_{split}2017.json", annotations / f"person_keypoints_{split}2017.json")
    shutil.rmtree(tmp_path / "b/images")
    assert recognised(tmp_path / "b") == Coco("{split}2017", "annotations/instances_{split}2017.json")
    test_coco.write(tmp_path / "c")
    (tmp_path / "c/images/train/a.png").rename(tmp_path / "c/images/a.png")
    (tmp_path / "c/annotations/train.json").rename(tmp_path / "c/annotations/instances_default.json")
    assert recognised(tmp_path / "c") == Coco("images", "annotations/instances_default.json")


@pytest.mark.parametrize("name", ["images/a.png", "images\\a.png"])
def test_recognises_coco_of_label_studio(tmp_path: Path, name: str) -> None:
    test_coco.write(tmp_path)
    (tmp_path / "images/train/a.png").rename(tmp_path / "images/a.png")
    content = json.loads((tmp_path / "annotations/train.json").read_text())
    content["images"][0]["file_name"] = name
    shutil.rmtree(tmp_path / "annotations")
    (tmp_path / "result.json").write_text(json.dumps(content))
    reader = recognise(tmp_path)
    assert reader is not None
    assert (reader.images, len(reader.find(tmp_path).images)) == (".", 1)


def test_recognises_labelme(tmp_path: Path) -> None:
    test_labelme.write(tmp_path / "a", name="photos/x")
    assert recognised(tmp_path / "a") == Labelme("photos")
    for split in ("train", "valid"):
        test_labelme.write(tmp_path / "b", name=f"{split}/x")
    assert recognised(tmp_path / "b") == Labelme("{split}")
    test_labelme.write(tmp_path / "c", name="images/x")
    (tmp_path / "c/json").mkdir()
    (tmp_path / "c/images/x.json").rename(tmp_path / "c/json/x.json")
    assert recognised(tmp_path / "c") == Labelme("images", "json")
    test_labelme.write(tmp_path / "d", name="x")
    test_labelme.write(tmp_path / "d", name="deep/er/y")
    assert recognised(tmp_path / "d") == Labelme(".")


def test_recognises_yolo(tmp_path: Path) -> None:
    assert recognised(test_yolo.write(tmp_path / "a")) == Yolo()
    (test_yolo.write(tmp_path / "b") / "data.yaml").rename(tmp_path / "b/pets.yml")
    (tmp_path / "b/another.yaml").write_text("class_path: seglit.data.FolderDataModule\n")
    assert recognised(tmp_path / "b") == Yolo("pets.yml")
    (test_yolo.write(tmp_path / "c", "images", "labels") / "data.yaml").unlink()
    (tmp_path / "c/classes.txt").write_text("cat\ndog\n")
    assert recognised(tmp_path / "c") == Yolo("classes.txt")


def test_recognises_via(tmp_path: Path) -> None:
    images = test_via.export(tmp_path / "a/photos", [test_via.square("crack", 1, 9)])
    test_via.write(tmp_path / "a/via_region_data.json", images)
    assert recognised(tmp_path / "a") == Via("via_region_data.json", "photos")
    for split in ("train", "val"):
        images = test_via.export(tmp_path / "b" / split, [test_via.square("crack", 1, 9)])
        test_via.write(tmp_path / "b" / split / "via_export_json.json", test_via.project(images))
    assert recognised(tmp_path / "b") == Via("{split}/via_export_json.json", "{split}")
    save_image(tmp_path / "c/a.jpg")
    (tmp_path / "c/x.csv").write_text("filename,region_shape_attributes,region_attributes\na.jpg,{},{}\n")
    assert recognised(tmp_path / "c") == Via("x.csv")


def test_recognises_cvat_label_studio_and_supervisely(tmp_path: Path) -> None:
    assert recognised(test_cvat.write(tmp_path / "a", test_cvat.square(5, 30))) == Cvat()
    root = test_cvat.write(tmp_path / "b", test_cvat.square(5, 30))
    (root / "images").rename(root / "photos")
    assert recognised(root) == Cvat("annotations.xml", "photos")
    task = test_label_studio.task([test_label_studio.square(8, 32)], "/data/upload/1/1a2b3c4d-a.jpg")
    root = test_label_studio.write(tmp_path / "c", task)
    (root / "annotations.json").rename(root / "project-1.json")
    reader = recognise(root)
    assert reader == LabelStudio("project-1.json", "images")
    assert recognised(test_supervisely.write(tmp_path / "d", [], [])) == Supervisely()


def test_other_folders_are_in_no_format(tmp_path: Path) -> None:
    write_folder(tmp_path / "shapes", 2, 1, 1, (32, 32))
    (tmp_path / "shapes/notes.json").write_text('{"images": [1], "version": 2}')
    (tmp_path / "shapes/empty.json").write_bytes(b"")
    (tmp_path / "shapes/voc.xml").write_text("<annotation><folder>x</folder></annotation>")
    (tmp_path / "shapes/data.yaml").write_text("names: [a, b]\ntrain: images/train\n")
    (tmp_path / "shapes/scores.csv").write_text("name,score\n")
    assert recognise(tmp_path / "shapes") is None
    assert recognise(tmp_path / "nowhere") is None


CAT, DOG, BACKGROUND = (48, 112, 32), (176, 112, 32), (0, 0, 0)


@pytest.mark.parametrize(
    ("name", "text", "names", "colors", "values"),
    [
        (
            "labelmap.txt",
            "# label:color_rgb:parts:actions\nCat:48,112,32::\nDog: big:176,112,32:head,tail:run\nbackground:0,0,0::\n",
            ("Cat", "Dog: big", "background"),
            {"Cat": CAT, "Dog: big": DOG, "background": BACKGROUND},
            {},
        ),
        ("train/_classes.csv", "Pixel Value, Class\n0, background\n2, crack\n", ("background", "crack"), {}, [0, 2]),
        ("class_names.txt", "_background_\ncat\ndog\n", ("_background_", "cat", "dog"), {}, [0, 1, 2]),
        (
            "class_dict.csv",
            "name,r,g,b\nSky,48,112,32\nRoad,0,0,0\n",
            ("Sky", "Road"),
            {"Sky": CAT, "Road": (0, 0, 0)},
            {},
        ),
    ],
)
def test_classes_that_exporters_write(
    tmp_path: Path, name: str, text: str, names: tuple[str, ...], colors: dict[str, Any], values: Any
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("\ufeff" + text, encoding="utf-8")
    found = find_written_classes(tmp_path)
    assert found is not None
    assert (found.file, found.names, dict(found.colors)) == (tmp_path / name, names, colors)
    assert dict(found.values) == (dict(zip(names, values, strict=True)) if values else {})


def test_wrong_lists_of_classes_are_named(tmp_path: Path) -> None:
    assert find_written_classes(tmp_path) is None
    for name, text in (
        ("labelmap.txt", "Cat:1,2::"),
        ("_classes.csv", "x\nbackground\n"),
        ("labelmap.txt", "a:999,0,0::"),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(InputError, match="is not a list of classes"):
            find_written_classes(tmp_path)
        (tmp_path / name).unlink()
    for split, text in (("train", "v, c\n0, a\n"), ("valid", "v, c\n0, b\n")):
        (tmp_path / split).mkdir()
        (tmp_path / split / "_classes.csv").write_text(text)
    with pytest.raises(InputError, match="names other classes than"):
        find_written_classes(tmp_path)
