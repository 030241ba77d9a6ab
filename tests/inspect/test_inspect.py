"""`seglit inspect` on typical folders: its findings, and that the configuration it writes loads and trains."""

import json
import multiprocessing
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from tests.conftest import QUIET, Run, run_in
from tests.inspect.folders import as_jpeg, blur_masks, image, mask, recode, save, split_folders
from tests.inspect.written import load

COLORS = np.array([[0, 0, 0], [220, 20, 60], [0, 130, 180]], np.uint8)


def binary(root: Path) -> None:
    split_folders(root, classes=2)
    recode(root, lambda indices: indices * 255)


def off_by_one(root: Path) -> None:
    split_folders(root)
    recode(root, lambda indices: indices + 1)


def palette(root: Path) -> None:
    split_folders(root)
    for path in sorted((root / "masks").rglob("*.png")):
        picture = Image.fromarray(np.asarray(Image.open(path)), "P")
        picture.putpalette(COLORS.tobytes())
        picture.save(path)


def colors(root: Path) -> None:
    split_folders(root)
    recode(root, lambda indices: COLORS[indices])


def with_gaps(root: Path) -> None:
    split_folders(root)
    recode(root, lambda indices: indices * 100)


def jpeg(root: Path) -> None:
    split_folders(root, classes=2)
    as_jpeg(root)


def antialiased(root: Path) -> None:
    split_folders(root, classes=2)
    blur_masks(root)


def jpeg_colors(root: Path) -> None:
    colors(root)
    for path in sorted((root / "masks").rglob("*.png")):
        Image.open(path).save(path.with_suffix(".jpg"), quality=85)
        path.unlink()


def broken(root: Path) -> None:
    split_folders(root)
    for path in (root / "images/train/001.png", root / "masks/train/002.png"):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    (root / "masks/train/003.png").unlink()
    save(mask(4, 3)[:24], root / "masks/train/004.png")


def leaking(root: Path) -> None:
    split_folders(root)
    save(image(0), root / "images/val/900.png")
    save(mask(0, 3), root / "masks/val/900.png")
    dimmed = (image(1) * 0.97).astype(np.uint8)
    save(dimmed, root / "images/test/901.png")
    save(mask(1, 3), root / "masks/test/901.png")


def void_border(root: Path) -> None:
    split_folders(root)

    def border(indices: Any) -> Any:
        marked = indices.copy()
        marked[1:][indices[1:] != indices[:-1]] = 255
        marked[:, 1:][indices[:, 1:] != indices[:, :-1]] = 255
        return marked

    recode(root, border)


def value_in_one_split(root: Path) -> None:
    split_folders(root)
    save(mask(0, 4), root / "masks/val/008.png")


def uint16_images(root: Path) -> None:
    split_folders(root)
    for path in sorted((root / "images").rglob("*.png")):
        grey = np.asarray(Image.open(path).convert("L")).astype(np.uint16) * 200
        Image.fromarray(grey).save(path)


def single_valued(root: Path) -> None:
    void_border(root)
    save(np.full((48, 64), 255, np.uint8), root / "masks/train/000.png")
    save(np.zeros((48, 64), np.uint8), root / "masks/train/001.png")


def exif_rotated(root: Path) -> None:
    split_folders(root)
    exif = Image.Exif()
    exif[0x0112] = 6
    for number in range(2):
        path = root / f"images/train/{number:03}.png"
        Image.open(path).save(path, exif=exif)


def cmyk(root: Path) -> None:
    split_folders(root)
    Image.open(root / "images/train/000.png").convert("CMYK").save(root / "images/train/000.tif")
    (root / "images/train/000.png").unlink()


def mostly_rgb(root: Path) -> None:
    split_folders(root)
    save(image(0)[..., 0], root / "images/train/000.png")


def one_value(root: Path) -> None:
    split_folders(root)
    recode(root, lambda indices: indices * 0 + 255)


def mask_without_image(root: Path) -> None:
    for number in range(6):
        save(image(number), root / f"{number}.jpg")
        save(mask(number, 3), root / f"{number}_mask.png")
    (root / "3.jpg").unlink()


def table(root: Path) -> None:
    split_folders(root)
    rows = [f"images/{s}/{n:03}.png,masks/{s}/{n:03}.png,{s}" for s, n in (("train", 0), ("train", 1), ("val", 8))]
    gone = ["images/val/009.png,lost.png,val", "lost.png,masks/val/009.png,val", "lost.png,,val"]
    twice = ["images/val/010.png,masks/val/010.png,train", "images/val/010.png,masks/val/010.png,val"]
    (root / "pairs.csv").write_text("\n".join(["image,mask,split", *rows, *gone, *twice]))


# Name -> what makes the folder, the expected findings, exit code and number of classes.
FOLDERS: dict[str, tuple[Callable[[Path], None], set[str], int, int]] = {
    "clean": (split_folders, set(), 0, 3),
    "binary": (binary, {"binary_0_255"}, 0, 2),
    "off by one": (off_by_one, {"off_by_one"}, 0, 3),
    "palette": (palette, set(), 0, 3),
    "colours": (colors, set(), 0, 3),
    "gaps": (with_gaps, set(), 0, 3),
    "jpeg": (jpeg, {"jpeg_masks", "binary_0_255"}, 1, 2),
    "anti-aliased": (antialiased, {"antialiased_masks", "binary_0_255"}, 1, 2),
    "jpeg colours": (jpeg_colors, {"jpeg_masks"}, 1, 3),
    "broken": (broken, {"unreadable_image", "unreadable_mask", "image_without_mask", "size_mismatch"}, 1, 3),
    "leaking": (leaking, {"exact_leak", "near_leak"}, 1, 3),
    "void border": (void_border, set(), 0, 3),
    "value in one split": (value_in_one_split, {"value_never_trained"}, 1, 4),
    "more than 8 bits": (uint16_images, {"more_than_8_bits"}, 0, 3),
    "single-valued": (single_valued, {"all_void_masks", "single_class_masks"}, 0, 3),
    "EXIF": (exif_rotated, {"exif_turned"}, 0, 3),
    "CMYK": (cmyk, {"cmyk"}, 0, 3),
    "mostly RGB": (mostly_rgb, {"mixed_images"}, 0, 3),
    "one value": (one_value, {"one_class", "single_class_masks"}, 1, 1),
    "mask without image": (mask_without_image, {"mask_without_image"}, 0, 3),
    "table": (table, {"listed_but_missing", "in_two_splits"}, 1, 3),
}


# Folders in which the module does something else too: it normalises other units, and has a single class.
TRAINED = ("more than 8 bits", "one value")


@pytest.mark.parametrize("name", FOLDERS)
def test_findings_and_written_configuration_loads(name: str, tmp_path: Path, run: Run) -> None:
    make, findings, code, classes = FOLDERS[name]
    make(tmp_path / "data")
    written = tmp_path / "data.yaml"
    outcome = run("inspect", str(tmp_path / "data"), "--json", f"--write={written}", "--workers=1")
    assert outcome.code == code, outcome.err
    report = json.loads(outcome.out)
    assert {finding["code"] for finding in report["findings"]} == findings
    assert len([value for value in report["values"] if value["class"] is not None]) == classes
    assert len(yaml.safe_load(written.read_text())["init_args"]["class_names"]) == classes
    assert load(written).keys() - {None} == set(range(classes))
    if name in TRAINED:
        options = ["--model.network.channels=[4,8]", "--trainer.max_steps=2", "--data.num_workers=0"]
        trained = run("fit", f"--data={written}", *options, "--pictures.count=1", *QUIET)
        assert trained.code == 0, trained.err


def inspected(run: Run, folder: Path, *args: str) -> Any:
    outcome = run("inspect", str(folder), "--json", "--workers=1", *args)
    assert outcome.code in (0, 1), outcome.err
    return json.loads(outcome.out)


def codes(report: Any) -> set[str]:
    return {finding["code"] for finding in report["findings"]}


def test_statistics_are_computed_from_training_images(tmp_path: Path, run: Run) -> None:
    split_folders(tmp_path)
    report = inspected(run, tmp_path)
    pixels = np.stack([image(number) for number in range(8)]).astype(np.float64)
    assert report["mean"] == pytest.approx(pixels.mean((0, 1, 2)))
    assert report["std"] == pytest.approx(pixels.std((0, 1, 2)))
    every = np.stack([mask(number, 3) for number in range(14)])
    shares = [value["share"] for value in report["values"]]
    assert shares == pytest.approx((np.bincount(every.ravel()) / every.size).tolist())
    counts = np.bincount(every[:8].ravel())
    inverse = counts.sum() / counts
    assert report["weights"]["inverse"] == pytest.approx(inverse / (inverse * counts / counts.sum()).sum(), abs=1e-3)
    held = np.array([sum((one == value).any() for one in every[:8]) * every[0].size for value in range(3)])
    frequency = held / counts
    assert report["weights"]["median_frequency"] == pytest.approx(
        frequency / (frequency * counts / counts.sum()).sum(), abs=1e-3
    )
    assert report["splits"] == {"train": 8, "val": 3, "test": 3}


def test_channels_are_those_of_most_images(tmp_path: Path, run: Run) -> None:
    mostly_rgb(tmp_path)
    assert len(inspected(run, tmp_path)["mean"]) == 3


def test_public_data_is_written_for_its_own_data_module(tmp_path: Path, run: Run) -> None:
    for number, split in enumerate(("training", "validation")):
        save(image(number), tmp_path / f"ADEChallengeData2016/images/{split}/ADE_{number}.jpg")
        save(mask(number, 3), tmp_path / f"ADEChallengeData2016/annotations/{split}/ADE_{number}.png")
    written = tmp_path / "data.yaml"
    report = inspected(run, tmp_path / "ADEChallengeData2016", f"--write={written}")
    assert not report["questions"]
    settings = yaml.safe_load(written.read_text())["init_args"]
    assert settings["root"] == tmp_path.as_posix()
    assert len(settings["class_names"]) == len(settings["mask_values"]) == 150
    assert {"crop_size", "batch_size", "augment"} <= settings.keys()


def test_duplicates_are_errors_if_splits_are_drawn_at_random(tmp_path: Path, run: Run) -> None:
    for number in range(6):
        save(image(number % 5), tmp_path / f"images/{number}.png")
        save(mask(number % 5), tmp_path / f"masks/{number}.png")
    report = inspected(run, tmp_path)
    assert codes(report) == {"exact_duplicate"}
    assert report["findings"][0]["severity"] == "error"


def test_values_without_class_name_are_void(tmp_path: Path, run: Run) -> None:
    split_folders(tmp_path / "data", classes=4)
    written = tmp_path / "data.yaml"
    report = inspected(run, tmp_path / "data", "--class_names=ground,block,wall", f"--write={written}")
    assert [value["class"] for value in report["values"]] == ["ground", "block", "wall", None]
    settings = yaml.safe_load(written.read_text())["init_args"]
    assert settings["ignore_values"] == [3]
    assert settings["class_names"] == ["ground", "block", "wall"]
    refused = run("inspect", str(tmp_path / "data"), "--class_names=a,b,c,d,e")
    assert refused.code == 2
    assert "has 5 names, but the masks contain 4 values" in refused.err


def test_a_name_for_the_usual_value_of_void_is_asked_about(tmp_path: Path, run: Run) -> None:
    split_folders(tmp_path, classes=4)
    recode(tmp_path, lambda indices: np.where(indices == 3, 255, indices).astype(np.uint8))
    report = inspected(run, tmp_path, "--class_names=ground,block,wall,dog")
    assert [value["class"] for value in report["values"]] == ["ground", "block", "wall", "dog"]
    (question,) = report["questions"]
    assert question.startswith("is 255 void? 255 beside class indices usually means void; if so, move it to ignore_")
    report = inspected(run, tmp_path, "--class_names=ground,block,wall")
    assert [value["class"] for value in report["values"]] == ["ground", "block", "wall", None]
    assert not report["questions"]


def test_symlink_outside(tmp_path: Path, run: Run) -> None:
    split_folders(tmp_path / "data")
    outside = tmp_path / "outside.png"
    (tmp_path / "data/images/train/000.png").rename(outside)
    (tmp_path / "data/images/train/000.png").symlink_to(outside)
    assert codes(inspected(run, tmp_path / "data")) == {"symlink_outside"}


def test_names_that_differ_only_by_case(tmp_path: Path, run: Run) -> None:
    split_folders(tmp_path)
    for number, name in ((50, "cat.png"), (51, "Cat.png")):
        save(image(number), tmp_path / "images/train" / name)
        save(mask(number, 3), tmp_path / "masks/train" / name)
    if len(list((tmp_path / "images/train").glob("[cC]at.png"))) < 2:
        pytest.skip("this file system is not case-sensitive")
    assert codes(inspected(run, tmp_path)) == {"case_only_names"}


@pytest.mark.skipif(
    multiprocessing.get_start_method() != "fork", reason="otherwise the lower limit does not reach the worker processes"
)
def test_decompression_bomb_is_not_decoded(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    split_folders(tmp_path)
    save(np.zeros((200, 200, 3), np.uint8), tmp_path / "images/train/000.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000)
    assert codes(inspected(run, tmp_path)) == {"decompression_bomb"}


def test_mixed_mask_codings(tmp_path: Path, run: Run) -> None:
    split_folders(tmp_path)
    save(COLORS[mask(0, 3)], tmp_path / "masks/train/000.png")
    assert "mixed_mask_coding" in codes(inspected(run, tmp_path))


def test_mixed_mask_codings_with_most_values_in_colour(tmp_path: Path, run: Run) -> None:
    split_folders(tmp_path, classes=1)
    save(COLORS[mask(0, 3)], tmp_path / "masks/train/000.png")
    assert inspected(run, tmp_path)["masks"] == "RGB colours: 3 distinct"


def test_duplicates_within_a_split_are_a_note(tmp_path: Path, run: Run) -> None:
    split_folders(tmp_path)
    save(image(1), tmp_path / "images/train/000.png")
    report = inspected(run, tmp_path)
    assert codes(report) == {"exact_duplicate"}
    assert report["findings"][0]["severity"] == "note"


def test_page_is_self_contained(tmp_path: Path, run: Run) -> None:
    broken(tmp_path / "data")
    outcome = run("inspect", str(tmp_path / "data"), f"--report={tmp_path / 'page'}", "--workers=1")
    assert outcome.code == 1
    page = (tmp_path / "page" / "index.html").read_text()
    assert "http" not in page
    assert page.count("<figure") == 14  # 10 pairs that can be read, and one picture for each finding
    assert "masks/train/002.png" in page
    figures = re.findall(r"<figure.*?</figure>", page, re.DOTALL)
    shown = {code: figure for figure in figures for code in re.findall(r'data-findings="(.*?)"', figure)[0].split()}
    assert set(shown) == FOLDERS["broken"][1]
    for code, figure in shown.items():
        assert f'href="#finding={code}"' in page
        assert ("<img" in figure) == (code != "unreadable_image")
        assert 'class="error"' in figure
    assert '<div class="reason">cannot be read' in shown["unreadable_image"]
    assert "error" in outcome.out
    assert str(tmp_path / "page" / "index.html") in outcome.out.replace("\n", "")


def test_pictures_with_notes_are_not_marked_as_errors(tmp_path: Path, run: Run) -> None:
    exif_rotated(tmp_path / "data")
    save(mask(99), tmp_path / "data/masks/train/\u202egnp.png")
    assert run("inspect", "data", "--report=page", "--workers=1").code == 0
    page = (tmp_path / "page" / "index.html").read_text()
    assert page.count('data-findings="exif_turned"') == 2
    assert page.count('data-findings="mask_without_image"') == 1
    assert 'class="error"' not in page
    assert r"\u202egnp.png" in page
    assert "\u202e" not in page
    assert "width (pixels)" in page
    assert re.search(r"crop \d+ x \d+</text>", page)


def test_clean_folder(tmp_path: Path, run: Run) -> None:
    split_folders(tmp_path)
    outcome = run("inspect", str(tmp_path), "--workers=1")
    assert outcome.code == 0
    assert "no errors found" in outcome.out


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["nowhere"], "no such folder"),
        ([__file__], "a file; give the folder"),
        ([".", "--worker=2"], "workers"),
        ([".", "--pairs=none.csv"], "none.csv is not a file"),
        ([".", "--write=mine"], "the name of a configuration ends with .yaml: --write mine.yaml"),
    ],
)
def test_invalid_input_gives_one_line(args: list[str], message: str, run: Run) -> None:
    outcome = run("inspect", *args)
    assert outcome.code == 2
    assert outcome.err.startswith("seglit: error: ")
    assert outcome.err.count("\n") == 1
    assert message in outcome.err


def test_edited_configurations_are_kept(tmp_path: Path, run: Run) -> None:
    split_folders(tmp_path / "data")
    file = tmp_path / "mine.yaml"
    arguments = ("inspect", "data", "--write=mine.yaml")
    assert "written: mine.yaml" in run(*arguments).out
    written = file.read_text()
    assert yaml.safe_load(written)["init_args"]["root"] == (tmp_path / "data").as_posix()
    assert "written: mine.yaml" in run(*arguments).out  # the same again
    edited = written.replace("class_0", "road")
    file.write_text(edited)
    assert "not written: mine.yaml was edited since `seglit inspect` wrote it; --force" in run(*arguments).out
    assert file.read_text() == edited
    file.write_text("own: file\n")
    assert "not written: mine.yaml is not of `seglit inspect`" in run(*arguments).out
    assert file.read_text() == "own: file\n"
    assert run(*arguments, "--force=true").code == 0
    assert file.read_text() == written


def test_paths_to_write_are_expanded_and_quoted(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "my home"))
    split_folders(tmp_path / "data")
    outcome = run("inspect", "data", "--write=~/mine.yaml", "--class_names=[/b],b", "--workers=1")
    assert outcome.code == 0, outcome.err
    (command,) = re.findall("`seglit (fit --data [^`]*mine.yaml')`", outcome.out)
    assert Path(shlex.split(command)[2]) == tmp_path / "my home/mine.yaml"
    assert (tmp_path / "my home/mine.yaml").is_file()


def test_written_configuration_trains_from_any_folder(tmp_path: Path, run: Run) -> None:
    split_folders(tmp_path / "data")
    assert run("inspect", "data", "--write=sub/mine.yaml").code == 0
    (tmp_path / "elsewhere").mkdir()
    options = ["--trainer.max_steps=1", "--model.network.channels=[4,8]", "--data.num_workers=0", "--pictures.count=0"]
    trained = run_in(tmp_path / "elsewhere", "fit", "--data=../sub/mine.yaml", *options, *QUIET)
    assert trained.code == 0, trained.err


def test_the_printed_command_trains_in_an_empty_folder(run: Run, shapes: Path, tmp_path: Path) -> None:
    inspected = run("inspect", shapes, "--write", "mine.yaml", "--workers=1")
    (command,) = re.findall("train with `seglit (.*)`", inspected.out)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"]
    outcome = run(*command.split(), *QUIET, "--trainer.max_steps=1", "--data.num_workers=0", "--pictures.count=0")
    assert outcome.code == 0
    assert outcome.folder.is_relative_to(tmp_path / "runs" / "mine")
