"""Masks written for labelling tools: read again by the readers, and drawn, they are the same masks."""

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

from seglit.annotations import Coco, Cvat, Labelme, LabelStudio, Yolo
from seglit.annotations.predicted import Classes, PredictedMask
from seglit.data import AnnotationDataModule
from seglit.data.synthetic import SyntheticDataset
from seglit.drawing.shapes import LABELS
from seglit.labels import Labels
from seglit.predict.label_files import _WRITERS
from seglit.predict.settings import LabelFormat
from tests.conftest import Run
from tests.predict.brightest import checkpoint

Mask = npt.NDArray[np.uint8]
Masks = dict[str, Mask]
NAMES = list(LABELS.class_names)
ALL: dict[str, Any] = {"splits": {"val": 0.0}}
READERS: dict[LabelFormat, Any] = {
    "coco": Coco("images", "labels/coco.json"),
    "labelme": Labelme("images", "labels"),
    "yolo": Yolo(),
    "label-studio": LabelStudio("labels/label-studio.json", "images"),
    "cvat": Cvat("labels/cvat.xml", "images"),
}


def accept_predictions(file: Path) -> None:
    """Makes annotations of predictions, as a user of Label Studio does."""
    tasks = json.loads(file.read_text())
    for task in tasks:
        (prediction,) = task.pop("predictions")
        task["annotations"] = [{"result": prediction["result"]}]
    file.write_text(json.dumps(tasks))


def round_trip(root: Path, label_format: LabelFormat, masks: Masks, names: list[str] = NAMES) -> Masks:
    """Writes masks, and reads them through the data module."""
    labels = Labels.create(names)
    images = []
    for name, mask in masks.items():
        image = root / "images" / f"{name}.png"
        image.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", mask.shape[::-1]).save(image)
        images.append(PredictedMask(image, f"{name}.png", name, mask))
    _WRITERS[label_format](images, Classes(labels.class_names, labels.palette), root / "labels")
    if label_format == "label-studio":
        accept_predictions(root / "labels" / "label-studio.json")
    background = next((name for name in names if name == "background"), None)
    settings = {} if label_format == "yolo" else ALL
    data = AnnotationDataModule(str(root), READERS[label_format], names, background, **settings)
    dataset = data.dataset("train")
    return {name: mask for _, mask, name in map(dataset.read, range(len(dataset)))}


def scenes() -> Masks:
    """Drawn shapes; and what outlines are hard for: holes in holes, single pixels, diagonals, the whole image."""
    masks = {f"deep/{index}": SyntheticDataset(6, size=(96, 128)).read(index)[1] for index in range(6)}
    y, x = np.mgrid[:96, :128]
    rings = (np.hypot(x - 64, y - 48) // 9 % 3).astype(np.uint8)
    rings[np.hypot(x - 64, y - 48) > 45] = 0
    coarse = Image.fromarray(np.random.default_rng(5).integers(0, 256, (12, 16), np.uint8))
    smooth = np.asarray(coarse.resize((128, 96), Image.Resampling.BICUBIC))
    blobs = np.digitize(smooth, [90, 120, 170]).astype(np.uint8)  # with many holes
    return {
        **masks,
        "rings": rings,
        "blobs": blobs,
        "one": np.full((40, 30), 2, np.uint8),
        "none": np.zeros((9, 8), np.uint8),
    }


def ious(first: Mask, second: Mask) -> list[float]:
    """IoU of each class of the second mask; between polygons, single pixels may be void."""
    return [
        float(((first == index) & (second == index)).sum() / ((first == index) | (second == index)).sum())
        for index in np.unique(second)
    ]


@pytest.mark.parametrize("label_format", ["coco", "label-studio", "cvat"])
def test_run_lengths_and_brushes_are_equal(tmp_path: Path, label_format: LabelFormat) -> None:
    masks = scenes() | {"noise": np.random.default_rng(0).integers(0, 6, (33, 47), np.uint8)}
    again = round_trip(tmp_path, label_format, masks)
    assert again.keys() == masks.keys()
    for name, mask in masks.items():
        np.testing.assert_array_equal(again[name], mask)


@pytest.mark.parametrize("label_format", ["labelme", "yolo"])
def test_polygons_are_nearly_equal(tmp_path: Path, label_format: LabelFormat) -> None:
    masks = scenes()
    again = round_trip(tmp_path, label_format, masks)
    assert again.keys() == masks.keys()
    for name, mask in masks.items():
        assert min(ious(again[name], mask)) >= 0.98, name


@pytest.mark.parametrize("label_format", ["labelme", "yolo"])
def test_single_pixels_are_kept(tmp_path: Path, label_format: LabelFormat) -> None:
    noise = (np.random.default_rng(0).random((20, 30)) < 0.15).astype(np.uint8)
    noise[15:, 20:] = np.eye(5, 10, dtype=np.uint8)
    again = round_trip(tmp_path, label_format, {"a": noise}, ["background", "dust"])["a"]
    assert min(ious(again, noise)) >= 0.98


def test_without_background_every_class_is_written(tmp_path: Path) -> None:
    masks = {"a": scenes()["rings"]}
    for label_format in READERS:
        again = round_trip(tmp_path / label_format, label_format, masks, ["sky", "tree", "car"])
        assert min(ious(again["a"], masks["a"])) >= 0.98


STORED = {"background": 7, "crack": 255, "rust": 30}


@pytest.fixture
def ckpt(tmp_path: Path) -> Path:
    """Predicts the class whose index is the first channel, divided by 40: the one with the least squared difference."""
    labels = Labels.create(["background", "crack", "rust"], STORED, palette=[[1, 2, 3], [250, 0, 0], [0, 0, 240]])
    file = checkpoint(tmp_path / "bands.ckpt", labels, middle=0.0, scale=1.0)
    content = torch.load(file, weights_only=True)
    content["seglit"]["normalization"] |= {"std": [1.0]}
    index = torch.arange(3.0)
    content["state_dict"]["network.weight"][:, 0, 0, 0] = 2 * index / 40
    content["state_dict"]["network.bias"][:] = 2 * index * (0.5 / 40 - 0.5) - index**2
    torch.save(content, file)
    return file


def photos(root: Path) -> Masks:
    masks: Masks = {}
    for name in ("a", "sub/b", "sub/c"):
        mask = np.zeros((40, 50), np.uint8)
        mask[5:20, 10:30], mask[10:15, 15:25], mask[30:38, 2:9] = 1, 0, 2
        masks[name] = np.roll(mask, len(masks) * 3, 1)
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((masks[name] * 40 + 20)[..., None].repeat(3, -1).astype(np.uint8)).save(root / f"{name}.png")
    return masks


@pytest.mark.parametrize("coding", ["stored", "color"])
@pytest.mark.parametrize("label_format", list(READERS))
def test_predict_writes_labels(run: Run, tmp_path: Path, ckpt: Path, label_format: LabelFormat, coding: str) -> None:
    expected = photos(tmp_path / "in")
    options = ("--masks", coding, "--precision=32-true", "--labels", label_format)
    outcome = run("predict", ckpt, "in", "--output=out", *options)
    assert outcome.code == 0, outcome.err
    assert outcome.out.splitlines()[-1].startswith(f"labels for {label_format}: out/labels")
    shutil.copytree(tmp_path / "in", tmp_path / "out/images")
    if label_format == "label-studio":
        accept_predictions(tmp_path / "out/labels/label-studio.json")
    names, settings = ["background", "crack", "rust"], {} if label_format == "yolo" else ALL
    dataset = AnnotationDataModule(str(tmp_path / "out"), READERS[label_format], names, **settings).dataset("train")
    again = {name: mask for _, mask, name in map(dataset.read, range(len(dataset)))}
    assert again.keys() == expected.keys()
    for name, mask in expected.items():
        assert min(ious(again[name], mask)) >= 0.98


def test_labels_are_complete_after_an_interruption(run: Run, tmp_path: Path, ckpt: Path) -> None:
    photos(tmp_path / "in")
    assert run("predict", ckpt, "in", "--output=out", "--precision=32-true").code == 0
    (tmp_path / "out/masks/sub/c.png").unlink()
    (tmp_path / "in/broken.png").write_bytes(b"x")
    outcome = run("predict", ckpt, "in", "--output=out", "--precision=32-true", "--labels=coco")
    assert outcome.code == 1
    assert "1 image predicted" in outcome.out
    content = json.loads((tmp_path / "out/labels/coco.json").read_text())
    assert [entry["file_name"] for entry in content["images"]] == ["a.png", "sub/b.png", "sub/c.png"]
    assert [entry["name"] for entry in content["categories"]] == ["crack", "rust"]
    assert not list((tmp_path / "out").rglob("*.part"))


def test_masks_are_palettes_of_the_same_values(run: Run, tmp_path: Path, ckpt: Path) -> None:
    expected = photos(tmp_path / "in")["a"]
    assert run("predict", ckpt, "in/a.png", "--output=out", "--precision=32-true").code == 0
    picture = Image.open(tmp_path / "out/masks/a.png")
    assert picture.mode == "P"
    np.testing.assert_array_equal(np.array(picture), np.array(list(STORED.values()))[expected])
    colors = np.array([[1, 2, 3], [250, 0, 0], [0, 0, 240]])
    np.testing.assert_array_equal(np.array(picture.convert("RGB")), colors[expected])


def test_videos_have_no_labels(run: Run, tmp_path: Path, ckpt: Path) -> None:
    writer = cv2.VideoWriter(str(tmp_path / "in.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (32, 32))
    writer.write(np.full((32, 32, 3), 60, np.uint8))
    writer.release()
    photos(tmp_path / "in")
    outcome = run("predict", ckpt, "in", "in.avi", "--output=out", "--precision=32-true", "--labels=yolo")
    assert outcome.code == 0, outcome.err
    assert outcome.err.endswith("in.avi: a video, or too large\n")
    assert len(list((tmp_path / "out/labels").rglob("*.txt"))) == 3
