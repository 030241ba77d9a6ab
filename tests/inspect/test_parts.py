"""Masks in several files: each layout is recognised, and its configuration reads the masks that the test drew."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import yaml
from PIL import ExifTags, Image

from seglit.data import FolderDataModule
from seglit.errors import InputError
from seglit.inspect import part_layout
from seglit.inspect.command import inspect
from seglit.inspect.inspection import inspect_folder
from seglit.inspect.layout import find_layout
from seglit.inspect.page import write_report
from tests.inspect.folders import image, mask, save

Mask = npt.NDArray[np.uint8]
COUNT = 5
STEMS = [f"scan_{number:02}" for number in range(COUNT)]
CLASSES = {"tree": 1, "car": 2}  # later ones lie on top, as in `mask`

# Name -> image, its masks (with {class}, and strokes if there is {k}), and what inspect has to find.
LAYOUTS: dict[str, tuple[str, str, str, str]] = {
    "class folders": ("images/{stem}.jpg", "masks/{class}/{stem}.png", "{stem}.*", "{class}/{stem}.*"),
    "RectLabel": ("images/{stem}.png", "masks/{stem}_class_{class}.png", "{stem}.*", "{stem}_class_{class}.*"),
    "endings": ("images/{stem}.png", "masks/{stem}-{class}.png", "{stem}.*", "{stem}-{class}.*"),
    "beginnings": ("images/{stem}.png", "masks/{class}_{stem}.png", "{stem}.*", "{class}_{stem}.*"),
    "strokes": ("images/{stem}.png", "masks/{stem}-{class}-{k}.png", "{stem}.*", "{stem}-{class}-*.png"),
    "image folders": ("{stem}/image.png", "{stem}/{class}.png", "{stem}/image.*", "{stem}/{class}.*"),
    "image folders with masks": (
        "data/{stem}/{stem}.png", "data/{stem}/masks/{class}.png", "{stem}/{stem}.*", "{stem}/masks/{class}.*",
    ),
    "folders of masks": ("images/{stem}.png", "masks/{stem}/{class}.png", "{stem}.*", "{stem}/{class}.*"),
    "class folders and strokes": (
        "images/{stem}.png", "masks/{class}/{stem}_{k}.png", "{stem}.*", "{class}/{stem}_*.png",
    ),
    "a folder for each class": ("images/{stem}.jpg", "{class}_masks/{stem}.png", "{stem}.*", "{class}_masks/{stem}.*"),
    "and one above": ("images/{stem}.jpg", "masks/mask-{class}/{stem}.png", "{stem}.*", "mask-{class}/{stem}.*"),
    "beside the images": ("{stem}.jpg", "{stem}_{class}.png", "{stem}.*", "{stem}_{class}.*"),
    "both named": ("{stem}_rgb.png", "{stem}_{class}.png", "{stem}_rgb.*", "{stem}_{class}.*"),
}  # fmt: skip
INSTANCES = {
    "Kaggle": ("{stem}/images/{stem}.png", "{stem}/masks/{k}.png", "{stem}/images/{stem}.*", "{stem}/masks/*.png"),
    "numbered": ("images/{stem}.png", "masks/{stem}_{k}.png", "{stem}.*", "{stem}_*.png"),
}


def write(root: Path, image_file: str, mask_file: str, classes: dict[str, int] = CLASSES) -> dict[str, Mask]:
    """Writes images, and for each class one mask, or two halves for `{k}`; returns the masks by the images' stems."""
    drawn = {}
    for number, stem in enumerate(STEMS):
        drawn[stem] = mask(number, 3)
        save(image(number), root / image_file.replace("{stem}", stem))
        for name, index in classes.items():
            pixels = drawn[stem] == index
            halves = [pixels.copy(), pixels.copy()]
            halves[0][:, 30:] = halves[1][:, :30] = False
            for k, part in enumerate(halves if "{k}" in mask_file else [pixels]):
                file = mask_file.replace("{stem}", stem).replace("{class}", name)
                save(part.astype(np.uint8) * np.uint8(255), root / file.replace("{k}", f"{k}{index}"))
    return drawn


def written(root: Path, file: Path, **options: Any) -> tuple[dict[str, Any], dict[str, Mask]]:
    """Inspects a folder; returns the settings that are written, and the masks that they read, by the images' stems."""
    assert inspect(str(root), write=str(file), workers=1, force=True, **options) == 0
    settings = yaml.safe_load(file.read_text(encoding="utf-8"))["init_args"]
    data = FolderDataModule(**{key: value for key, value in settings.items() if key != "augment"})
    masks: dict[str, Mask] = {}
    for split in ("train", "val", "test"):
        dataset = data.dataset(split)
        for _, read, name in map(dataset.read, range(len(dataset))):
            masks[re.findall(r"scan_\d\d", name)[0]] = read
    return settings, masks


@pytest.mark.parametrize("name", LAYOUTS)
def test_classes_in_several_files(name: str, tmp_path: Path) -> None:
    *files, image_name, mask_name = LAYOUTS[name]
    drawn = write(tmp_path / "set", files[0], files[1])
    settings, masks = written(tmp_path / "set", tmp_path / "set.yaml")
    assert (settings.get("image_name", "{stem}.*"), settings["mask_name"]) == (image_name, mask_name)
    assert settings["class_names"] == ["background", "car", "tree"]
    assert "exclude" not in settings
    assert masks.keys() == drawn.keys()
    for stem, read in masks.items():
        np.testing.assert_array_equal(read, np.array([0, 2, 1])[drawn[stem]])


@pytest.mark.parametrize("name", INSTANCES)
def test_objects_in_several_files(name: str, tmp_path: Path) -> None:
    *files, image_name, mask_name = INSTANCES[name]
    drawn = write(tmp_path / "set", files[0], files[1])
    settings, masks = written(tmp_path / "set", tmp_path / "set.yaml", class_names="background,cell")
    assert (settings.get("image_name", "{stem}.*"), settings["mask_name"]) == (image_name, mask_name)
    assert settings["class_names"] == ["background", "cell"]
    assert masks.keys() == drawn.keys()
    for stem, read in masks.items():
        np.testing.assert_array_equal(read, drawn[stem] > 0)


def test_shares_report_and_claims_of_two_classes(tmp_path: Path) -> None:
    drawn = write(tmp_path, "images/{stem}.png", "masks/{stem}_{class}.png")
    twice = np.zeros_like(drawn[STEMS[0]], bool)
    twice[:10, :10] = True
    for name, index in CLASSES.items():
        pixels = (drawn[STEMS[0]] == index) | twice
        save(pixels.astype(np.uint8), tmp_path / f"masks/{STEMS[0]}_{name}.png")
    found = inspect_folder(tmp_path, workers=1)
    smaller = min(CLASSES.values(), key=lambda index: int(((drawn[STEMS[0]] == index) | twice).sum()))
    drawn[STEMS[0]][twice] = smaller
    pixels = np.bincount(np.stack([*drawn.values()]).ravel())
    assert [value.count.pixels for value in found.coding.classes] == pixels[[0, 2, 1]].tolist()
    (finding,) = (finding for finding in found.findings if finding.code == "disputed_pixels")
    assert finding.severity == "note"
    assert finding.files == [(tmp_path / f"masks/{STEMS[0]}_car.png", "100 pixels")]
    assert f"{100 / pixels[1:].sum():.2%}" in finding.message
    write_report(tmp_path / "report/index.html", found)
    assert "background, car, tree" in (tmp_path / "report/index.html").read_text(encoding="utf-8")


def test_folders_per_split(tmp_path: Path) -> None:
    for split, number in (("train", 0), ("train", 1), ("train", 2), ("test", 3)):
        top = tmp_path / f"stage1_{split}/{STEMS[number]}"
        save(image(number), top / f"images/{STEMS[number]}.png")
        for k in (1, 2) if split == "train" else ():
            save((mask(number, 3) == k).astype(np.uint8), top / f"masks/{k}f.png")
    shutil.rmtree(tmp_path / f"stage1_train/{STEMS[1]}/masks")
    (tmp_path / f"stage1_train/{STEMS[1]}/masks").mkdir()  # shows no object
    shutil.rmtree(tmp_path / f"stage1_train/{STEMS[2]}/masks")  # nobody labelled it
    found = inspect_folder(tmp_path, workers=1)
    assert found.layout.settings["images"] == {"train": "stage1_train"}
    assert [pair.name for pair in found.layout.pairs] == [f"{stem}/images/{stem}" for stem in STEMS[:2]]
    codes = {finding.code: [path.stem for path, _ in finding.files] for finding in found.findings}
    assert (codes["no_mask_file"], codes["image_without_mask"]) == ([STEMS[1]], [STEMS[2]])


@pytest.mark.parametrize("numbers", [{"1": 1, "2": 2}, {"0": 0, "1": 1, "2": 2}, {"10": 1, "3": 2}])
def test_classes_as_integers(numbers: dict[str, int], tmp_path: Path) -> None:
    drawn = write(tmp_path / "set", "images/{stem}.png", "masks/{stem}_class_{class}.png", numbers)
    settings, masks = written(tmp_path / "set", tmp_path / "set.yaml", class_names="nothing,a,b")
    assert settings["class_names"] == ["nothing", "a", "b"]
    order = np.array([0, 2, 1] if "10" in numbers else [0, 1, 2])
    for stem, read in masks.items():
        np.testing.assert_array_equal(read, order[drawn[stem]])


def test_files_that_cover_every_pixel_leave_no_background(tmp_path: Path) -> None:
    root = tmp_path / "set"
    drawn = write(root, "images/{stem}.png", "masks/{stem}_{class}.png", {"ground": 0, **CLASSES})
    settings, masks = written(root, tmp_path / "set.yaml")
    assert settings["class_names"] == ["car", "ground", "tree"]
    for stem, read in masks.items():
        np.testing.assert_array_equal(read, np.array([1, 2, 0])[drawn[stem]])


def test_unusable_parts_are_excluded(tmp_path: Path) -> None:
    root = tmp_path / "set"
    write(root, "images/{stem}.png", "masks/{stem}_{class}.png")
    save(np.zeros((9, 9), np.uint8), root / f"masks/{STEMS[0]}_tree.png")
    (root / f"masks/{STEMS[1]}_car.png").write_bytes(b"")
    for path in (root / "masks").glob(f"{STEMS[2]}_*"):
        path.unlink()
    save(np.ones((48, 64), np.uint8), root / f"masks/{STEMS[0]}_rare.png")  # only this image has it
    inspect(str(root), write=str(tmp_path / "set.yaml"), workers=1)
    settings = yaml.safe_load((tmp_path / "set.yaml").read_text(encoding="utf-8"))["init_args"]
    assert settings["exclude"] == [f"images/{stem}.png" for stem in STEMS[:3]]
    settings.pop("augment")
    assert FolderDataModule(**settings).labels.class_names == ("background", "car", "tree")
    assert FolderDataModule(**settings).has_split("train")


def names_of(root: Path) -> dict[str, Any]:
    return {key: value for key, value in find_layout(root).settings.items() if key.endswith("_name")}


def test_folders_of_one_mask_per_image_stay(tmp_path: Path) -> None:
    for number, stem in enumerate(STEMS):
        save(image(number), tmp_path / f"values/images/{stem}.png")
        save(image(number), tmp_path / f"cityscapes/images/{stem}_leftImg8bit.png")
        save(image(number), tmp_path / f"beside/{stem}.png")
        save(image(number), tmp_path / f"overlays/images/{stem}.png")
        for ending, classes in (("labelIds", 4), ("instanceIds", 5)):
            save(mask(number, classes), tmp_path / f"cityscapes/gt/{stem}_gtFine_{ending}.png")
        save(image(number), tmp_path / f"cityscapes/gt/{stem}_gtFine_color.png")
        for name in ("fine", "coarse"):
            save(mask(number, 3), tmp_path / f"values/masks/{stem}_{name}.png")
        for name in ("mask", "contour"):
            save(mask(number, 2), tmp_path / f"beside/{stem}_{name}.png")
        save(mask(number, 2), tmp_path / f"overlays/masks/{stem}_tree.png")
        save(image(number + 9), tmp_path / f"overlays/masks/{stem}_shown.png")
    for name in ("values", "cityscapes", "overlays", "beside"):
        assert "{class}" not in str(names_of(tmp_path / name))
        assert all(pair.parts is None for pair in find_layout(tmp_path / name).pairs)


def test_a_sample_of_the_names_has_all_classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "images/{stem}.png", "masks/{stem}_{class}.png")
    monkeypatch.setattr(part_layout, "_FIRST", 5)  # every second file is of one class
    assert names_of(tmp_path) == {"mask_name": "{stem}_{class}.*"}


def test_names_by_tasks_are_rejected(tmp_path: Path) -> None:
    for number in range(COUNT):
        save(image(number), tmp_path / f"images/a1b2c3-photo_{number}.png")
        for k, name in enumerate(CLASSES):
            file = f"masks/task-{number + 3}-annotation-{number + 3}-by-1-tag-{name}-{k}.png"
            save(mask(number, 2), tmp_path / file)
    with pytest.raises(InputError, match=r"10 masks are named by the tasks .* export the same tasks as JSON"):
        find_layout(tmp_path)
    with pytest.raises(InputError, match="named by the tasks"):
        find_layout(tmp_path, "images", "masks")
    tasks = [
        {"id": number + 3, "data": {"image": f"/data/a1b2c3-photo_{number}.png"}, "annotations": [{"result": []}]}
        for number in range(COUNT)
    ]
    box = {"x": 25.0, "y": 25.0, "width": 50.0, "height": 50.0, "rectanglelabels": ["tree"]}
    tasks[0]["annotations"] = [{"result": [{"type": "rectanglelabels", "value": box, "original_width": 64,
        "original_height": 48, "image_rotation": 0, "from_name": "label", "to_name": "image"}]}]  # fmt: skip
    (tmp_path / "tasks.json").write_text(json.dumps(tasks), encoding="utf-8")
    assert find_layout(tmp_path).annotated is not None


def test_pairs_by_chance_are_none(tmp_path: Path) -> None:
    for number in range(12):
        save(image(number), tmp_path / f"images/scan_{number:02}_x.png")
        save(mask(number), tmp_path / f"masks/{'scan_03_y' if number == 3 else chr(97 + number) * 5}.png")
    assert not find_layout(tmp_path).pairs


def test_strokes_as_jpeg(tmp_path: Path) -> None:
    root = tmp_path / "set"
    drawn = write(root, "images/{stem}.png", "masks/{stem}_{class}.png")
    for path in sorted((root / "masks").iterdir()):
        Image.open(path).save(path.with_suffix(".jpg"), quality=80)
        path.unlink()
    _, masks = written(root, tmp_path / "set.yaml")
    wrong = sum(int((read != np.array([0, 2, 1])[drawn[stem]]).sum()) for stem, read in masks.items())
    assert wrong <= 20  # corners


def test_parts_at_another_scale(tmp_path: Path) -> None:
    root = tmp_path / "set"
    drawn = write(root, "images/{stem}.png", "masks/{stem}_{class}.png")
    for path in sorted((root / "masks").iterdir()):
        save(np.asarray(Image.open(path))[::2, ::2].copy(), path)
    settings, masks = written(root, tmp_path / "set.yaml")
    assert settings["resize_masks"] is True
    for stem, read in masks.items():
        np.testing.assert_array_equal(read, np.array([0, 2, 1])[drawn[stem]][::2, ::2])


@pytest.mark.parametrize("stored", [True, False])
def test_parts_beside_turned_photos(stored: bool, tmp_path: Path) -> None:
    root = tmp_path / "set"
    drawn = write(root, "images/{stem}.jpg", "masks/{stem}_{class}.png")
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # turned clockwise to be upright
    for stem in STEMS:
        path = root / f"images/{stem}.jpg"
        Image.open(path).rotate(90, expand=True).save(path, exif=exif)
    for path in sorted((root / "masks").iterdir()) if stored else ():
        save(np.rot90(np.asarray(Image.open(path))).copy(), path)
    settings, masks = written(root, tmp_path / "set.yaml")
    assert settings["mask_orientation"] == ("stored" if stored else "upright")
    for stem, read in masks.items():
        np.testing.assert_array_equal(read, np.array([0, 2, 1])[drawn[stem]])


def test_all_parts_tell_the_orientation(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 3  # upside down
    drawn = {}
    for number, stem in enumerate(STEMS):
        drawn[stem] = mask(number, 2)
        picture = Image.fromarray(60 + 120 * drawn[stem]).rotate(180)
        (tmp_path / "set/images").mkdir(parents=True, exist_ok=True)
        picture.save(tmp_path / f"set/images/{stem}.jpg", exif=exif, quality=95)
        save(np.zeros_like(drawn[stem]), tmp_path / f"set/masks/{stem}_bird.png")  # the first file, which tells nothing
        save(np.rot90(drawn[stem], 2) * np.uint8(255), tmp_path / f"set/masks/{stem}_car.png")
    settings, masks = written(tmp_path / "set", tmp_path / "set.yaml")
    assert settings["mask_orientation"] == "stored"
    index = settings["class_names"].index("car")
    for stem, read in masks.items():
        np.testing.assert_array_equal(read == index, drawn[stem] == 1)


@pytest.mark.parametrize("names", [("car", "test"), ("train", "tree")])
def test_a_class_that_is_named_as_a_split(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], names: tuple[str, str]
) -> None:
    classes = dict(zip(names, (1, 2), strict=True))
    drawn = write(tmp_path / "set", "images/{stem}.png", "masks/{class}/{stem}.png", classes)
    settings, masks = written(tmp_path / "set", tmp_path / "set.yaml")
    assert settings["class_names"] == ["background", *names]
    assert "are the masks in" not in capsys.readouterr().out
    for stem, indices in drawn.items():
        np.testing.assert_array_equal(masks[stem], indices)


def test_a_folder_of_masks_that_is_named_as_a_split_is_not_passed_over(tmp_path: Path) -> None:
    write(tmp_path / "set", "images/{stem}.jpg", "{class}/{stem}.png", {"tree": 1, "test": 2})
    with pytest.raises(InputError, match="test holds 2 values: 0, 255; tree holds 2 values: 0, 255; choose one: "):
        find_layout(tmp_path / "set")
