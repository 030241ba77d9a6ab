"""Prediction where images lack data: void in masks, stated by their tag, whole, in tiles and by windows."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from PIL import Image

import seglit
from seglit.images import tiff
from tests.conftest import Run
from tests.predict.brightest import WATER, checkpoint, truth

HEIGHT, WIDTH = 150, 171
HOLE = np.zeros((HEIGHT, WIDTH), bool)
HOLE[:, :30] = HOLE[:20] = HOLE[70:90, 100:130] = True
SCENE = np.random.default_rng(0).random((HEIGHT, WIDTH, 4)).astype(np.float32)
VOID = 253  # 255 and 254 are classes of WATER


def scene(value: float) -> npt.NDArray[np.float32]:
    image = SCENE.copy()
    image[HOLE] = value
    return image


def write(path: Path, array: npt.NDArray[Any], nodata: str | None = None) -> None:
    tags = [] if nodata is None else [(42113, "s", 0, nodata, True)]
    tifffile.imwrite(path, array, photometric="minisblack", planarconfig="contig", extratags=tags, tile=(64, 64))


def stated(path: Path) -> tuple[npt.NDArray[Any], str | None]:
    with tifffile.TiffFile(path) as file:
        tag = file.pages.first.tags.get(42113)
        return file.asarray(), None if tag is None else tag.value


@pytest.mark.parametrize("reading", ["whole", "tiles", "windows"])
@pytest.mark.parametrize(("value", "tag"), [(np.nan, None), (np.nan, "nan"), (-9999, "-9999")])
def test_masks_are_void_without_data(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reading: str, value: float, tag: str | None
) -> None:
    monkeypatch.setattr(tiff, "LARGE", 100 if reading == "windows" else 10**9)
    write(tmp_path / "scene.tif", scene(value), tag)
    ckpt = checkpoint(tmp_path / "water.ckpt", WATER, 4)
    tile = [] if reading == "whole" else ["--tile=64"]
    assert run("predict", ckpt, "scene.tif", "--output=out", "--probabilities=true", *tile).code == 0
    mask, nodata = stated(tmp_path / "out/masks/scene.tif")
    np.testing.assert_array_equal(mask, np.where(HOLE, VOID, truth(SCENE, 0.5)))
    assert nodata == str(VOID)
    probabilities = np.load(tmp_path / "out/probabilities/scene.npy")
    np.testing.assert_allclose(probabilities[:, HOLE], [[1 / 2]] * 2 @ np.ones((1, HOLE.sum())), atol=1e-3)  # the mean

    assert run("predict", ckpt, "scene.tif", "--output=all", "--nodata=false", *tile).code == 0
    mask, nodata = stated(tmp_path / "all/masks/scene.tif")
    np.testing.assert_array_equal(mask[~HOLE], truth(SCENE, 0.5)[~HOLE])
    assert set(np.unique(mask[HOLE])) <= {0, 255}
    assert nodata is None


@pytest.mark.parametrize("large", [False, True])
def test_transparent_pixels_are_void(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: bool) -> None:
    monkeypatch.setattr(tiff, "LARGE", 100 if large else 10**9)
    rgb = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    rgba = np.dstack([rgb, np.where(HOLE, 0, 255).astype(np.uint8)])
    tifffile.imwrite(tmp_path / "ortho.tif", rgba, photometric="rgb", extrasamples=["unassalpha"])
    Image.fromarray(rgba).save(tmp_path / "photo.png")
    ckpt = checkpoint(tmp_path / "water.ckpt", WATER)
    assert run("predict", ckpt, "ortho.tif", "photo.png", "--output=out", "--tile=64").code == 0
    expected = np.where(HOLE, VOID, truth(rgb))
    np.testing.assert_array_equal(stated(tmp_path / "out/masks/ortho.tif")[0], expected)
    np.testing.assert_array_equal(np.array(Image.open(tmp_path / "out/masks/photo.png")), expected)
    assert run("predict", ckpt, "photo.png", "--output=color", "--masks=color").code == 0
    np.testing.assert_array_equal(np.array(Image.open(tmp_path / "color/masks/photo.png"))[HOLE], 200)


def test_the_setting_of_training_is_used_in_prediction(run: Run, tmp_path: Path) -> None:
    for split in ("train", "val"):
        for kind in ("images", "masks"):
            (tmp_path / kind / split).mkdir(parents=True)
        write(tmp_path / f"images/{split}/a.tif", scene(-1))
        Image.fromarray((SCENE[..., 0] > 0.5).astype(np.uint8)).save(tmp_path / f"masks/{split}/a.png")
    (tmp_path / "data.yaml").write_text(
        "class_path: seglit.data.FolderDataModule\n"
        "init_args: {root: ., class_names: [land, water], mask_name: '{stem}.png', in_channels: 4, mean: [0.5],"
        " std: [0.3], nodata: -1, num_workers: 0}\n"
    )
    options = ["--model.network=seglit.networks.UNet", "--model.network.channels=[4,8]", "--trainer.max_steps=1"]
    trained = run("fit", "--data=data.yaml", *options)
    assert trained.code == 0, trained.err
    mask = seglit.load(trained.folder)(tmp_path / "images/val/a.tif")
    np.testing.assert_array_equal(mask == 255, HOLE)
    mask = seglit.load(trained.folder)(scene(-1))
    np.testing.assert_array_equal(mask == 255, HOLE)
