"""`data.resize`: the network sees images of another size, scores and masks have the stored one."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

import seglit
from seglit.data import SyntheticDataModule
from seglit.errors import InputError
from seglit.images.scaling import Resize, resize_image
from seglit.predict.load import make_predictor
from seglit.runs.tested import read_run
from tests.conftest import CLASS_NAMES, Run


def confusion(folder: Path, predicted: Path) -> npt.NDArray[np.int64]:
    """Counts pixels by target and prediction, one by one."""
    counts = np.zeros((len(CLASS_NAMES), len(CLASS_NAMES)), np.int64)
    for file in (folder / "masks" / "test").iterdir():
        target, mask = (np.asarray(Image.open(path)) for path in (file, predicted / file.name))
        assert mask.shape == target.shape
        np.add.at(counts, (target, mask), 1)
    return counts


@pytest.mark.parametrize("resize", ["0.5", "[24,40]"])
def test_predicted_masks_have_the_scores_of_the_test(run: Run, tiny: list[str], shapes: Path, resize: str) -> None:
    trained = run("fit", *tiny, f"--data.resize={resize}", "--data.crop_size=[16,16]", "--trainer.max_epochs=1")
    assert trained.code == 0, trained.err
    options = ("--precision=32-true", f"--output={trained.folder / 'predictions'}")
    predicted = run("predict", trained.folder, shapes / "images" / "test", *options)
    assert predicted.code == 0, predicted.err
    counts = confusion(shapes, trained.folder / "predictions" / "masks")
    saved = json.loads((trained.folder / "scores_test.json").read_text())
    assert counts.tolist() == saved["confusion"]
    correct, occurring = counts.diagonal(), counts.sum(0) + counts.sum(1)
    iou = correct[occurring > 0] / (occurring - correct)[occurring > 0]
    assert f"│ mean       │ {iou.mean():.3f} │" in trained.out

    other = run("test", trained.folder, "--data.resize=0.25")  # of which predict and report would know nothing
    assert other.code == 2
    best = trained.folder / "checkpoints" / "best.ckpt"
    assert f"data.resize is 0.25, but {best} was trained with {resize}" in other.err

    predictor = seglit.load(trained.folder)
    assert predictor.resize == json.loads(resize) or predictor.resize == tuple(json.loads(resize))
    sizes: list[torch.Size] = []
    predictor.network.register_forward_pre_hook(lambda _, args: sizes.append(args[0].shape[2:]))
    photo = np.random.default_rng(0).integers(0, 255, (50, 90, 3), np.uint8)
    assert predictor(photo).shape == (50, 90)
    assert sizes == [(25, 45) if resize == "0.5" else (24, 40)]
    assert predictor.probabilities(photo).sum(0) == pytest.approx(1, abs=1e-5)
    assert make_predictor(read_run(trained.folder)).resize == predictor.resize  # which draws the report's pictures


def test_tiles_of_a_resized_image_give_its_whole_mask(tiny: list[str], run: Run) -> None:
    trained = run("fit", *tiny, "--data.resize=2", "--trainer.max_epochs=1", "--test_after_fit=false")
    predictor = seglit.load(trained.folder)
    photo = np.random.default_rng(0).integers(0, 255, (60, 100, 3), np.uint8)
    whole = predictor.probabilities(photo)
    predictor.settings = type(predictor.settings)(tile=128, overlap=0.5)
    assert len(predictor.grid(120, 200)) > 1
    assert predictor.probabilities(photo) == pytest.approx(whole, abs=0.05)
    assert (predictor(photo) == predictor.probabilities(photo).argmax(0)).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32])
def test_images_are_reduced_to_means(dtype: type) -> None:
    image: npt.NDArray[Any] = np.random.default_rng(0).integers(0, 200, (8, 12, 5)).astype(dtype)
    means = image.reshape(4, 2, 6, 2, 5).mean((1, 3))
    assert resize_image(image, 0.5).dtype == dtype
    assert resize_image(image, 0.5) == pytest.approx(means, abs=0.51 if image.dtype.kind != "f" else 1e-4)
    assert resize_image(image, (4, 12)).shape == (4, 12, 5)
    assert resize_image(image, None) is image


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("size", [(20, 6), (8, 6), (20, 30)])
def test_sides_that_grow_are_bilinear_and_those_that_shrink_means(dtype: type, size: tuple[int, int]) -> None:
    image: npt.NDArray[Any] = np.random.default_rng(0).integers(0, 200, (8, 12, 5)).astype(dtype)
    means = image.reshape(8, 6, 2, 5).mean(2) if size[1] == 6 else image
    planes = torch.from_numpy(means.astype(np.float32)).movedim(-1, 0)[None]
    expected = F.interpolate(planes, size, mode="bilinear", align_corners=False)[0].movedim(0, -1).numpy()
    assert resize_image(image, size) == pytest.approx(expected, abs=1.5 if dtype is np.uint8 else 1e-3)  # rounded twice
    whole: Any = resize_image(np.ma.MaskedArray(image, False), size)
    assert whole.data == pytest.approx(expected, abs=0.51 if dtype is np.uint8 else 1e-3)
    assert not np.ma.getmaskarray(whole).any()


def test_pixels_without_data_are_in_no_mean() -> None:
    values = np.array([[[10], [20]], [[30], [250]]], np.uint8)
    one, three = (np.ma.MaskedArray(values, np.arange(4).reshape(2, 2, 1) >= valid) for valid in (3, 1))
    result: Any = resize_image(one, 0.5)
    assert (result.data.item(), result.mask.item()) == (20, False)  # of 10, 20 and 30
    assert np.ma.getmaskarray(resize_image(three, 0.5)).item()  # only a quarter has data


@pytest.mark.parametrize("resize", [0, -1, 1e9, float("nan"), (0, 5), (5, -5)])
def test_impossible_size_is_an_error(resize: Resize) -> None:
    with pytest.raises(InputError, match=r"give a factor such as 0.5, or \[height, width\] in pixels"):
        SyntheticDataModule(resize=resize)
