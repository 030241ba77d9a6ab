"""Masks that only their content tells from images and other masks: what `inspect` writes reads the very masks."""

import json
import shlex
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import yaml
from PIL import Image

from seglit.data import FolderDataModule
from seglit.images.pairs import SPLITS
from tests.conftest import Run
from tests.inspect.folders import SIZE, image, mask, save

NAMES = ["background", "vessel"]
NFD = unicodedata.normalize("NFD", "Nhãn")


def field_of_view(number: int) -> npt.NDArray[np.uint8]:
    """A disk that moves a little from image to image, as masks of a camera's field of view do."""
    rows, columns = np.ogrid[: SIZE[0], : SIZE[1]]
    inside = (rows - 24) ** 2 + (columns - 32 - number % 2) ** 2 < 23**2
    return np.where(inside, 255, 0).astype(np.uint8)


def drive(root: Path, splits: tuple[str, ...] = ("training", "test")) -> dict[str, int]:
    """The folders of DRIVE; returns the image names and their numbers."""
    numbers = {}
    for split in splits:
        for number in range(21, 27) if split == "training" else range(1, 4):
            name = f"{number:02}_{split}"
            save(image(number), root / split / f"images/{name}.tif")
            save(mask(number) * 255, root / split / f"1st_manual/{number:02}_manual1.gif")
            save(field_of_view(number), root / split / f"mask/{name}_mask.gif")
            numbers[name] = number
    return numbers


def flat(root: Path, folder: str, images: str = "images", count: int = 6) -> dict[str, int]:
    for number in range(count):
        save(image(number), root / images / f"{number}.jpg")
        save(mask(number), root / folder / f"{number}.png")
    return {str(number): number for number in range(count)}


def inspected(run: Run, *args: str) -> tuple[Any, dict[str, Any]]:
    outcome = run("inspect", "data", "--json", "--write=data.yaml", "--workers=1", *args)
    assert outcome.code == 0, outcome.err + outcome.out
    assert "written: data.yaml; train with `seglit fit --data data.yaml`" in outcome.err
    return json.loads(outcome.out), outcome._asdict()


def read_masks(file: Path) -> dict[str, npt.NDArray[np.uint8]]:
    """The masks that the data module of a written configuration reads, by the names of the images."""
    settings = yaml.safe_load(file.read_text())["init_args"]
    del settings["augment"]
    data = FolderDataModule(**settings, num_workers=0)
    datasets = [data.dataset(split) for split in SPLITS if data.has_split(split)]
    read = [dataset.read(index) for dataset in datasets for index in range(len(dataset))]
    return {name: indices for _, indices, name in read}


def check(file: Path, numbers: dict[str, int], value: int = 1) -> None:
    masks = read_masks(file)
    assert masks.keys() == numbers.keys()
    for name, number in numbers.items():
        np.testing.assert_array_equal(masks[name], mask(number) * value)


@pytest.mark.parametrize("splits", [("training", "test"), ("training",)])
def test_drive_has_its_labels_beside_masks_of_the_field_of_view(
    splits: tuple[str, ...], tmp_path: Path, run: Run
) -> None:
    numbers = drive(tmp_path / "data", splits)
    report, _ = inspected(run)
    check(tmp_path / "data.yaml", numbers)
    question = report["questions"][0]
    assert question.startswith("are the masks in {split}/1st_manual, which holds 2 values: 0, 255?")
    assert "{split}/mask holds 2 values: 0, 255, nearly the same in every file; to choose: `seglit inspect" in question
    assert report["splits"] == {"train": 6, "test": 3} if len(splits) > 1 else {"train": 6}

    command = shlex.split(question.split("`")[1])  # the other folder, as the question says
    assert run(*command[1:], "--write=other.yaml", "--workers=1").code == 0
    read = read_masks(tmp_path / "other.yaml")
    assert read.keys() == numbers.keys()
    np.testing.assert_array_equal(read["21_training"], field_of_view(21) // 255)


@pytest.mark.parametrize(("images", "folder"), [("images", "2GT"), ("原图", "标签"), ("images", NFD)])
def test_folders_of_masks_with_names_that_say_nothing(images: str, folder: str, tmp_path: Path, run: Run) -> None:
    numbers = flat(tmp_path / "data", folder, images)
    report, _ = inspected(run)
    assert report["settings"]["masks"] == folder
    assert not [question for question in report["questions"] if "are the masks in" in question]
    check(tmp_path / "data.yaml", numbers)


def test_folders_of_each_split(tmp_path: Path, run: Run) -> None:
    numbers = {}
    for number in range(9):
        split = ("train", "val", "test")[number // 3]
        save(image(number), tmp_path / f"data/{split}/{NFD}1/a{number}.jpg")
        save(mask(number), tmp_path / f"data/{split}/{NFD}2/a{number}_x.png")
        numbers[f"a{number}"] = number
    report, _ = inspected(run)
    assert report["settings"]["masks"] == f"{{split}}/{NFD}2"
    assert report["splits"] == {"train": 3, "val": 3, "test": 3}
    check(tmp_path / "data.yaml", numbers)


def test_one_unicode_form_of_names_and_lists(tmp_path: Path, run: Run) -> None:
    numbers = {}
    for number in range(6):
        name = unicodedata.normalize("NFD", f"{number}_ảnh")
        save(image(number), tmp_path / f"data/{NFD}/{name}.png")
        save(mask(number), tmp_path / f"data/mask/{number}_nhãn.png")
        numbers[name] = number
    lines = [unicodedata.normalize("NFC", f"{NFD}\\{name}.png") for name in numbers]
    (tmp_path / "data/train.txt").write_text("\n".join(lines[:4]))
    (tmp_path / "data/validation.txt").write_text("\n".join(lines[4:]))
    report, _ = inspected(run)
    assert report["splits"] == {"train": 4, "val": 2}
    check(tmp_path / "data.yaml", numbers)


def test_equally_plausible_folders_are_a_question(tmp_path: Path, run: Run) -> None:
    numbers = flat(tmp_path / "data", "erste Hand")
    for number in range(6):
        save(mask(number) * 7, tmp_path / f"data/zweite/{number}.png")
    outcome = run("inspect", "data")
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert "erste Hand holds 2 values: 0, 1; zweite holds 2 values: 0, 7; choose one: `seglit inspect" in outcome.err
    commands = [shlex.split(command) for command in outcome.err.split("`")[1::2]]
    assert [command[-1] for command in commands] == ["erste Hand", "zweite"]
    for command in commands:
        assert run(*command[1:], "--write=data.yaml", "--workers=1").code == 0
        check(tmp_path / "data.yaml", numbers)


@pytest.mark.parametrize("coding", ["colours", "grey"])
def test_masks_beside_a_smoothed_copy_of_them_are_the_sharp_ones(coding: str, tmp_path: Path, run: Run) -> None:
    numbers = flat(tmp_path / "data", "2GT")
    colors = np.array([[0, 0, 0], [200, 40, 40]], np.uint8)
    for number in range(6):
        picture = Image.fromarray(colors[mask(number)] if coding == "colours" else mask(number) * np.uint8(255))
        smooth = picture.resize((58, 44), Image.Resampling.BILINEAR).resize((64, 48), Image.Resampling.BILINEAR)
        save(np.asarray(smooth), tmp_path / f"data/coloured/{number}.png")
    report, _ = inspected(run)
    assert report["settings"]["masks"] == "2GT"
    assert "are the masks in 2GT, which holds 2 values: 0, 1? coloured holds" in report["questions"][0]
    check(tmp_path / "data.yaml", numbers)


def test_a_name_decides_between_folders_alike_and_says_so(tmp_path: Path, run: Run) -> None:
    numbers = flat(tmp_path / "data", "masks")
    for number in range(6):
        save(1 - mask(number), tmp_path / f"data/predicted/{number}.png")
    report, _ = inspected(run)
    assert "are the masks in masks, which holds 2 values: 0, 1? predicted holds" in report["questions"][0]
    check(tmp_path / "data.yaml", numbers)


def test_other_pictures_beside_the_masks_are_no_candidates(tmp_path: Path, run: Run) -> None:
    numbers = flat(tmp_path / "data", "2GT")
    for number in range(6):
        save(image(100 + number)[..., 0], tmp_path / f"data/depth/{number}.png")  # many values
        save(mask(number), tmp_path / f"data/logos/logo{number % 2}x{number}y.png")  # names that do not fit
    report, _ = inspected(run)
    assert report["settings"]["masks"] == "2GT"
    check(tmp_path / "data.yaml", numbers)


@pytest.mark.parametrize("kind", ["JPEG", "antialiased"])
def test_masks_with_blurred_edges(kind: str, tmp_path: Path, run: Run) -> None:
    flat(tmp_path / "data", "2GT")
    for file in sorted((tmp_path / "data/2GT").iterdir()):
        picture = Image.fromarray(np.asarray(Image.open(file)) * np.uint8(255))
        if kind == "JPEG":
            file.unlink()
            picture.save(file.with_suffix(".jpg"), quality=80)
        else:
            picture.resize((128, 96)).resize((64, 48), Image.Resampling.BICUBIC).save(file)
    outcome = run("inspect", "data", "--json", "--workers=1")
    assert json.loads(outcome.out)["settings"]["masks"] == "2GT"
