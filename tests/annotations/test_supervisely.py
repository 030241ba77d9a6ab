"""Supervisely: objects with holes, bitmaps at an origin, classes and colours of meta.json."""

import base64
import io
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from seglit.annotations import Supervisely
from tests.annotations.folders import ALL, HEIGHT, SIZE, WIDTH, data_of, masks_of, painted, refusal, save_image

CRACK, RUST = 1, 2


def item(kind: str, exterior: Any = (), interior: Any = (), title: str = "crack", **others: Any) -> dict[str, Any]:
    return {"classTitle": title, "geometryType": kind, "points": {"exterior": exterior, "interior": interior}, **others}


def bitmap(pixels: npt.NDArray[np.bool_], left: int, top: int) -> dict[str, Any]:
    """A bitmap as Supervisely writes it: a palette PNG whose colour 0 is transparent, compressed once more."""
    image = Image.fromarray(pixels.astype(np.uint8))
    image.putpalette([0, 0, 0, 255, 255, 255])
    stream = io.BytesIO()
    image.save(stream, "PNG", transparency=0, optimize=0)
    return packed(stream.getvalue(), left, top)


def packed(content: bytes, left: int = 0, top: int = 0) -> dict[str, Any]:
    data = base64.b64encode(zlib.compress(content)).decode()
    return item("bitmap", bitmap={"data": data, "origin": [left, top]})


def write(root: Path, *images: list[Any], folder: str = "ds0", meta: Any = None) -> Path:
    for index, objects in enumerate(images):
        save_image(root / folder / "img" / f"{index:03d}.jpg")
        file = root / folder / "ann" / f"{index:03d}.jpg.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"size": {"height": HEIGHT, "width": WIDTH}, "tags": [], "objects": objects}))
    (root / "meta.json").write_text(json.dumps(meta or {}))
    return root


def test_polygons_with_holes(tmp_path: Path) -> None:
    square = [[5, 5], [30, 5], [30, 30], [5, 30]]
    hole = [[10, 10], [12, 10], [12, 14], [10, 14]]
    root = write(tmp_path, [item("polygon", square, [hole])], [])
    masks = masks_of(root, Supervisely(), **ALL)
    assert np.array_equal(masks["ds0/000"], painted((CRACK, (5, 5, 31, 31)), (0, (10, 10, 13, 15))))
    assert not masks["ds0/001"].any()
    save_image(root / "ds0/img/unlabelled.jpg")
    assert len(masks_of(root, Supervisely(), **ALL)) == 2


def test_classes_and_colours(tmp_path: Path) -> None:
    classes = [{"title": "rust", "shape": "polygon", "color": "#FF0000"}, {"title": "crack", "color": "#00FF00"}]
    root = write(tmp_path, [item("polygon", [[1, 1], [9, 1], [9, 9]])], meta={"classes": classes, "tags": []})
    labels = data_of(root, Supervisely(), **ALL).labels
    assert labels.class_names == ("background", "rust", "crack")
    assert labels.palette == ((0, 0, 0), (255, 0, 0), (0, 255, 0))


def test_other_shapes_in_the_order_of_the_file(tmp_path: Path) -> None:
    part = np.random.default_rng(0).random((12, 9)) < 0.5
    over = item("rectangle", [[30, 35], [20, 20]], title="rust")
    root = write(
        tmp_path,
        [item("rectangle", [[10, 10], [40, 40]]), over],
        [over, item("rectangle", [[10, 10], [40, 40]])],
        [bitmap(part, 30, 7)],
        [item("line", [[5, 10], [70, 10]])],
        [item("point", [[20, 50]])],
    )
    assert "which has no area; set `line_width: 3`" in refusal(root, Supervisely(), **ALL)
    masks = masks_of(root, Supervisely(), line_width=3, **ALL)
    assert np.array_equal(masks["ds0/000"], painted((CRACK, (10, 10, 41, 41)), (RUST, (20, 20, 31, 36))))
    assert np.array_equal(masks["ds0/001"], painted((CRACK, (10, 10, 41, 41))))
    expected = np.zeros(SIZE, np.uint8)
    expected[7:19, 30:39] = part
    assert np.array_equal(masks["ds0/002"], expected)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    assert np.array_equal(masks["ds0/003"], np.hypot(np.maximum(0, np.maximum(5 - x, x - 70)), y - 10) <= 1.5)
    assert np.array_equal(masks["ds0/004"], np.hypot(x - 20, y - 50) <= 1.5)
    write(tmp_path, [item("graph")])
    assert "contains a graph, which cannot be drawn; set `skip_shapes: [graph]`" in refusal(root, Supervisely(), **ALL)


def test_data_sets_that_are_splits(tmp_path: Path) -> None:
    polygon = item("polygon", [[1, 1], [9, 1], [9, 9]])
    for folder in ("train", "val"):
        write(tmp_path, [polygon], folder=folder)
    data = data_of(tmp_path, Supervisely())
    assert [data.dataset(split).read(0)[2] for split in ("train", "val")] == ["train/000", "val/000"]


def test_missing_images_are_named(tmp_path: Path) -> None:
    root = write(tmp_path, [], [])
    (root / "ds0/img/001.jpg").unlink()
    assert "its image" in refusal(root, Supervisely(), **ALL)
    assert "set `exclude: [ds0/img/001.jpg]`" in refusal(root, Supervisely(), **ALL)
    assert len(masks_of(root, Supervisely(), exclude=["ds0/img/001.jpg"], **ALL)) == 1
    (tmp_path / "ds0/img/000.jpg").unlink()
    (tmp_path / "ds0/img").rmdir()
    assert "no folders img and ann beside each other" in refusal(root, Supervisely(), **ALL)


def png_header(height: int, width: int) -> bytes:
    stream = io.BytesIO()
    Image.new("1", (1, 1)).save(stream, "PNG")
    content = bytearray(stream.getvalue())
    content[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    content[29:33] = zlib.crc32(bytes(content[12:29])).to_bytes(4, "big")
    return bytes(content)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (packed(b"%!PS-Adobe"), "not a PNG"),
        (packed(png_header(100_000, 100_000)), "not a PNG"),
        (packed(png_header(65, 80)), "it is 65 x 80 pixels, larger than the image"),
        (packed(bytes(10**7)), "a bitmap is larger than the image"),
        (item("bitmap", bitmap={"data": "AAAA", "origin": [0, 0]}), "a bitmap is not compressed data"),
        (item("bitmap", bitmap={"data": "AAAA"}), "an entry has no 'origin'"),
        (item("polygon", [[1, 1], [float("nan"), 1], [9, 9]]), "a shape reaches nan"),
        (item("polygon", [[1, 1], [9], [9, 9]]), "is not in Supervisely's format"),
        ({"classTitle": "crack"}, "an entry has no 'points'"),
        (item("polygon", []), "a polygon has 0 points"),
        (None, "is not in Supervisely's format"),
    ],
)
def test_wrong_objects_are_named(tmp_path: Path, wrong: Any, words: str) -> None:
    settings = {"class_names": ["background", "crack"], **ALL}
    message = refusal(write(tmp_path, [wrong]), Supervisely(), **settings)
    assert message.startswith(str(tmp_path / "ds0/ann/000.jpg.json"))
    assert words in message
