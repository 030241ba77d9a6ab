"""`seglit inspect` on images and masks with pixels without data: right statistics, and a configuration that says so."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
import yaml
from PIL import Image

from tests.conftest import QUIET, Run

SIZE = (40, 48)
HOLE = np.zeros(SIZE, bool)
HOLE[:, :10] = True
MASK = np.zeros(SIZE, np.uint8)
MASK[20:, 20:40] = 1
RNG = np.random.default_rng(0)
IMAGES = [RNG.uniform(0, 0.3, (*SIZE, 4)).astype(np.float32) for _ in range(8)]


def write_folder(
    root: Path, value: float, tag: str | None = None, bands: slice = slice(None), images: list[Any] = IMAGES
) -> None:
    """Every second image lacks data in the same place."""
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    for number, whole in enumerate(images):
        image = whole.copy()
        if number % 2:
            image[HOLE, bands] = value
        tags = [] if tag is None else [(42113, "s", 0, tag, True)]
        path = root / "images" / f"{number}.tif"
        tifffile.imwrite(path, image, photometric="minisblack", planarconfig="contig", extratags=tags)
        Image.fromarray(MASK).save(root / "masks" / f"{number}.png")


def statistics(bands: slice = slice(None), images: list[Any] = IMAGES) -> tuple[Any, Any]:
    lacking = np.zeros(images[0].shape, bool)
    lacking[HOLE, bands] = True
    valid = np.array([~lacking if number % 2 else np.ones_like(lacking) for number in range(len(images))])
    values = np.ma.MaskedArray(np.array(images, np.float64), ~valid)
    return values.mean((0, 1, 2)).data, values.std((0, 1, 2)).data


def inspected(run: Run, root: Path) -> tuple[Any, Any]:
    """The report, and the settings that are written."""
    outcome = run("inspect", root, "--json=true", f"--write={root}.yaml")
    assert outcome.code == 0, outcome.out + outcome.err
    written = yaml.safe_load(Path(f"{root}.yaml").read_text())
    return json.loads(outcome.out), written["init_args"]


CASES: dict[str, tuple[float, str | None, slice, bool]] = {
    "tag": (-9999, "-9999", slice(None), False),
    "NaN": (np.nan, None, slice(None), False),
    "untagged": (-9999, None, slice(None), True),
    "untagged in one band": (-9999, None, slice(2, 3), True),
}


@pytest.mark.parametrize("case", CASES)
def test_statistics_exclude_pixels_without_data(tmp_path: Path, run: Run, case: str) -> None:
    value, tag, bands, asked = CASES[case]
    write_folder(tmp_path / "data", value, tag, bands)
    report, settings = inspected(run, tmp_path / "data")
    mean, std = statistics(bands)
    np.testing.assert_allclose(report["mean"], mean, rtol=1e-6)
    np.testing.assert_allclose(report["std"], std, rtol=1e-6)
    (finding,) = [finding for finding in report["findings"] if finding["code"] == "no_data"]
    assert finding["count"] == 4
    assert any("have no data" in question for question in report["questions"]) is asked
    assert settings.get("nodata") == (None if case == "NaN" else -9999)
    # of all 1,920 pixels an image, 400 are class 1, and 400 of class 0 lack data in every band of every second image
    lacking = 4 * 400 if bands == slice(None) else 0
    assert [entry["pixels"] for entry in report["values"]] == [8 * 1520 - lacking, 8 * 400]

    options = ["--model.network=seglit.networks.UNet", "--model.network.channels=[4,8]", "--trainer.max_steps=2"]
    options += ["--data.num_workers=0", "--pictures.count=0"]
    trained = run("fit", f"--data={tmp_path / 'data.yaml'}", *options, *QUIET)
    assert trained.code == 0, trained.err
    assert "nan" not in trained.out.partition("test:")[2].split("calibration")[0].lower()


def test_values_for_each_band(tmp_path: Path, run: Run) -> None:
    images = [np.concatenate([image, image + 5], -1) for image in IMAGES]
    write_folder(tmp_path / "data", -9999, bands=slice(0, 1), images=images)
    for path in sorted((tmp_path / "data/images").glob("*.tif"))[1::2]:
        image = tifffile.imread(path)
        image[HOLE, 5] = 10_000
        tifffile.imwrite(path, image, photometric="minisblack", planarconfig="contig")
    _, settings = inspected(run, tmp_path / "data")
    np.testing.assert_equal(settings["nodata"], [-9999, *[np.nan] * 4, 10_000, np.nan, np.nan])


def ordinary(name: str) -> list[npt.NDArray[Any]]:
    rng = np.random.default_rng(1)
    if name == "clipped":  # 12 bits in 16, some pixels saturated
        return [rng.normal(2000, 900, (*SIZE, 4)).clip(0, 4095).astype(np.uint16) for _ in range(8)]
    if name == "two values":
        return [rng.integers(0, 2, (*SIZE, 4)).astype(np.uint16) * 65535 for _ in range(8)]
    background = np.where(rng.random((*SIZE, 1)) < 0.5, 0, 1)  # as of a microscope: exactly 0 between bright cells
    return [(background * rng.integers(800, 4000, (*SIZE, 4))).astype(np.uint16) for _ in range(8)]


@pytest.mark.parametrize("name", ["clipped", "two values", "zero background"])
def test_ordinary_values_are_data(tmp_path: Path, run: Run, name: str) -> None:
    images = ordinary(name)
    write_folder(tmp_path / "data", 7, bands=slice(0), images=images)
    report, settings = inspected(run, tmp_path / "data")
    assert "nodata" not in settings
    np.testing.assert_allclose(report["mean"], np.mean(images, (0, 1, 2), np.float64))


def test_masks_with_values_for_no_data(tmp_path: Path, run: Run) -> None:
    for kind, void in (("negative", -9999), ("tagged", 0), ("NaN", np.nan)):
        root = tmp_path / kind
        write_folder(root, 0.1)
        for number in range(8):
            (root / "masks" / f"{number}.png").unlink()
            stored = np.where(HOLE, void, (MASK + 1).astype(np.float32 if kind == "NaN" else np.int32))
            tags = [(42113, "s", 0, "0", True)] if kind == "tagged" else []
            tifffile.imwrite(root / "masks" / f"{number}.tif", stored, extratags=tags)
        report, settings = inspected(run, root)
        classes = [entry for entry in report["values"] if entry["class"] is not None]
        assert [(entry["stored"], entry["pixels"]) for entry in classes] == [(1, 8 * 1120), (2, 8 * 400)]
        assert settings.get("ignore_values") == ([-9999] if kind == "negative" else None)
