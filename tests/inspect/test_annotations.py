"""`seglit inspect` on what labelling tools write: format, classes and pixels, which its configuration reads."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from seglit import annotations
from seglit.annotations.brush_rle import encode_brush
from seglit.data import AnnotationDataModule
from seglit.errors import InputError
from tests.conftest import QUIET, Run
from tests.inspect.folders import SIZE, image, mask, recode, save, split_folders
from tests.inspect.written import load

HEIGHT, WIDTH = SIZE
COUNT = 6
DOG = (36, 10, 52, 40)  # left, top, right, bottom; 16 x 30
Write = Callable[[Path], None]


def cat(number: int) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the other object; 20 x 20."""
    return 4 + number, 5, 24 + number, 25


def corners(box: tuple[int, int, int, int]) -> list[tuple[int, int]]:
    left, top, right, bottom = box
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def objects(number: int) -> list[tuple[str, list[tuple[int, int]]]]:
    return [("cat", corners(cat(number))), ("dog", corners(DOG))]


def dump(content: Any, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))


def yolo(root: Path) -> None:
    """The last training image has no labels."""
    for number in range(COUNT):
        split = "train" if number < 4 else "val"
        save(image(number), root / f"images/{split}/{number}.png")
        lines = [
            " ".join([str(place), *(f"{x / WIDTH:.8f} {y / HEIGHT:.8f}" for x, y in points)])
            for place, (_, points) in enumerate(objects(number))
        ]
        file = root / f"labels/{split}/{number}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        if number != 3:
            file.write_text("\n".join(lines))
    settings = {"train": "images/train", "val": "images/val", "names": ["cat", "dog", "bird"]}
    (root / "data.yaml").write_text(yaml.safe_dump(settings))


def labelme(root: Path) -> None:
    """The first image has a line; the second an area to ignore."""
    for number in range(COUNT):
        save(image(number), root / f"{number}.png")
        shapes = [{"label": name, "shape_type": "polygon", "points": points} for name, points in objects(number)]
        if number == 0:
            shapes.append({"label": "crack", "shape_type": "line", "points": [(0, 44), (63, 44)]})
        if number == 1:
            shapes.append({"label": "_ignore_", "shape_type": "rectangle", "points": [(0, 45), (9, 46)]})
        content = {"version": "5.5.0", "shapes": shapes, "imagePath": f"{number}.png", "imageData": None}
        dump({**content, "imageHeight": HEIGHT, "imageWidth": WIDTH}, root / f"{number}.json")


def roboflow(root: Path) -> None:
    """The first image has a box without outline, the second a crowd."""
    categories = [{"id": place, "name": name} for place, name in enumerate(("pets-abc", "bird", "cat", "dog"))]
    for split, numbers in (("train", range(4)), ("valid", range(4, 5)), ("test", range(5, 6))):
        images, annotations = [], []
        for number in numbers:
            save(image(number), root / split / f"{number}.png")
            images.append({"id": number, "file_name": f"{number}.png", "height": HEIGHT, "width": WIDTH})
            for category, (_, points) in enumerate(objects(number), 2):
                flat: Any = [[value for point in points for value in point]]
                annotations.append({"image_id": number, "category_id": category, "segmentation": flat, "iscrowd": 0})
            if number == 0:
                annotations[-1] |= {"segmentation": [], "bbox": [36, 10, 16, 30]}
            if number == 1:
                crowd = {"size": [HEIGHT, WIDTH], "counts": [0, 2, HEIGHT * WIDTH - 2]}
                annotations.append({"image_id": 1, "category_id": 1, "segmentation": crowd, "iscrowd": 1})
        for place, annotation in enumerate(annotations):
            annotation["id"] = place
        content = {"images": images, "annotations": annotations, "categories": categories}
        dump(content, root / split / "_annotations.coco.json")


def supervisely(root: Path) -> None:
    """The third image has a cuboid too."""
    for number in range(COUNT):
        save(image(number), root / f"ds0/img/{number}.png")
        items = [
            {"classTitle": name, "geometryType": "polygon", "points": {"exterior": points, "interior": []}}
            for name, points in objects(number)
        ]
        if number == 2:
            items.append({"classTitle": "cat", "geometryType": "cuboid", "points": {"exterior": [], "interior": []}})
        size = {"height": HEIGHT, "width": WIDTH}
        dump({"size": size, "tags": [], "objects": items}, root / f"ds0/ann/{number}.png.json")
    colors = {"dog": "#0000FF", "cat": "#FF0000"}
    dump({"classes": [{"title": name, "color": color} for name, color in colors.items()]}, root / "meta.json")


def cvat(root: Path) -> None:
    labels = "".join(
        f"<label><name>{name}</name><color>{color}</color></label>"
        for name, color in (("bird", "#000011"), ("dog", "#0000ff"), ("cat", "#ff0000"))
    )
    text = f"<annotations><version>1.1</version><meta><task><labels>{labels}</labels></task></meta>"
    for number in range(COUNT):
        save(image(number), root / f"images/{number}.png")
        shapes = "".join(
            f'<polygon label="{name}" points="{";".join(f"{x},{y}" for x, y in points)}" z_order="0"></polygon>'
            for name, points in objects(number)
        )
        text += f'<image id="{number}" name="{number}.png" width="{WIDTH}" height="{HEIGHT}">{shapes}</image>'
    (root / "annotations.xml").write_text(f"{text}</annotations>")


def via(root: Path) -> None:
    entries = {}
    for number in range(COUNT):
        save(image(number), root / f"{number}.png")
        size = (root / f"{number}.png").stat().st_size
        regions = [
            {
                "shape_attributes": {
                    "name": "polygon",
                    "all_points_x": [x for x, _ in points],
                    "all_points_y": [y for _, y in points],
                },
                "region_attributes": {"kind": name},
            }
            for name, points in objects(number)
        ]
        entries[f"{number}.png{size}"] = {"filename": f"{number}.png", "size": size, "regions": regions}
    dump(entries, root / "via_region_data.json")


def label_studio(root: Path) -> None:
    """A polygon and a brush for each image; the last task is not annotated."""
    tasks: list[Any] = []
    for number in range(COUNT + 1):
        save(image(number), root / f"images/{number}.png")
        left, top, right, bottom = DOG
        painted = np.zeros(SIZE, bool)
        painted[top:bottom, left:right] = True
        polygon = [[100 * x / WIDTH, 100 * y / HEIGHT] for x, y in corners(cat(number))]
        values = (
            ("polygonlabels", {"points": polygon, "polygonlabels": ["cat"]}),
            ("brushlabels", {"format": "rle", "rle": encode_brush(painted), "brushlabels": ["dog"]}),
        )
        size = {"original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0}
        results = [{"id": kind, "type": kind, "value": value, **size} for kind, value in values]
        annotations = [{"id": number, "result": results, "was_cancelled": False}] if number < COUNT else []
        tasks.append(
            {"id": number, "data": {"image": f"/data/upload/1/0123abcd-{number}.png"}, "annotations": annotations}
        )
    dump(tasks, root / "project-1.json")


PIXELS = HEIGHT * WIDTH
LABELME = {"cat": 6 * 21 * 21, "crack": 3 * 64, "dog": 6 * 17 * 31}  # touched pixels count
SUPERVISELY = {"cat": 6 * 21 * 21, "dog": 6 * 17 * 31}
INSIDE = {"cat": 6 * 400, "dog": 6 * 480}
FORMATS: list[tuple[Write, Any, Any, dict[str, int], int, dict[str, Any]]] = [
    (yolo, "Yolo", {"train": 4, "val": 2}, {"cat": 5 * 400, "dog": 5 * 480}, 0, {}),
    (labelme, "Labelme", {"all": 6}, LABELME, 10 * 2, {"line_width": 3}),
    (roboflow, "Coco", {"train": 4, "val": 1, "test": 1}, INSIDE, 2, {"draw_boxes": True, "ignore_labels": ["bird"]}),
    (supervisely, "Supervisely", {"all": 6}, SUPERVISELY, 0, {"skip_shapes": ["cuboid"]}),
    (cvat, "Cvat", {"all": 6}, INSIDE, 0, {}),
    (via, "Via", {"all": 6}, INSIDE, 0, {}),
    (label_studio, "LabelStudio", {"all": 6}, INSIDE, 0, {}),
]


@pytest.fixture
def inspected(tmp_path: Path, run: Run) -> Callable[..., Any]:
    """Inspects tmp_path/data; returns the JSON, and the settings that it writes."""

    def inspect(*args: str, code: int = 0) -> Any:
        outcome = run("inspect", "data", "--json", "--write=data.yaml", "--report=page", "--workers=1", *args)
        assert outcome.code == code, outcome.err
        return json.loads(outcome.out), yaml.safe_load((tmp_path / "data.yaml").read_text())["init_args"]

    return inspect


def counts(report: Any) -> dict[str | None, int]:
    return {value["class"]: value["pixels"] for value in report["values"]}


def check_loads(folder: Path, report: Any, settings: Any) -> None:
    """The written configuration reads the pixels that were counted."""
    names = settings["class_names"]
    read = {index if index is None else names[index]: pixels for index, pixels in load(folder / "data.yaml").items()}
    assert read == {name: pixels for name, pixels in counts(report).items() if pixels}


def codes(report: Any) -> set[str]:
    return {finding["code"] for finding in report["findings"]}


@pytest.mark.parametrize(
    ("write", "reader", "splits", "pixels", "void", "extra"), FORMATS, ids=[entry[1] for entry in FORMATS]
)
def test_formats_are_recognised_and_load(
    write: Write,
    reader: str,
    splits: dict[str, int],
    pixels: dict[str, int],
    void: int,
    extra: dict[str, Any],
    tmp_path: Path,
    inspected: Callable[..., Any],
) -> None:
    write(tmp_path / "data")
    report, settings = inspected()
    assert settings["reader"]["class_path"] == f"seglit.annotations.{reader}"
    assert report["settings"]["reader"] == settings["reader"]
    assert report["class_path"] == "seglit.data.AnnotationDataModule"
    assert report["splits"] == splits
    assert settings.get("splits") == ({"val": 0.1, "test": 0.2} if "all" in splits else None)
    background = COUNT * PIXELS - sum(pixels.values()) - void
    expected: dict[str | None, int] = {"background": background}
    expected.update(pixels)
    assert counts(report) == (expected | {None: void} if void else expected)
    names = settings["class_names"]
    assert report["settings"]["class_names"] == names
    assert names[0] == "background"
    assert sorted(names) == sorted(["background", *pixels])
    assert {key: settings[key] for key in extra} == extra
    absent = {"line_width", "draw_boxes", "skip_shapes", "ignore_values", "ignore_labels"} - extra.keys()
    assert not absent & settings.keys()
    assert not [question for question in report["questions"] if "called" in question or "void" in question]
    assert any("line_width" in question for question in report["questions"]) == ("line_width" in extra)
    assert any("draw_boxes" in question for question in report["questions"]) == ("draw_boxes" in extra)
    assert ("skipped_shapes" in codes(report)) == ("skip_shapes" in extra)
    assert ("unlabelled" in codes(report)) == (reader == "Yolo")
    if reader in ("Supervisely", "Cvat"):
        assert settings["palette"] == [[0, 0, 0], [0, 0, 255], [255, 0, 0]]
        assert names == ["background", "dog", "cat"]
    assert np.shape(report["mean"]) == np.shape(report["std"]) == (3,)
    page = (tmp_path / "page/index.html").read_text()
    assert page.count("<figure") == COUNT
    check_loads(tmp_path, report, settings)


def test_reader_has_the_arguments_that_differ_from_its_defaults(tmp_path: Path, inspected: Callable[..., Any]) -> None:
    roboflow(tmp_path / "data")
    assert inspected()[1]["reader"]["init_args"] == {
        "images": "{split}",
        "annotations": "{split}/_annotations.coco.json",
    }


def test_train_without_val_gets_a_share_of_it(tmp_path: Path, run: Run, inspected: Callable[..., Any]) -> None:
    yolo(tmp_path / "data")
    (tmp_path / "data/data.yaml").write_text("{path: ., train: images/train, test: images/val, names: [cat, dog]}")
    report, settings = inspected()
    assert settings["splits"] == {"val": 0.1}
    assert report["splits"] == {"train": 4, "test": 2}
    options = ["--data.batch_size=2", "--data.num_workers=0", "--pictures.count=1", "--trainer.max_steps=1", *QUIET]
    trained = run("fit", "--data=data.yaml", "--model.network.channels=[4,8]", *options)
    assert trained.code == 0, trained.err


def test_invalid_files_are_left_out(tmp_path: Path, inspected: Callable[..., Any]) -> None:
    root = tmp_path / "data"
    labelme(root)
    (root / "3.json").write_text('{"version": "5.5.0", "shapes": [')
    dump({**json.loads((root / "4.json").read_text()), "imageWidth": WIDTH + 1}, root / "4.json")
    dump({**json.loads((root / "5.json").read_text()), "imagePath": "gone.png"}, root / "9.json")
    report, settings = inspected(code=1)
    findings = {finding["code"]: finding["files"] for finding in report["findings"]}
    assert [name for name, _ in findings["unreadable_mask"]] == ["3.json", "4.json"]
    assert findings["listed_but_missing"] == [["9.json", ""]]
    assert settings["exclude"] == ["3.png", "4.png", "9.json"]
    assert counts(report)["cat"] == 4 * 21 * 21
    check_loads(tmp_path, report, settings)


def parts_of_coco(root: Path) -> None:
    """One file for all splits, in two parts."""
    roboflow(root)
    for number, split in enumerate(("train", "valid")):
        content = json.loads((root / split / "_annotations.coco.json").read_text())
        for file in (root / split).glob("*.png"):
            file.rename(root / file.name)
        dump(content, root / f"part{number}.json")
    for split in ("train", "valid", "test"):
        (root / split / "_annotations.coco.json").unlink()


def tasks_of_cvat(root: Path) -> None:
    """A folder for each task of a project."""
    cvat(root)
    text = (root / "annotations.xml").read_text()
    for task in range(2):
        (root / f"task_{task}").mkdir()
        others = "[0-3]" if task else "[45]"
        images = re.sub(rf'<image id="{others}".*?</image>', "", text)
        (root / f"task_{task}/annotations.xml").write_text(images)
    (root / "annotations.xml").unlink()


COCO_FILE, CVAT_FILE = "valid/_annotations.coco.json", "task_1/annotations.xml"


@pytest.mark.parametrize(
    ("write", "file", "rest", "splits", "cats"),
    [
        (roboflow, COCO_FILE, 0.5, {"train": 4, "test": 1}, 5),  # without all keys of the format
        (roboflow, COCO_FILE, 0.99, {"train": 4, "test": 1}, 5),
        (parts_of_coco, "part1.json", 0.5, {"all": 4}, 4),
        (tasks_of_cvat, CVAT_FILE, 0, {"all": 4}, 4),
        (tasks_of_cvat, CVAT_FILE, 0.99, {"all": 4}, 4),
    ],
)
def test_broken_file_of_several_is_left_out(
    write: Write,
    file: str,
    rest: float,
    splits: dict[str, int],
    cats: int,
    tmp_path: Path,
    run: Run,
    inspected: Callable[..., Any],
) -> None:
    write(tmp_path / "data")
    broken = tmp_path / "data" / file
    content = broken.read_text()
    broken.write_text(content[: int(len(content) * rest)])
    report, settings = inspected(code=1)
    assert report["splits"] == splits
    assert counts(report)["cat"] == cats * 400
    (finding,) = [finding for finding in report["findings"] if finding["code"] == "broken_annotations"]
    ((name, reason),) = finding["files"]
    assert name == file
    assert "is not valid" in reason
    assert settings["exclude"] == [file]
    del settings["augment"]
    reader = settings.pop("reader")
    found = getattr(annotations, reader["class_path"].rpartition(".")[2])(**reader["init_args"])
    data = AnnotationDataModule(reader=found, num_workers=0, **settings)
    assert all(len(data.dataset(split)) for split in ("train", "val"))
    settings.pop("exclude")
    with pytest.raises(
        InputError, match=rf"is not valid .*; to go on without it, set `exclude: \[{re.escape(file)}\]`"
    ):
        AnnotationDataModule(reader=found, num_workers=0, **settings).dataset("train")


def test_broken_file_alone_is_one_line(tmp_path: Path, run: Run) -> None:
    cvat(tmp_path / "data")
    file = tmp_path / "data/annotations.xml"
    file.write_text(file.read_text()[:-20])
    outcome = run("inspect", "data")
    assert outcome.code == 2
    assert outcome.err.startswith(f"seglit: error: {file}: is not valid XML")
    assert outcome.err.count("\n") == 1


def test_images_annotated_twice_are_left_out(tmp_path: Path, inspected: Callable[..., Any]) -> None:
    root = tmp_path / "data"
    labelme(root)
    dump(json.loads((root / "0.json").read_text()), root / "again.json")
    report, settings = inspected(code=1)
    assert "annotated_twice" in codes(report)
    assert settings["exclude"] == ["0.png"]
    assert counts(report)["cat"] == 5 * 21 * 21
    check_loads(tmp_path, report, settings)


def test_regions_that_cover_everything_leave_no_background(tmp_path: Path, inspected: Callable[..., Any]) -> None:
    root = tmp_path / "data"
    cvat(root)
    text = (root / "annotations.xml").read_text()
    everything = f"0,0;{WIDTH},0;{WIDTH},{HEIGHT};0,{HEIGHT}"
    below = f'<polygon label="bird" points="{everything}" z_order="-1"></polygon></image>'
    (root / "annotations.xml").write_text(text.replace("</image>", below))
    report, settings = inspected()
    assert settings["class_names"] == ["bird", "dog", "cat"]
    assert settings["background"] is None
    check_loads(tmp_path, report, settings)


def test_class_names_come_from_the_annotations(tmp_path: Path, run: Run) -> None:
    cvat(tmp_path / "data")
    outcome = run("inspect", "data", "--class_names=a,b")
    assert outcome.code == 2
    assert "names come from the annotations, background, bird, dog, cat" in outcome.err


def test_folders_named_as_masks_come_first(tmp_path: Path, inspected: Callable[..., Any]) -> None:
    split_folders(tmp_path / "data")
    content: dict[str, Any] = {"images": [], "annotations": [], "categories": []}
    dump(content, tmp_path / "data/instances.json")
    assert inspected()[0]["class_path"] == "seglit.data.FolderDataModule"


COLORS = np.array([[0, 0, 0], [48, 112, 32], [176, 112, 32]], np.uint8)
LABELMAP = "# label:color_rgb:parts:actions\nCat:48,112,32::\nDog:176,112,32::\nbackground:0,0,0::\n"


def labelmap(root: Path, text: str = LABELMAP) -> list[int]:
    """CVAT's export of masks; returns the pixels of background, Cat and Dog."""
    masks = [mask(number, 3) for number in range(COUNT)]
    for number, indices in enumerate(masks):
        save(image(number), root / f"JPEGImages/{number}.png")
        save(COLORS[indices], root / f"SegmentationClass/{number}.png")
    (root / "labelmap.txt").write_text(text)
    return [int(count) for count in np.bincount(np.stack(masks).ravel())]


@pytest.mark.parametrize("names", [None, "Dog,background,Cat"])
def test_written_colours_have_their_names_in_any_order(
    names: str | None, tmp_path: Path, inspected: Callable[..., Any]
) -> None:
    pixels = labelmap(tmp_path / "data")
    report, settings = inspected(*([f"--class_names={names}"] if names else []))
    assert counts(report) == dict(zip(["background", "Cat", "Dog"], pixels, strict=True))
    assert settings["mask_colors"] == {"background": [0, 0, 0], "Cat": [48, 112, 32], "Dog": [176, 112, 32]}
    assert not report["questions"]
    check_loads(tmp_path, report, settings)


def test_colours_that_are_not_written_are_asked_about(tmp_path: Path, inspected: Callable[..., Any]) -> None:
    labelmap(tmp_path / "data", LABELMAP.replace("Cat:48,112,32::\n", ""))
    report, settings = inspected()
    assert settings["mask_colors"]["Dog"] == [176, 112, 32]
    assert settings["mask_colors"]["background"] == [0, 0, 0]
    (question,) = report["questions"]
    assert question.startswith("what is [48, 112, 32]? labelmap.txt does not name it")


def test_class_names_by_the_order_of_colours_are_asked_about(tmp_path: Path, inspected: Callable[..., Any]) -> None:
    pixels = labelmap(tmp_path / "data")
    (tmp_path / "data/labelmap.txt").unlink()
    report, _ = inspected("--class_names=ground,cat,dog")
    assert report["questions"] == [
        "does each colour have the right name? ground is [0, 0, 0], cat is [48, 112, 32], dog is [176, 112, 32]"
    ]
    report, settings = inspected("--class_names=ground,cat")
    assert settings["ignore_values"] == [[176, 112, 32]]
    share = f"{pixels[2] / sum(pixels):.2%}"
    assert report["questions"][0].startswith(f"should [176, 112, 32] ({share} of the pixels) be void?")


def test_written_values_have_their_names(tmp_path: Path, inspected: Callable[..., Any]) -> None:
    split_folders(tmp_path / "data", 4)
    recode(tmp_path / "data", lambda indices: np.array([0, 2, 5, 9], np.uint8)[indices])
    written = "Pixel Value, Class\n2, rust\n0, background\n5, crack\n"
    (tmp_path / "data/_classes.csv").write_text(written)
    report, settings = inspected()
    assert settings["mask_values"] == {"background": 0, "rust": 2, "crack": 5, "class_9": 9}
    (question,) = report["questions"]
    assert question.startswith("what is 9? _classes.csv does not name it")
    (tmp_path / "data/_classes.csv").write_text(f"{written}9, Void\n")
    report, settings = inspected()
    assert settings["ignore_values"] == [9]
    assert not report["questions"]
    check_loads(tmp_path, report, settings)


def test_palettes_have_the_written_names(tmp_path: Path, inspected: Callable[..., Any]) -> None:
    labelmap(tmp_path / "data")
    for number in range(COUNT):
        picture = Image.fromarray(mask(number, 3), "P")
        picture.putpalette(COLORS.tobytes())
        picture.save(tmp_path / f"data/SegmentationClass/{number}.png")
    report, settings = inspected()
    assert settings["class_names"] == ["background", "Cat", "Dog"]
    assert not report["questions"]


@pytest.mark.parametrize("text", ["cat\ndog\n", "a:300,0,0::\n"])
def test_lists_that_do_not_fit_are_asked_about(text: str, tmp_path: Path, inspected: Callable[..., Any]) -> None:
    split_folders(tmp_path / "data")
    (tmp_path / "data/labelmap.txt").write_text(text)
    report, settings = inspected()
    assert settings["class_names"] == ["class_0", "class_1", "class_2"]
    assert "is not a list of classes" in report["questions"][-1]
    (tmp_path / "data/labelmap.txt").write_text(LABELMAP)  # of colours, but the masks have indices
    assert "names Cat, Dog, background, but not by the values" in inspected()[0]["questions"][-1]


def test_masks_of_background_alone_are_coded_like_the_others(tmp_path: Path, inspected: Callable[..., Any]) -> None:
    labelmap(tmp_path / "data")
    for number in range(2):
        save(np.zeros((HEIGHT, WIDTH, 3), np.uint8), tmp_path / f"data/SegmentationClass/{number}.png")
    report, settings = inspected()
    others = np.bincount(np.stack([mask(number, 3) for number in range(2, COUNT)]).ravel())
    expected = [int(others[0]) + 2 * PIXELS, int(others[1]), int(others[2])]
    assert counts(report) == dict(zip(["background", "Cat", "Dog"], expected, strict=True))
    assert codes(report) == {"single_class_masks"}
    assert "masks that contain a single class, background (2)" in report["findings"][0]["message"]
    check_loads(tmp_path, report, settings)


def test_of_too_many_classes_those_that_are_used_remain(tmp_path: Path, inspected: Callable[..., Any]) -> None:
    roboflow(tmp_path / "data")
    for file in (tmp_path / "data").rglob("*.json"):
        content = json.loads(file.read_text())
        content["categories"] += [{"id": 100 + number, "name": f"unused {number}"} for number in range(300)]
        dump(content, file)
    assert inspected()[1]["class_names"] == ["background", "cat", "dog"]


def test_class_names_that_differ_by_case_or_a_letter_are_noted(tmp_path: Path, run: Run) -> None:
    names = [*["crack"] * 6, "Crack", "Crack", *["pothole"] * 6, "pothol", "lane1", "lane2", "horse", "house"]
    for number, name in enumerate(names):
        save(image(number), tmp_path / f"data/{number}.png")
        shapes = [{"label": name, "shape_type": "polygon", "points": corners(cat(number))}]
        content = {"version": "5.5.0", "shapes": shapes, "imagePath": f"{number}.png", "imageData": None}
        dump({**content, "imageHeight": HEIGHT, "imageWidth": WIDTH}, tmp_path / f"data/{number}.json")
    report = json.loads(run("inspect", "data", "--json", "--workers=1").out)
    (finding,) = [finding for finding in report["findings"] if finding["code"] == "similar_names"]
    assert finding["severity"] == "note"
    assert finding["message"] == "classes with nearly the same name: Crack and crack, pothol and pothole"
    assert finding["files"][0] == ["6.json", "the first of 2 with Crack"]
