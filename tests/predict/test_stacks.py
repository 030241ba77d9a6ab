"""`seglit predict` on TIFF stacks."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from seglit.data import FolderDataModule
from seglit.labels import Labels
from tests.conftest import Run
from tests.images.stack_files import SIZE, labels, slices, write, write_stacks
from tests.predict.brightest import WATER, checkpoint

VALUES = np.array([0, 255], np.uint8)  # of WATER


def grey(path: Path, labels: Labels = WATER, in_channels: int = 1) -> Path:
    return checkpoint(path / "water.ckpt", labels, in_channels)


def test_writes_stacks(run: Run, tmp_path: Path) -> None:
    written = write_stacks(tmp_path / "data", 2)
    Image.fromarray(slices(9)).save(tmp_path / "data" / "images" / "single.png")
    ckpt = grey(tmp_path)
    outcome = run("predict", ckpt, "data/images", "--output=out", "--overlays=true", "--probabilities=true")
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("13 images predicted in ")
    for stack in ("stack0", "stack1"):
        masks = tifffile.imread(tmp_path / "out" / "masks" / f"{stack}.tif")
        truth = np.stack([mask for name, (_, mask) in written.items() if name.startswith(stack)])
        np.testing.assert_array_equal(masks, VALUES[truth])
    with tifffile.TiffFile(tmp_path / "out" / "masks" / "stack0.tif") as file:
        assert file.series[0].axes == "ZYX"
        assert [page.aspage().tags[42113].value for page in file.pages] == ["253"] * 6  # 254 is water too
    names = sorted([*written, "single"])
    assert sorted(path.stem for path in (tmp_path / "out" / "overlays").iterdir()) == names
    assert sorted(path.stem for path in (tmp_path / "out" / "probabilities").iterdir()) == names
    likely = np.load(tmp_path / "out" / "probabilities" / "stack1[4].npy").argmax(0)
    np.testing.assert_array_equal(likely, written["stack1[4]"][1])

    again = run("predict", ckpt, "data/images", "--output=out", "--overlays=true", "--probabilities=true")
    assert again.out.startswith("0 images predicted, 13 done before")
    (tmp_path / "out" / "overlays" / "stack1[2].png").unlink()
    again = run("predict", ckpt, "data/images", "--output=out", "--overlays=true")
    assert again.out.startswith("6 images predicted in ")
    assert ", 7 done before" in again.out


def test_predictions_are_masks_to_train_on(run: Run, tmp_path: Path) -> None:
    """Masks of four slices, with pixels without data in the last, in stored values."""
    image = slices(0, 4, dtype="uint16")
    image[3, :5] = 7
    write(tmp_path / "images" / "a.tif", image, metadata={"axes": "ZYX"}, extratags=[(42113, "s", 0, "7", False)])
    ckpt = checkpoint(tmp_path / "water.ckpt", WATER, 1, middle=32767.5, scale=1.0)
    outcome = run("predict", ckpt, "images", "--output=out")
    assert outcome.code == 0, outcome.err
    settings: dict[str, Any] = {"mask_values": {"land": 0, "water": 255}, "splits": {"val": 0.0}, "in_channels": 1}
    data = FolderDataModule(str(tmp_path), ["land", "water"], "images", "out/masks", mean=[0.0], std=[1.0], **settings)
    dataset = data.dataset("train")
    assert len(dataset) == 4
    for page in range(4):
        truth = labels(image)[page]
        truth[image[page] == 7] = 255
        np.testing.assert_array_equal(dataset.pair(page)[1], truth)


@pytest.mark.parametrize("label_format", ["coco", "labelme"])
def test_label_files_name_slices(run: Run, tmp_path: Path, label_format: str) -> None:
    written = write_stacks(tmp_path, 1, 3)
    outcome = run("predict", grey(tmp_path), "images", "--output=out", f"--labels={label_format}")
    assert outcome.code == 0, outcome.err
    if label_format == "labelme":
        files = sorted((tmp_path / "out" / "labels").iterdir())
        assert [file.stem for file in files] == list(written)
        assert json.loads(files[2].read_text())["imagePath"].endswith("images/stack0.tif[2]")
        return
    content = json.loads((tmp_path / "out" / "labels" / "coco.json").read_text())
    assert [image["file_name"] for image in content["images"]] == [f"stack0.tif[{page}]" for page in range(3)]
    areas = {one["image_id"]: one["area"] for one in content["annotations"] if one["category_id"] == 1}
    assert areas == {page + 1: written[f"stack0[{page}]"][1].sum() for page in range(3)}


@pytest.mark.parametrize(
    ("in_channels", "num_pages", "options", "num_slices", "said"),
    [
        (1, 3, {}, 3, ""),
        (3, 5, {}, 5, ""),
        (3, 3, {}, 1, "3 pages are read as 3 channels; if they are slices, state the axes ZYX"),
        (3, 3, {"metadata": {"axes": "ZYX"}}, 3, ""),
        (4, 4, {"imagej": True}, 1, ""),
        (1, 4, {"imagej": True}, 4, "4 channels are read as slices, each of one channel"),
    ],
)
def test_pages_are_slices_or_channels(
    run: Run, tmp_path: Path, in_channels: int, num_pages: int, options: dict[str, object], num_slices: int, said: str
) -> None:
    stack = slices(0, num_pages)
    write(tmp_path / "in" / "a.tif", stack, **options)
    outcome = run("predict", grey(tmp_path, in_channels=in_channels), "in", "--output=out")
    assert outcome.code == 0, outcome.err
    assert outcome.err == (f"{tmp_path / 'in' / 'a.tif'}: {said}\n" if said else "")
    masks = tifffile.imread(tmp_path / "out" / "masks" / "a.tif").reshape(-1, *SIZE)
    np.testing.assert_array_equal(masks, VALUES[labels(stack[:num_slices])])


def test_a_broken_slice_fails_its_stack_only(run: Run, tmp_path: Path) -> None:
    write_stacks(tmp_path, 1, 3)
    broken = tmp_path / "images" / "broken.tif"
    write(broken, slices(1, 3), compression="zlib", metadata={"axes": "ZYX"})
    with tifffile.TiffFile(broken) as file:
        (offset,) = file.pages[2].dataoffsets
    with broken.open("r+b") as stream:
        stream.seek(offset)
        stream.write(bytes(99))
    short = (tmp_path / "images" / "stack0.tif").read_bytes()
    (tmp_path / "images" / "cut.tif").write_bytes(short[:-200])
    outcome = run("predict", grey(tmp_path), "images", "--output=out")
    assert outcome.code == 1
    assert outcome.out.startswith("3 images predicted in ")
    assert "cut.tif: cannot be read as an image (it is truncated: some of its pages are missing)" in outcome.err
    assert "broken.tif: cannot be read as an image" in outcome.err
    assert [path.name for path in (tmp_path / "out" / "masks").iterdir()] == ["stack0.tif"]
