"""Label Studio's JSON: percentages, brushes, uploads, several annotators, JSON-MIN."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seglit.annotations import LabelStudio
from seglit.annotations.brush_rle import encode_brush
from tests.annotations.folders import ALL, HEIGHT, SIZE, WIDTH, data_of, masks_of, painted, refusal, save_image

CRACK, RUST = 1, 2
Json = dict[str, Any]


def result(kind: str, label: str | None = "crack", **value: Any) -> Json:
    labels = {} if label is None else {kind: [label]}
    return {
        "original_width": WIDTH,
        "original_height": HEIGHT,
        "image_rotation": 0,
        "value": {**value, **labels},
        "id": f"{abs(hash(str(value)))}",
        "from_name": "label",
        "to_name": "image",
        "type": kind,
        "origin": "manual",
    }


def square(low: float, high: float, label: str = "crack") -> Json:
    """A polygon with corners in pixels."""
    corners = [(low, low), (high, low), (high, high), (low, high)]
    points = [[100 * x / WIDTH, 100 * y / HEIGHT] for x, y in corners]
    return result("polygonlabels", label, points=points, closed=True)


def task(results: list[Json], image: str = "/data/upload/7/1a2b3c4d-a.jpg", **others: Any) -> Json:
    annotation = {"id": 5, "completed_by": 1, "was_cancelled": False, "ground_truth": False, "result": results}
    return {"id": 1, "annotations": [annotation], "predictions": [], "data": {"image": image}, **others}


def write(root: Path, *tasks: Json) -> Path:
    save_image(root / "images" / "a.jpg")
    (root / "annotations.json").write_text(json.dumps(tasks))
    return root


def only_mask(root: Path, *tasks: Json, **settings: Any) -> Any:
    (mask,) = masks_of(write(root, *tasks), LabelStudio(), **ALL, **settings).values()
    return mask


def test_polygons_are_percentages(tmp_path: Path) -> None:
    mask = only_mask(tmp_path, task([square(8, 32), square(16, 24, "rust"), square(40, 48, "rust")]))
    assert np.array_equal(mask, painted((CRACK, (8, 8, 32, 32)), (RUST, (16, 16, 24, 24)), (RUST, (40, 40, 48, 48))))
    mask = only_mask(tmp_path, task([square(16, 24, "rust"), square(8, 32)]))
    assert np.array_equal(mask, painted((CRACK, (8, 8, 32, 32))))  # later regions cover earlier ones


def test_brushes(tmp_path: Path) -> None:
    strokes = np.random.default_rng(0).random(SIZE) < 0.3
    brush = result("brushlabels", "rust", format="rle", rle=encode_brush(strokes))
    mask = only_mask(tmp_path, task([square(8, 32), brush]))
    assert np.array_equal(mask == RUST, strokes)
    assert (mask == CRACK).sum() == 24 * 24 - strokes[8:32, 8:32].sum()
    brush["value"]["rle"] = brush["value"]["rle"][:50]
    assert "image images/a: is not in Label Studio's JSON (the brush's run-length encoding is truncated)" in refusal(
        write(tmp_path, task([brush])), LabelStudio(), **ALL
    )


def test_other_shapes(tmp_path: Path) -> None:
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    box = result("rectanglelabels", x=25, y=25, width=25, height=50, rotation=0)
    assert np.array_equal(only_mask(tmp_path, task([box])), painted((CRACK, (20, 16, 40, 48))))
    box = result("rectanglelabels", x=50, y=25, width=25, height=12.5, rotation=90)  # about its left upper corner
    assert np.array_equal(only_mask(tmp_path, task([box])), painted((CRACK, (32, 16, 40, 36))))
    ellipse = result("ellipselabels", x=50, y=50, radiusX=25, radiusY=12.5, rotation=30)
    turn = np.deg2rad(30)
    along = (x - 40) * np.cos(turn) + (y - 32) * np.sin(turn)
    across = (y - 32) * np.cos(turn) - (x - 40) * np.sin(turn)
    assert np.array_equal(only_mask(tmp_path, task([ellipse])), (along / 20) ** 2 + (across / 8) ** 2 <= 1)
    point = result("keypointlabels", x=50, y=50, width=0.3)
    assert "contains a point, which has no area" in refusal(write(tmp_path, task([point])), LabelStudio(), **ALL)
    assert np.array_equal(only_mask(tmp_path, task([point]), line_width=6), np.hypot(x - 40, y - 32) <= 3)


def test_results_that_are_no_regions_are_ignored(tmp_path: Path) -> None:
    choices = {"type": "choices", "value": {"choices": ["good"]}, "id": "x"}
    relation = {"type": "relation", "from_id": "x", "to_id": "y", "direction": "right"}
    region = square(8, 32)
    comment = {**region, "type": "textarea", "value": {**region["value"], "text": ["a"], "polygonlabels": []}}
    mask = only_mask(tmp_path, task([choices, region, relation, comment]))
    assert np.array_equal(mask, painted((CRACK, (8, 8, 32, 32))))


def test_labels_apart_from_shapes(tmp_path: Path) -> None:
    shape = square(8, 32)
    shape["value"].pop("polygonlabels")
    label = {**shape, "type": "labels", "value": {**shape["value"], "labels": ["rust"]}}
    shape["type"] = "polygon"
    assert np.array_equal(only_mask(tmp_path, task([shape, label])), painted((1, (8, 8, 32, 32))))


def test_json_min(tmp_path: Path) -> None:
    region = {**square(8, 32)["value"], "original_width": WIDTH, "original_height": HEIGHT}
    tasks = {"image": "/data/upload/7/1a2b3c4d-a.jpg", "id": 1, "tag": [region], "annotator": 1, "annotation_id": 4}
    assert np.array_equal(only_mask(tmp_path, tasks), painted((CRACK, (8, 8, 32, 32))))
    tasks.pop("tag")
    assert not only_mask(tmp_path, tasks, class_names=["background", "crack"]).any()


@pytest.mark.parametrize(
    "address",
    [
        "/data/upload/7/1a2b3c4d-b%20c.jpg",
        "/data/local-files/?d=photos/images/b%20c.jpg",
        "s3://bucket/photos/b c.jpg",
        "https://server/photos/b%20c.jpg?token=1",
        "C:\\photos\\b c.jpg",
    ],
)
def test_addresses_of_images(tmp_path: Path, address: str) -> None:
    save_image(tmp_path / "images" / "b c.jpg")
    data = data_of(write(tmp_path, task([square(8, 32)], address)), LabelStudio(), **ALL)
    assert data.dataset("train").read(0)[2] == "images/b c"


def test_the_annotation_that_counts(tmp_path: Path) -> None:
    several = task([square(8, 32)])
    older, truth, cancelled = ({**several["annotations"][0]} for _ in range(3))
    older |= {"result": [square(1, 3)], "updated_at": "2026-01-01T00:00:00Z"}
    several["annotations"][0]["updated_at"] = "2026-01-02T00:00:00Z"
    cancelled |= {"result": [square(1, 5)], "was_cancelled": True, "updated_at": "2026-01-03T00:00:00Z"}
    several["annotations"] += [older, cancelled]
    assert np.array_equal(only_mask(tmp_path, several), painted((CRACK, (8, 8, 32, 32))))
    truth |= {"result": [square(1, 9)], "ground_truth": True, "updated_at": "2025-01-01T00:00:00Z"}
    several["annotations"].append(truth)
    assert np.array_equal(only_mask(tmp_path, several), painted((CRACK, (1, 1, 9, 9))))
    nobody = task([], "/data/b.jpg", annotations=[])
    data = data_of(write(tmp_path, several, nobody), LabelStudio(), **ALL)
    file = tmp_path / "annotations.json"
    assert data.found.notes[:2] == [
        f"{file}: 1 tasks are not annotated, and not used",
        f"{file}: 1 tasks have several annotations; the ground truth or latest counts",
    ]
    assert len(data.dataset("train")) == 1


@pytest.mark.parametrize(
    ("tasks", "words"),
    [
        ([None], "is not in Label Studio's JSON"),
        ([{"data": {}, "annotations": []}], "is not in Label Studio's JSON"),
        ([task([], "/data/b.jpg")], "image b.jpg: no such file in"),
        ([task([square(8, 32)]), task([square(8, 32)])], "lists the image 1a2b3c4d-a.jpg twice"),
        ([task([square(8, 32) | {"original_width": 8}])], "was drawn on 64 x 8 pixels"),
        ([task([square(8, 32) | {"image_rotation": 90}])], "an image is rotated in Label Studio"),
        ([task([result("polygonlabels", points=[[1, 2], [3]])])], "is not in Label Studio's JSON"),
        ([task([result("polygonlabels", points=[[1, 2], [float("nan"), 2], [3, 4]])])], "a shape reaches nan"),
        ([task([result("brushlabels", rle="abc")])], "is not in Label Studio's JSON"),
        ([task([result("brushlabels", rle=[1] * 9)])], "values, but an image of 64 x 80 pixels has 4 for each"),
        ([task([result("polygonlabels", None, points=[[1, 2], [2, 2], [3, 4]])])], "the label '' is neither a class"),
    ],
)
def test_wrong_tasks_are_named(tmp_path: Path, tasks: list[Any], words: str) -> None:
    message = refusal(write(tmp_path, *tasks), LabelStudio(), class_names=["background", "crack"], **ALL)
    assert message.startswith(str(tmp_path / "annotations.json"))
    assert words in message
