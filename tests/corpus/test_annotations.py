"""Invalid labelme and COCO JSON: each file is drawn correctly, or rejected with a one-line error that names it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from seglit.annotations import Coco, Labelme
from seglit.data import AnnotationDataModule
from seglit.errors import InputError
from tests.conftest import Run
from tests.corpus.conftest import TINY, only_line
from tests.corpus.files import Array

NAN, INF = float("nan"), float("inf")
DEEP = b'{"shapes":' + b"[" * 100_000
CAR = {"id": 7, "name": "car"}
LISTED = {"id": 1, "file_name": "a.png", "height": 10, "width": 12}


def shape(*points: Any, kind: Any = "polygon", **others: Any) -> dict[str, Any]:
    return {"shapes": [{"label": "car", "shape_type": kind, "points": points, **others}]}


def region(segmentation: Any, **others: Any) -> dict[str, Any]:
    return {"annotations": [{"id": 5, "image_id": 1, "category_id": 7, "segmentation": segmentation, **others}]}


def counts(value: Any) -> dict[str, Any]:
    return region({"size": [10, 12], "counts": value})


def covered(rows: slice, columns: slice) -> Array:
    drawn = np.zeros((10, 12), np.uint8)
    drawn[rows, columns] = 1
    return drawn


# Difference from a valid file, or all of a file's bytes -> part of the error message, or the drawn mask.
LABELME: dict[str, tuple[dict[str, Any] | bytes, str | Array]] = {
    "truncated": (b'{"shapes": [{"label": "ca', "is not valid JSON (Unterminated"),
    "empty": (b"", "is not valid JSON (Expecting value"),
    "in Latin-1": (b'{"shapes": [], "author": "\xe4"}', "is not valid JSON ('utf-8' codec"),
    "in UTF-16": ('{"shapes": []}'.encode("utf-16"), covered(slice(0), slice(0))),
    "100,000 brackets": (DEEP, "is not valid JSON (maximum recursion depth"),
    "a list": (b"[]", "has no 'shapes'"),
    "no shapes": ({"shapes": None}, "is not in labelme's format ('NoneType' object is not iterable)"),
    "shapes as an object": ({"shapes": {"a": 1}}, "is not in labelme's format"),
    "a null shape": ({"shapes": [None]}, "is not in labelme's format"),
    "partly outside": (shape([-5.5, -5.5], [5.5, -5.5], [5.5, 5.5], [-5.5, 5.5]), covered(slice(6), slice(6))),
    "completely outside": (shape([20, 20], [30, 20], [30, 30]), covered(slice(0), slice(0))),
    "a circle around the image": (shape([6, 5], [66, 5], kind="circle"), covered(slice(10), slice(12))),
    "a circle of huge radius": (
        shape([5, 5], [1e9, 5], kind="circle"),
        "a shape reaches 1e+09 in an image of 10 x 12",
    ),
    "a huge rectangle": (shape([-1e12, -1e12], [1e12, 1e12], kind="rectangle"), "a shape reaches -1e+12"),
    "NaN": (shape([NAN, 1], [2, 3], [4, 5]), "a shape reaches nan"),
    "infinite": (shape([1, 1], [2, -INF], [4, 5]), "a shape reaches -inf"),
    "strings": (shape(["a", 1], [2, 3], [4, 5]), "is not in labelme's format (could not convert string"),
    "three coordinates": (
        shape([1, 2, 3], [2, 3, 4], [4, 5, 6]),
        "is not in labelme's format (a point has 3 coordinates",
    ),
    "null points": ({"shapes": [{"label": "car", "points": None}]}, "is not in labelme's format"),
    "PostScript as a mask": (
        shape([1, 1], [3, 3], kind="mask", mask="JSFQUy1BZG9iZS0zLjAgRVBTRi0zLjAK"),
        "not an image",
    ),
    "a height as a string": ({"shapes": [], "imageHeight": "ten"}, "was drawn on ten x 12 pixels"),
}
COCO: dict[str, tuple[dict[str, Any] | bytes, str | Array]] = {
    "truncated": (b'{"images": [{"id": 1', "is not valid JSON (Expecting ','"),
    "100,000 brackets": (DEEP, "is not valid JSON (maximum recursion depth"),
    "a list": (b"[]", "has no 'images'"),
    "images as an object": ({"images": {"a": LISTED}}, "is not in COCO's object detection format"),
    "null images": ({"images": None}, "is not in COCO's object detection format"),
    "images as strings": ({"images": ["a.png"]}, "is not in COCO's object detection format"),
    "an image without an id": ({"images": [{"file_name": "a.png", "height": 10, "width": 12}]}, "an entry has no 'id'"),
    "a null height": ({"images": [LISTED | {"height": None}]}, "is not in COCO's object detection format"),
    "an image twice": ({"images": [LISTED, LISTED | {"id": 2}]}, "lists the image a.png twice"),
    "a missing image": ({"images": [LISTED | {"file_name": "b.png"}]}, "image b.png: no such file in"),
    "an image outside the folder": (
        {"images": [LISTED | {"file_name": "../../b.png"}]},
        "image ../../b.png: no such file in",
    ),
    "an image with NUL": ({"images": [LISTED | {"file_name": "a\0.png"}]}, "no such file"),
    "a null annotation": ({"annotations": [None]}, "is not in COCO's object detection format"),
    "an annotation of several images": (
        region([[1, 1, 5, 1, 5, 5]], image_id=[1]),
        "is not in COCO's object detection format",
    ),
    "a category id as a string": ({"categories": [CAR | {"id": "x"}]}, "is not in COCO's object detection format"),
    "categories as an object": ({"categories": {"7": "car"}}, "is not in COCO's object detection format"),
    "partly outside": (region([[-50, -50, 4, -50, 4, 50, -50, 50]]), covered(slice(10), slice(4))),
    "completely outside": (region([[20, 20, 30, 20, 30, 30]]), covered(slice(0), slice(0))),
    "huge coordinates": (region([[-1e9, -1e9, 1e9, -1e9, 1e9, 1e9]]), "a shape reaches -1e+09 in an image of 10 x 12"),
    "NaN": (region([[NAN, 1, 2, 3, 4, 5]]), "a shape reaches nan"),
    "infinite": (region([[INF, 1, 2, 3, 4, 5]]), "a shape reaches inf"),
    "strings": (region([["a", 1, 2, 3, 4, 5]]), "a region is neither polygons nor a run-length encoding"),
    "seven numbers": (region([[1, 1, 2, 3, 4, 5, 6]]), "a shape has 7 coordinates"),
    "null counts": (counts(None), "a region is neither polygons nor a run-length encoding"),
    "counts of one pixel too few": (counts([60, 59]), "sum to 119 pixels, but the image has 120"),
    "negative counts": (counts([-5, 125]), "a region is neither polygons nor a run-length encoding"),
    "compressed counts of too few pixels": (counts("52203"), "sum to 16 pixels, but the image has 120"),
    "compressed counts of too many pixels": (counts("PPYo1PPYo1"), "pixels, but the image has 120"),
    "compressed counts, truncated": (counts("[1280000000k"), "is not a run-length encoding"),
    "invalid compressed counts": (counts("\x7f\x7f"), "is not a run-length encoding"),
    "empty compressed counts": (counts(""), "is not a run-length encoding"),
}


def write(file: Path, valid: dict[str, Any], content: dict[str, Any] | bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else json.dumps(valid | content).encode())


def check(expected: str | Array, file: Path, **settings: Any) -> None:
    if isinstance(expected, str):
        with pytest.raises(InputError) as error:
            AnnotationDataModule(**settings).dataset("train").read(0)
        assert only_line(str(error.value)).startswith(str(file))
        assert expected in str(error.value)
    else:
        np.testing.assert_array_equal(AnnotationDataModule(**settings).dataset("train").read(0)[1], expected)


@pytest.mark.parametrize("name", LABELME)
def test_labelme(name: str, tmp_path: Path) -> None:
    content, expected = LABELME[name]
    Image.new("RGB", (12, 10)).save(tmp_path / "a.png")
    write(tmp_path / "a.json", {"imageHeight": 10, "imageWidth": 12}, content)
    settings = {"root": str(tmp_path), "class_names": ["background", "car"], "splits": {"val": 0.0}}
    check(expected, tmp_path / "a.json", reader=Labelme("."), **settings)


@pytest.mark.parametrize("name", COCO)
def test_coco(name: str, tmp_path: Path) -> None:
    content, expected = COCO[name]
    (tmp_path / "images/train").mkdir(parents=True)
    Image.new("RGB", (12, 10)).save(tmp_path / "images/train/a.png")
    file = tmp_path / "annotations/train.json"
    write(file, {"images": [LISTED], "annotations": [], "categories": [CAR]}, content)
    check(expected, file, root=str(tmp_path), reader=Coco())


def test_macos_metadata_is_not_read_as_labelme(tmp_path: Path) -> None:
    Image.new("RGB", (12, 10)).save(tmp_path / "a.png")
    write(tmp_path / "a.json", {}, shape([0, 0], [11, 0], [11, 9], [0, 9]))
    write(tmp_path / "._a.json", {}, b"\0\5\x16\7")
    data = AnnotationDataModule(str(tmp_path), Labelme("."), ["background", "car"], splits={"val": 0.0})
    assert [pair.name for pair in data.pairs_of("train")] == ["a"]


def test_training_fails_with_a_one_line_error(tmp_path: Path, run: Run) -> None:
    for split in ("train", "val"):
        (tmp_path / "images" / split).mkdir(parents=True)
        Image.new("RGB", (12, 10)).save(tmp_path / "images" / split / "a.png")
        file = tmp_path / f"annotations/{split}.json"
        write(file, {"images": [LISTED], "annotations": [], "categories": [CAR]}, region([[NAN, 1, 2, 3, 4, 5]]))
    outcome = run(
        "fit",
        "--data=seglit.data.AnnotationDataModule",
        "--data.reader=seglit.annotations.Coco",
        f"--data.root={tmp_path}",
        *TINY,
    )
    assert outcome.code == 2
    assert only_line(outcome.err).startswith(
        f"seglit: error: {tmp_path / 'annotations/train.json'}: image a: a shape reaches nan"
    )
