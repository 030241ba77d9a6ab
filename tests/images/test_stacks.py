"""TIFF stacks: their slices are samples; bands, overviews and masks of other pages are not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from seglit.callbacks.record import RunRecord
from seglit.data import Cache, FolderDataModule
from seglit.errors import InputError
from seglit.images.pairs import SPLITS
from tests.images.stack_files import SIZE, Array, labels, slices, write, write_stacks

SHARES = {"val": 0.25, "test": 0.25}


def module(root: Path, **settings: Any) -> FolderDataModule:
    folders = {"images": "images", "masks": "masks", "splits": SHARES, "in_channels": 1}
    return FolderDataModule(str(root), ["dark", "bright"], **{**folders, **settings})


def names(data: FolderDataModule) -> dict[str, list[str]]:
    return {split: [pair.name for pair in data.pairs_of(split)] for split in SPLITS if data.has_split(split)}


def read_all(data: FolderDataModule) -> dict[str, tuple[Array, Array]]:
    read = {}
    for dataset in (data.dataset(split) for split in SPLITS if data.has_split(split)):
        for index in range(len(dataset)):
            image, mask, name = dataset.read(index)
            read[name] = image, mask
    return read


def read_one(root: Path, image: Array, mask: Array, **settings: Any) -> dict[str, tuple[Array, Array]]:
    """Reads the slices of a stack, whose mask is written without axes."""
    write(root / "masks" / "a.tif", mask)
    return read_all(module(root, splits={"val": 0.0}, **settings))


def test_slices_are_samples(tmp_path: Path) -> None:
    written = write_stacks(tmp_path)
    read = read_all(module(tmp_path, cache=Cache(str(tmp_path / "cache"))))
    assert read.keys() == written.keys()
    for name, (image, mask) in written.items():
        np.testing.assert_array_equal(read[name][0][..., 0], image)
        np.testing.assert_array_equal(read[name][1], mask)


def test_slices_of_a_stack_are_a_group(tmp_path: Path) -> None:
    write_stacks(tmp_path)
    data = module(tmp_path)
    (stack,) = {name.partition("[")[0] for name in names(data)["test"]}
    assert data.groups("test") == {f"{stack}[{page}]": stack for page in range(6)}


def test_each_slice_has_its_cache_entry(tmp_path: Path) -> None:
    written = write_stacks(tmp_path, 1, 3)
    dataset, cache = module(tmp_path, splits={"val": 0.0}).dataset("train"), Cache(str(tmp_path / "cache"))
    for _ in range(2):
        for index in range(3):
            image, _, name = cache.read(dataset, index)
            np.testing.assert_array_equal(image[..., 0], written[name][0])
    assert len(list((tmp_path / "cache").glob("*.pair"))) == 3


def as_pages(path: Path, stack: Array) -> None:
    """One call per page, which tifffile counts as as many series."""
    with tifffile.TiffWriter(path) as file:
        for page in stack:
            file.write(page, photometric="minisblack")


def as_compressed(path: Path, stack: Array) -> None:
    first, *others = (Image.fromarray(page) for page in stack)
    first.save(path, save_all=True, append_images=others, compression="tiff_adobe_deflate")


WRITERS: dict[str, Callable[[Path, Array], object]] = {
    "no metadata": lambda path, a: write(path, a, metadata=None),
    "big-endian": lambda path, a: write(path, a, byteorder=">", bigtiff=True),
    "axes ZYX": lambda path, a: write(path, a, metadata={"axes": "ZYX"}),
    "OME": lambda path, a: write(path, a, ome=True, metadata={"axes": "TYX"}),
    "ImageJ without directories": lambda path, a: write(path, a, imagej=True, truncate=True),
    "tifffile without directories": lambda path, a: write(path, a, truncate=True),
    "a call per page": as_pages,
    "Pillow": as_compressed,
}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_ways_to_write_a_stack(tmp_path: Path, writer: str, dtype: str) -> None:
    stack = slices(0, 5, dtype=dtype)
    (tmp_path / "images").mkdir()
    WRITERS[writer](tmp_path / "images" / "a.tif", stack)
    settings = {"mean": [0.0], "std": [1.0]} if dtype == "uint16" else {}
    read = read_one(tmp_path, stack, labels(stack), **settings)
    assert list(read) == [f"a[{page}]" for page in range(5)]
    for page, (image, mask) in enumerate(read.values()):
        np.testing.assert_array_equal(image[..., 0], stack[page])
        np.testing.assert_array_equal(mask, labels(stack)[page])
        assert image.dtype == dtype


@pytest.mark.parametrize("options", [{"ome": True}, {"imagej": True}])
@pytest.mark.parametrize("axes", ["TZCYX", "TZYX"])
def test_stated_axes(tmp_path: Path, axes: str, options: dict[str, bool]) -> None:
    """T and Z are slices, C are channels."""
    stack = slices(0, 2, 3, 2) if "C" in axes else slices(0, 2, 3)
    write(tmp_path / "images" / "a.tif", stack, metadata={"axes": axes}, **options)
    flat = stack.reshape(6, -1, *SIZE)
    read = read_one(tmp_path, stack, labels(flat[:, 0]), in_channels=flat.shape[1])
    assert list(read) == [f"a[{page}]" for page in range(6)]
    for page, (image, _) in enumerate(read.values()):
        np.testing.assert_array_equal(image, np.moveaxis(flat[page], 0, -1))


def test_channels_before_slices(tmp_path: Path) -> None:
    stack = slices(0, 2, 5)
    write(tmp_path / "images" / "a.tif", stack, ome=True, metadata={"axes": "CZYX"})
    read = read_one(tmp_path, stack, labels(stack[0]), in_channels=2)
    np.testing.assert_array_equal(read["a[3]"][0], np.moveaxis(stack[:, 3], 0, -1))


def test_rgb_pages_and_palettes_are_slices(tmp_path: Path) -> None:
    pages = [np.moveaxis(slices(seed, 3), 0, -1) for seed in range(4)]
    (tmp_path / "images").mkdir()
    write(tmp_path / "images" / "a.tif", np.stack(pages), photometric="rgb")
    palette = [Image.fromarray(labels(page[..., 0]) * 7) for page in pages]
    for picture in palette:
        picture.putpalette([0, 0, 0] * 7 + [255, 0, 0])
    (tmp_path / "masks").mkdir()
    palette[0].save(tmp_path / "masks" / "a.tif", save_all=True, append_images=palette[1:])
    colors = {"dark": [0, 0, 0], "bright": [255, 0, 0]}
    read = read_all(module(tmp_path, in_channels=3, mask_colors=colors, splits={"val": 0.0}))
    for page, (image, mask) in enumerate(read.values()):
        np.testing.assert_array_equal(image, pages[page])
        np.testing.assert_array_equal(mask, labels(pages[page][..., 0]))


def test_overviews_and_masks_of_pages_are_no_slices(tmp_path: Path) -> None:
    image = slices(0, 8).reshape(-1, SIZE[1])
    (tmp_path / "images").mkdir()
    for name, in_sub_directories in (("chain", False), ("sub", True)):
        with tifffile.TiffWriter(tmp_path / "images" / f"{name}.tif") as file:
            options: Any = {"photometric": "minisblack", "metadata": None}
            file.write(image, subifds=1 if in_sub_directories else 0, **options)
            file.write(image[::2, ::2].copy(), subfiletype=1, **options)
            file.write(image > 9, subfiletype=4, photometric=4, metadata=None)
        Image.fromarray(labels(image)).save(tmp_path / "images" / f"{name}.png")
    settings = {"images": "images", "masks": "images", "image_name": "{stem}.tif", "mask_name": "{stem}.png"}
    read = read_all(module(tmp_path, splits={"val": 0.0}, **settings))
    assert list(read) == ["chain", "sub"]
    for shown, _ in read.values():
        np.testing.assert_array_equal(shown[..., 0], image)


@pytest.mark.parametrize("options", [{}, {"ome": True, "metadata": {"axes": "CYX"}}, {"planarconfig": "separate"}])
def test_pages_beside_one_mask_are_bands(tmp_path: Path, options: dict[str, Any]) -> None:
    stack = slices(0, 5)
    write(tmp_path / "images" / "a.tif", stack, **options)
    read = read_one(tmp_path, stack, labels(stack[0]), in_channels=5)
    assert list(read) == ["a"]
    np.testing.assert_array_equal(read["a"][0], np.moveaxis(stack, 0, -1))
    with pytest.raises(InputError, match=r"a.tif: has 5 bands of uint8, but in_channels is 3"):
        read_one(tmp_path, stack, labels(stack[0]), in_channels=3)


@pytest.mark.parametrize(
    ("image", "mask", "message"),
    [
        (6, 5, r"stack.tif: has 6 slices, but its mask \S*masks/stack.tif has 5 slices"),
        (6, 1, r"stack.tif: has 6 slices, but its mask \S*masks/stack.tif has 1 page"),
        (1, 6, r"stack.tif: has 1 page, but its mask \S*masks/stack.tif has 6 slices"),
    ],
)
def test_uneven_stacks_are_errors(tmp_path: Path, image: int, mask: int, message: str) -> None:
    for folder, count in (("images", image), ("masks", mask)):
        axes = {"metadata": {"axes": "ZYX"}} if count > 1 else {}
        write(tmp_path / folder / "stack.tif", slices(0, count) if count > 1 else slices(0), **axes)
    with pytest.raises(InputError, match=message):
        module(tmp_path).pairs_of("train")


def test_slices_stay_in_one_split(tmp_path: Path) -> None:
    write_stacks(tmp_path)
    for settings in ({"splits": SHARES}, {"splits": {"folds": 4, "fold": 2}}, {"group": "(.*)"}):
        for seed in range(3):
            splits = names(module(tmp_path, split_seed=seed, **settings))
            stacks = {split: {name.partition("[")[0] for name in listed} for split, listed in splits.items()}
            assert sum(map(len, splits.values())) == 24
            assert sum(map(len, stacks.values())) == 4
    wider = names(module(tmp_path, group="^(stack)[01]", splits={"val": 0.3}))
    assert {name[5] for name in wider["val"]} in ({"0", "1"}, {"2", "3"}, {"2"}, {"3"})


def test_too_few_stacks(tmp_path: Path) -> None:
    write_stacks(tmp_path, 2)
    with pytest.raises(InputError, match="slices of one stack stay together: 2 files are too few"):
        module(tmp_path).pairs_of("train")


def test_lists_name_stacks_or_slices(tmp_path: Path) -> None:
    write_stacks(tmp_path)
    (tmp_path / "train.txt").write_text("stack0\nimages/stack1.tif[4]\nstack1[2]\n")
    (tmp_path / "val.txt").write_text("images/stack2.tif masks/stack2.tif\n")
    lists = {"train": "train.txt", "val": "val.txt"}
    splits = names(module(tmp_path, splits=lists, exclude=["images/stack0.tif[1]"]))
    assert splits["train"] == [f"stack0[{page}]" for page in (0, 2, 3, 4, 5)] + ["stack1[4]", "stack1[2]"]
    assert splits["val"] == [f"stack2[{page}]" for page in range(6)]
    (tmp_path / "val.txt").write_text("stack1[0]\n")
    with pytest.raises(InputError, match="1 images are in more than one split"):
        module(tmp_path, splits=lists).pairs_of("train")
    (tmp_path / "val.txt").write_text("stack2[6]\n")
    with pytest.raises(InputError, match=r"have no image, first 'stack2\[6\]'"):
        module(tmp_path, splits=lists).pairs_of("train")


@pytest.mark.parametrize("layout", ["flat", "split folders"])
def test_lists_of_a_run_are_taken_back(tmp_path: Path, layout: str) -> None:
    settings: dict[str, Any] = {}
    if layout == "flat":
        write_stacks(tmp_path)
    else:
        for split in ("train", "val"):
            write_stacks(tmp_path / split, 2)
        settings = {"images": "{split}/images", "masks": "{split}/masks", "splits": None}
    data = module(tmp_path, **settings)
    RunRecord._write_splits(tmp_path / "splits", data)
    lists = {path.stem: f"splits/{path.name}" for path in (tmp_path / "splits").iterdir()}
    again = module(tmp_path, **{**settings, "splits": lists})
    for split in (split for split in SPLITS if split in lists):
        former, latter = ([pair[:2] + pair[-1:] for pair in each.pairs_of(split)] for each in (data, again))
        assert former == latter
        listed = (tmp_path / "splits" / f"{split}.txt").read_text().splitlines()
        expected = [line.removeprefix("images/" * (layout == "flat")).replace(".tif", "") for line in listed]
        assert [pair.name for pair in again.pairs_of(split)] == expected
