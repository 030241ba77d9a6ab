"""VIA's JSON and CSV: every shape, the attribute that names the class, splits by file."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seglit.annotations import Via
from seglit.errors import InputError
from tests.annotations.folders import ALL, HEIGHT, WIDTH, data_of, masks_of, painted, refusal, save_image

CRACK, RUST = 1, 2


def region(label: Any, name: str, attribute: str = "type", **shape: Any) -> dict[str, Any]:
    attributes = {} if label is None else {attribute: label}
    return {"shape_attributes": {"name": name, **shape}, "region_attributes": attributes}


def square(label: Any, low: int, high: int, attribute: str = "type") -> dict[str, Any]:
    xs, ys = [low, high, high, low], [low, low, high, high]
    return region(label, "polygon", attribute, all_points_x=xs, all_points_y=ys)


def export(root: Path, *images: list[dict[str, Any]], folder: str = ".") -> dict[str, Any]:
    """The annotations of images 0, 1, ..., as VIA exports them."""
    entries = {}
    for index, regions in enumerate(images):
        file = save_image(root / folder / f"{index:03d}.jpg")
        size = file.stat().st_size
        entries[f"{file.name}{size}"] = {"filename": file.name, "size": size, "file_attributes": {}, "regions": regions}
    return entries


def write(file: Path, content: Any) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))
    return file.parent


def project(images: dict[str, Any], attributes: dict[str, Any] | None = None) -> dict[str, Any]:
    declared = {"type": {"type": "dropdown", "options": {"rust": "", "crack": "", "hole": ""}}}
    return {
        "_via_settings": {"core": {"default_filepath": ""}},
        "_via_img_metadata": images,
        "_via_attributes": {"region": declared if attributes is None else attributes, "file": {}},
    }


def test_annotations_as_json(tmp_path: Path) -> None:
    root = write(tmp_path / "via_project.json", export(tmp_path, [square("crack", 5, 30)], []))
    masks = masks_of(root, Via(), **ALL)
    assert np.array_equal(masks["000"], painted((CRACK, (5, 5, 30, 30))))
    assert not masks["001"].any()
    assert data_of(root, Via(), **ALL).labels.class_names == ("background", "crack")


def test_projects_declare_their_classes(tmp_path: Path) -> None:
    root = write(tmp_path / "via_project.json", project(export(tmp_path, [square("crack", 5, 30)])))
    data = data_of(root, Via(), **ALL)
    assert data.labels.class_names == ("background", "rust", "crack", "hole")
    assert np.array_equal(data.dataset("train").read(0)[1], painted((2, (5, 5, 30, 30))))
    write(tmp_path / "via_project.json", project(export(tmp_path, [square("crak", 5, 30)])))
    assert "image 000: the label 'crak' is neither a class nor in ignore_labels; did you mean 'crack'?" in refusal(
        root, Via(), **ALL
    )


def test_csv(tmp_path: Path) -> None:
    images = export(tmp_path, [square("crack", 5, 30), square("rust", 10, 20)], [])
    header = "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes"
    for mark in ("", "#"):
        with (tmp_path / "via.csv").open("w", newline="") as file:
            file.write(f"{mark}{header}\n")
            rows = csv.writer(file)
            for entry in images.values():
                regions = entry["regions"] or [{"shape_attributes": {}, "region_attributes": {}}]
                for number, each in enumerate(regions):
                    texts = [json.dumps(each[key]) for key in ("shape_attributes", "region_attributes")]
                    rows.writerow([entry["filename"], 1, "{}", len(entry["regions"]), number, *texts])
        masks = masks_of(tmp_path, Via("via.csv"), **ALL)
        assert np.array_equal(masks["000"], painted((CRACK, (5, 5, 30, 30)), (RUST, (10, 10, 20, 20))))
        assert not masks["001"].any()
    (tmp_path / "via.csv").write_text("filename,region_attributes\n")
    assert "via.csv: no column 'region_shape_attributes'" in refusal(tmp_path, Via("via.csv"), **ALL)
    (tmp_path / "via.csv").write_text(f"{header}\n000.jpg,1,{{}},1,0,{{,x\n")
    assert "via.csv, line 2: is not in VIA's format" in refusal(tmp_path, Via("via.csv"), **ALL)


def test_every_shape(tmp_path: Path) -> None:
    shapes = [
        [region("crack", "rect", x=10, y=20, width=30, height=15)],
        [region("crack", "circle", cx=40, cy=30, r=12.5)],
        [region("crack", "ellipse", cx=40, cy=30, rx=20, ry=8, theta=0.5)],
        [region("crack", "polyline", all_points_x=[5, 70], all_points_y=[10, 10])],
        [region("crack", "point", cx=20, cy=50)],
    ]
    root = write(tmp_path / "via_project.json", export(tmp_path, *shapes))
    assert "which has no area; set `line_width: 3` to draw lines and points" in refusal(root, Via(), **ALL)
    masks = masks_of(root, Via(), line_width=4, **ALL)
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    along, across = (x - 40) * np.cos(0.5) + (y - 30) * np.sin(0.5), (y - 30) * np.cos(0.5) - (x - 40) * np.sin(0.5)
    expected = [
        painted((CRACK, (10, 20, 40, 35))),
        np.hypot(x - 40, y - 30) <= 12.5,
        (along / 20) ** 2 + (across / 8) ** 2 <= 1,
        (abs(y - 10) <= 2) & (np.hypot(np.maximum(0, np.maximum(5 - x, x - 70)), y - 10) <= 2),
        np.hypot(x - 20, y - 50) <= 2,
    ]
    for index, mask in enumerate(expected):
        np.testing.assert_array_equal(masks[f"{index:03d}"], mask)
    write(tmp_path / "via_project.json", export(tmp_path, [region("crack", "cuboid")]))
    assert "contains a cuboid, which cannot be drawn; set `skip_shapes: [cuboid]`" in refusal(root, Via(), **ALL)
    assert not masks_of(root, Via(), skip_shapes=["cuboid"], **ALL)["000"].any()


def test_the_attribute_of_the_class(tmp_path: Path) -> None:
    regions = [square("crack", 5, 30)]
    regions[0]["region_attributes"]["quality"] = {"good": True}
    root = write(tmp_path / "via_project.json", export(tmp_path, regions))
    assert "regions have the attributes type, quality; set the reader's `attribute: type`" in refusal(
        root, Via(), **ALL
    )
    assert "no attribute 'qualty'; did you mean 'quality'?" in refusal(root, Via(attribute="qualty"), **ALL)
    assert data_of(root, Via(attribute="quality"), **ALL).labels.class_names == ("background", "good")
    write(tmp_path / "via_project.json", export(tmp_path, [square(None, 5, 30)]))  # as in the balloon data set
    assert data_of(root, Via(), **ALL).labels.class_names == ("background", "object")


def test_version_1_and_splits(tmp_path: Path) -> None:
    for split, high in (("train", 30), ("val", 20)):
        images = export(tmp_path, [square("crack", 5, high)], folder=split)
        for entry in images.values():
            entry["regions"] = {str(number): each for number, each in enumerate(entry["regions"])}
        write(tmp_path / split / "via_region_data.json", images)
    data = data_of(tmp_path, Via("{split}/via_region_data.json", "{split}"))
    assert np.array_equal(data.dataset("train").read(0)[1], painted((CRACK, (5, 5, 30, 30))))
    assert np.array_equal(data.dataset("val").read(0)[1], painted((CRACK, (5, 5, 20, 20))))
    with pytest.raises(InputError, match=r"no images for the split 'test' .looked in .*test/via_region_data.json"):
        data.dataset("test")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"a": 1}, "is not in VIA's format"),
        ({"a": {"filename": "000.jpg", "regions": [None]}}, "is not in VIA's format"),
        ({"a": {"filename": "000.jpg"}}, "an entry has no 'regions'"),
        ([], "is not an object"),
        ({"a": {"filename": "b.jpg", "regions": []}}, "image b.jpg: no such file in"),
        ({"a": {"filename": "", "regions": []}}, "an image has no file name"),
        (
            {"a": {"filename": "000.jpg", "regions": [region("x", "polygon", all_points_x=[1])]}},
            "has no 'all_points_y'",
        ),
        (
            {"a": {"filename": "000.jpg", "regions": [region("x", "polygon", all_points_x=[1], all_points_y=[])]}},
            "is not in VIA's format",
        ),
        (
            {"a": {"filename": "000.jpg", "regions": [region("x", "circle", cx=1, cy=1, r=1e9)]}},
            "a shape reaches 1e+09",
        ),
    ],
)
def test_wrong_files_are_named(tmp_path: Path, content: Any, words: str) -> None:
    save_image(tmp_path / "000.jpg")
    write(tmp_path / "via_project.json", content)
    message = refusal(tmp_path, Via(), **ALL)
    assert message.startswith(str(tmp_path / "via_project.json"))
    assert words in message
