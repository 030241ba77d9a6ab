"""labelme's JSON as masks: every kind of shape, in the file's order, and mistakes are named."""

import base64
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import ExifTags, Image, ImageDraw

from seglit.annotations import Labelme
from seglit.data import AnnotationDataModule
from seglit.errors import InputError

HEIGHT, WIDTH = 10, 12
CLASSES = ["background", "crack", "hole"]
FLAT: dict[str, Any] = {"splits": {"val": 0.0}}


def shape(label: str, kind: str | None, *points: tuple[float, float], **others: Any) -> dict[str, Any]:
    return {"label": label, "shape_type": kind, "points": points, "group_id": None, "flags": {}, **others}


def square(label: str, low: float, high: float) -> dict[str, Any]:
    return shape(label, "polygon", (low, low), (high, low), (high, high), (low, high))


def write(root: Path, *shapes: dict[str, Any], name: str = "a", **others: Any) -> Path:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (WIDTH, HEIGHT)).save(root / f"{name}.jpg")
    content: dict[str, Any] = {
        "version": "5.5.0",
        "flags": {},
        "shapes": shapes,
        "imagePath": f"{name}.jpg",
        "imageData": None,
    }
    content |= {"imageHeight": HEIGHT, "imageWidth": WIDTH, **others}
    (root / f"{name}.json").write_text(json.dumps(content))
    return root


def mask(root: Path, **settings: Any) -> npt.NDArray[np.uint8]:
    data = AnnotationDataModule(str(root), Labelme("."), CLASSES, **{**FLAT, **settings})
    image, drawn, _ = data.dataset("train").read(0)
    assert image.shape[:2] == drawn.shape
    return drawn


def refusal(root: Path, **settings: Any) -> str:
    with pytest.raises(InputError) as error:
        mask(root, **settings)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_polygons_and_rectangles_cover_the_pixels_they_touch(tmp_path: Path) -> None:
    rectangle = shape("hole", "rectangle", (11.5, 9.5), (8.5, 7.5))  # drawn from its right bottom corner
    drawn = mask(write(tmp_path, square("crack", 2.5, 5.5), rectangle))
    reference = np.zeros((HEIGHT, WIDTH), np.uint8)
    reference[2:6, 2:6] = 1
    reference[7:10, 8:12] = 2
    assert np.array_equal(drawn, reference)


def test_circles(tmp_path: Path) -> None:
    drawn = mask(write(tmp_path, shape("crack", "circle", (6.0, 5.0), (6.0, 8.5))))
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5  # of the pixels' centres
    away = np.hypot(x - 6.0, y - 5.0)
    assert (drawn[away < 3.5] == 1).all()
    assert (drawn[away > 3.5 + np.sqrt(0.5)] == 0).all()


def shape_to_mask(kind: str, points: list[tuple[float, float]]) -> npt.NDArray[np.bool_]:
    """Draws a shape as labelme's `shape_to_mask` does."""
    image = Image.new("L", (WIDTH, HEIGHT))
    draw = ImageDraw.Draw(image)
    match kind:
        case "polygon":
            draw.polygon(points, outline=1, fill=1)
        case "rectangle":
            draw.rectangle([*map(min, *points), *map(max, *points)], outline=1, fill=1)
        case "circle":
            (x, y), edge = points
            radius = math.dist((x, y), edge)
            draw.ellipse([x - radius, y - radius, x + radius, y + radius], outline=1, fill=1)
    return np.array(image, np.bool_)


@pytest.mark.parametrize(("kind", "corners"), [("polygon", 7), ("rectangle", 2), ("circle", 2)])
def test_areas_are_those_of_labelme(tmp_path: Path, kind: str, corners: int) -> None:
    rng = np.random.default_rng(0)
    expected = {}
    for number in range(60):  # fractions, whole and half pixels, inside and partly outside of the image
        points = rng.uniform(-0.3 * (number % 2), 1 + 0.3 * (number % 2), (corners, 2)) * [WIDTH, HEIGHT]
        placed = [tuple(point) for point in [points, points.round(), (points * 2).round() / 2][number % 3]]
        write(tmp_path, shape("crack", kind, *placed), name=f"{number:02}")
        expected[f"{number:02}"] = shape_to_mask(kind, placed)
    dataset = AnnotationDataModule(str(tmp_path), Labelme("."), CLASSES, **FLAT).dataset("train")
    drawn = {name: mask for _, mask, name in map(dataset.read, range(len(dataset)))}
    assert drawn.keys() == expected.keys()
    for name, pixels in expected.items():
        np.testing.assert_array_equal(drawn[name] == 1, pixels)


def test_masks_are_pasted_at_their_box(tmp_path: Path) -> None:
    part = np.array([[1, 0, 1], [0, 1, 1]], bool)
    stream = io.BytesIO()
    Image.fromarray(part).save(stream, "PNG")
    text = base64.b64encode(stream.getvalue()).decode()
    drawn = mask(write(tmp_path, shape("hole", "mask", (4.0, 3.0), (6.0, 4.0), mask=text)))
    reference = np.zeros((HEIGHT, WIDTH), np.uint8)
    reference[3:5, 4:7] = 2 * part
    assert np.array_equal(drawn, reference)


def test_later_shapes_cover_earlier_ones_and_void_is_drawn(tmp_path: Path) -> None:
    shapes = [square("crack", 1, 8), square("hole", 2, 6), square("unsure", 3, 4)]
    first, last = write(tmp_path / "first", *shapes), write(tmp_path / "last", *shapes[::-1])
    drawn = mask(first, ignore_labels=["unsure"])
    assert [drawn[at, at] for at in (0, 1, 2, 3, 6, 8, 9)] == [0, 1, 2, 255, 2, 1, 0]
    drawn = mask(last, ignore_labels=["unsure"], background=None)
    assert [drawn[at, at] for at in (0, 1, 2, 3, 6, 8, 9)] == [255, 1, 1, 1, 1, 1, 255]


def test_files_beside_the_images_or_in_a_folder(tmp_path: Path) -> None:
    write(tmp_path, name="images/train/site/a.01")
    write(tmp_path, square("hole", 0, 2), name="images/val/b")
    Image.new("RGB", (4, 4)).save(tmp_path / "images/train/unlabelled.png")
    data = AnnotationDataModule(str(tmp_path), Labelme(), CLASSES)
    assert [data.dataset(split).read(0)[2] for split in ("train", "val")] == ["site/a.01", "b"]
    assert (len(data.dataset("train")), data.has_split("test")) == (1, False)
    (tmp_path / "images/train").rename(tmp_path / "pictures")
    (tmp_path / "labels/site").mkdir(parents=True)
    (tmp_path / "pictures/site/a.01.json").rename(tmp_path / "labels/site/a.01.json")
    apart = AnnotationDataModule(str(tmp_path), Labelme("pictures", "labels"), CLASSES, **FLAT)
    assert apart.dataset("train").read(0)[2] == "site/a.01"


def test_shapes_follow_exif_orientation(tmp_path: Path) -> None:
    write(tmp_path, square("crack", 0, 1), imageHeight=WIDTH, imageWidth=HEIGHT)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "a.jpg", exif=exif)
    drawn = mask(tmp_path)
    assert drawn.shape == (WIDTH, HEIGHT)
    assert np.argwhere(drawn).tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (
            square("crak", 1, 2),
            "a.json: the label 'crak' is neither a class nor in ignore_labels; did you mean 'crack'?",
        ),
        (shape("crack", "line", (1, 1), (4, 4)), "contains a line, which has no area; set `line_width: 3` to draw"),
        (shape("crack", "point", (1, 1)), "or `skip_shapes: [point]` to skip them"),
        (shape("crack", "polygon", (1, 1), (4, 4)), "a shape 'polygon' of 2 points"),
        (shape("crack", "rectangle", (1, 1)), "a shape 'rectangle' of 1 points"),
        (shape("crack", "mask", (1, 1), (2, 2), mask="AAAA"), "contains a shape 'mask' that is not an image"),
    ],
)
def test_invalid_shapes_are_rejected(tmp_path: Path, wrong: dict[str, Any], words: str) -> None:
    assert words in refusal(write(tmp_path, square("crack", 1, 2), wrong))


def test_mismatches_are_named(tmp_path: Path) -> None:
    assert "background is 'ground'" in refusal(write(tmp_path), background="ground")
    assert "was drawn on 20 x 12 pixels (height x width), but its image a.jpg has 10 x 12" in refusal(
        write(tmp_path, imageHeight=20)
    )
    (tmp_path / "a.jpg").rename(tmp_path / "b.jpg")
    assert "a.json: its image a.* does not exist; there are b" in refusal(tmp_path)


def shapes_of_case_5() -> dict[str, list[dict[str, Any]]]:
    """What people draw with labelme: holes by `_background_`, lines, points, masks, corners from right to left."""
    stream = io.BytesIO()
    Image.fromarray(np.eye(20, dtype=bool)).save(stream, "PNG")
    diagonal = base64.b64encode(stream.getvalue()).decode()
    triangle = shape("tire", "polygon", (50, 10), (70, 10), (70, 40)) | {"group_id": 1}
    return {
        "hole": [shape("tire", "circle", (40, 32), (60, 32)), shape("_background_", "circle", (40, 32), (50, 32))],
        "lines": [
            shape("crack", "line", (5, 10), (70, 10)),
            shape("crack", "linestrip", (5, 30), (40, 35), (70, 30)),
            shape("crack", "point", (20, 50)),
        ],
        "group": [shape("tire", "rectangle", (10, 10), (30, 40)) | {"group_id": 1}, triangle],
        "mask": [shape("tire", "mask", (20, 10), (39, 29), mask=diagonal)],
        "ignore": [shape("_ignore_", "polygon", (0, 0), (79, 0), (79, 10), (0, 10)), square("tire", 20, 40)],
        "reversed": [shape("tire", "rectangle", (60, 20), (30, 40))],
    }


def test_shapes_as_people_draw_them(tmp_path: Path) -> None:
    for name, shapes in shapes_of_case_5().items():
        write(tmp_path, *shapes, name=name, imageHeight=64, imageWidth=80, imagePath=f"..\\photos\\{name}.jpg")
        Image.new("RGB", (80, 64)).save(tmp_path / f"{name}.jpg")
    data = AnnotationDataModule(str(tmp_path), Labelme("."), line_width=3, **FLAT)
    assert data.labels.class_names == ("background", "crack", "tire")
    dataset = data.dataset("train")
    masks = {name: drawn for _, drawn, name in map(dataset.read, range(len(dataset)))}
    y, x = np.mgrid[:64, :80]
    away = np.hypot(x - 40, y - 32)
    ring, tolerance = ((away > 10) & (away <= 20)).sum(), 0.05
    assert abs((masks["hole"] == 2).sum() - ring) < tolerance * ring
    assert (masks["hole"][away < 9] == 0).all()
    triangle = 300 + 60 // 2 + 1  # the points of the grid in it, by Pick's theorem
    assert 0 <= (masks["group"] == 2).sum() - 21 * 31 - triangle <= 30  # and those that its longest side touches
    assert np.array_equal(np.argwhere(masks["mask"] == 2), np.stack([np.arange(10, 30), np.arange(20, 40)], 1))
    assert (masks["ignore"] == 255).sum() == 80 * 11
    assert (masks["reversed"] == 2).sum() == 31 * 21
    near = np.minimum(
        distance((5, 10), (70, 10)), np.minimum(distance((5, 30), (40, 35)), distance((40, 35), (70, 30)))
    )
    point = np.hypot(x - 20, y - 50)
    assert np.array_equal(masks["lines"] == 1, (near <= 1.5) | (point <= 1.5))
    skipping = AnnotationDataModule(str(tmp_path), Labelme("."), skip_shapes=["line", "point"], **FLAT).dataset("train")
    assert all((drawn != 1).all() for _, drawn, _ in map(skipping.read, range(len(skipping))))


def distance(start: tuple[int, int], end: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Distance of each pixel (64, 80) from a line."""
    y, x = np.mgrid[:64, :80].astype(float)
    along = np.subtract(end, start)
    share = np.clip(((x - start[0]) * along[0] + (y - start[1]) * along[1]) / (along @ along), 0, 1)
    nearest: npt.NDArray[np.float64] = np.hypot(x - start[0] - share * along[0], y - start[1] - share * along[1])
    return nearest


def test_images_of_another_name_are_found_by_image_path(tmp_path: Path) -> None:
    write(tmp_path, square("crack", 0, 2), imagePath="C:\\photos\\b.png")
    (tmp_path / "a.jpg").unlink()
    Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "b.png")
    assert mask(tmp_path).sum() == 9
    (tmp_path / "b.png").unlink()
    assert "set `exclude: [a.json]`" in refusal(tmp_path)
    write(tmp_path, square("crack", 0, 1), name="c")
    assert mask(tmp_path, exclude=["a.json"]).sum() == 4
