"""Public data sets, in tiny trees of the real layout: classes and void are right, splits too, and what is missing."""

import hashlib
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import yaml
from PIL import Image
from scipy.io import savemat

from seglit.config.named_configs import find_config
from seglit.data import SegmentationDataModule, archives
from seglit.errors import InputError
from seglit.images.pairs import Split
from seglit.runs.build import build

Mask = npt.NDArray[np.uint8]
SPLITS: tuple[Split, ...] = ("train", "val", "test")


def public(name: str, root: Path, **settings: Any) -> SegmentationDataModule:
    """The data module that configs/data/NAME.yaml describes, without its augmentation."""
    config = yaml.safe_load(find_config("data", name).read_text(encoding="utf-8"))
    given = {**config["init_args"], "augment": None, "num_workers": 0, "root": str(root), **settings}
    return build(SegmentationDataModule, {**config, "init_args": given}, name)  # type: ignore[type-abstract]


def grid(*values: int) -> Mask:
    """A mask of two rows that hold the values, one a column."""
    return np.array([values, values], np.uint8)


def write_pair(image: Path, mask: Path, stored: Mask, palette: bool = False) -> None:
    for file in (image, mask):
        file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*stored.shape, 3), 90, np.uint8)).save(image)
    picture = Image.fromarray(stored)
    if palette:  # in colours that are no class's, because indices are what counts
        picture.putpalette(bytes(range(255, -1, -1)) * 3)
    picture.save(mask)


def write_list(file: Path, *lines: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{line}\n" for line in lines))


def read(data: SegmentationDataModule, split: Split) -> dict[str, list[int]]:
    """Every name of a split with the class indices of its mask's first row."""
    dataset = data.dataset(split)
    rows = [dataset.read(index) for index in range(len(dataset))]
    assert all(image.shape == (*mask.shape, 3) and image.dtype == np.uint8 for image, mask, _ in rows)
    assert all((mask[0] == mask[1]).all() for _, mask, _ in rows)
    return {name: mask[0].tolist() for _, mask, name in rows}


def refusal(build: Callable[[], object]) -> str:
    with pytest.raises(InputError) as error:
        build()
    assert "\n" not in str(error.value)
    return str(error.value)


def write_voc(root: Path) -> Path:
    tree = root / "VOCdevkit" / "VOC2012"
    for name, stored in {"2007_01": grid(0, 15, 255, 20), "2007_02": grid(1, 1), "2008_03": grid(7, 255)}.items():
        write_pair(tree / f"JPEGImages/{name}.jpg", tree / f"SegmentationClass/{name}.png", stored, palette=True)
    Image.new("RGB", (4, 2)).save(tree / "JPEGImages/2009_04.jpg")  # most of its images have no mask
    write_list(tree / "ImageSets/Segmentation/train.txt", "2007_02", "2007_01")
    write_list(tree / "ImageSets/Segmentation/val.txt", "2008_03")
    return root


def test_voc(tmp_path: Path) -> None:
    data = public("voc", write_voc(tmp_path))
    assert read(data, "train") == {"2007_02": [1, 1], "2007_01": [0, 15, 255, 20]}
    assert read(data, "val") == {"2008_03": [7, 255]}
    assert (data.labels.class_names[15], data.labels.class_names[20]) == ("person", "tvmonitor")
    assert [data.has_split(split) for split in SPLITS] == [True, True, False]
    assert "no images for the split 'test'" in refusal(lambda: data.dataset("test"))


def test_voc_palette_matches_the_devkit(tmp_path: Path) -> None:
    def color(index: int) -> tuple[int, ...]:  # VOCcolormap.m: the index's bits, dealt out to the channels from the top
        return tuple(sum((index >> 3 * bit + channel & 1) << 7 - bit for bit in range(8)) for channel in range(3))

    assert public("voc", write_voc(tmp_path)).labels.palette == tuple(color(index) for index in range(21))


def test_sbd_adds_images_that_voc_lacks(tmp_path: Path) -> None:
    sbd = write_voc(tmp_path) / "benchmark_RELEASE" / "dataset"
    for name in ("2007_01", "2008_03", "2009_04", "2010_05"):
        write_pair(sbd / f"img/{name}.jpg", sbd / "unused.png", grid(0, 0))
        (sbd / "cls").mkdir(exist_ok=True)
        inside = {"Boundaries": np.zeros((20, 1)), "Segmentation": grid(0, 5), "CategoriesPresent": np.array([5])}
        savemat(sbd / f"cls/{name}.mat", {"GTcls": inside}, do_compression=True)
    write_list(sbd / "train.txt", "2010_05", "2007_01")
    write_list(sbd / "val.txt", "2008_03", "2009_04")
    data = public("voc-sbd", tmp_path)
    own = {"2007_02": [1, 1], "2007_01": [0, 15, 255, 20]}
    assert read(data, "train") == {**own, "2009_04": [0, 5], "2010_05": [0, 5]}
    assert read(data, "val") == {"2008_03": [7, 255]}
    Image.new("RGB", (5, 2)).save(sbd / "img/2009_04.jpg")
    assert "2009_04.mat: the mask is 2 x 2 pixels" in refusal(lambda: read(data, "train"))


# Training ids of the ids that are scored, as the benchmark's labels.py has them.
SCORED = [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]


def write_cityscapes(root: Path) -> Path:
    for split, city in (("train", "aachen"), ("train", "zurich"), ("val", "ulm"), ("test", "bonn")):
        name = f"{city}_000000_000019"
        image, masks = root / f"leftImg8bit/{split}/{city}/{name}_leftImg8bit.png", root / f"gtFine/{split}/{city}"
        write_pair(image, masks / f"{name}_gtFine_labelIds.png", grid(*range(34)))
        for other in ("color", "instanceIds", "labelTrainIds"):
            Image.new("L", (34, 2), 99).save(masks / f"{name}_gtFine_{other}.png")
    return root


def test_cityscapes(tmp_path: Path) -> None:
    data = public("cityscapes", write_cityscapes(tmp_path))
    row = [SCORED.index(stored) if stored in SCORED else 255 for stored in range(34)]
    assert read(data, "train") == {f"{city}/{city}_000000_000019_leftImg8bit": row for city in ("aachen", "zurich")}
    assert read(data, "val") == {"ulm/ulm_000000_000019_leftImg8bit": row}
    assert not data.has_split("test")
    assert data.labels.class_names[::6] == ("road", "traffic light", "rider", "bicycle")
    assert data.labels.palette[0] == (128, 64, 128)


def test_cityscapes_training_ids_are_rejected(tmp_path: Path) -> None:
    write_cityscapes(tmp_path)
    for file in tmp_path.rglob("*_labelIds.png"):
        file.unlink()
    message = refusal(lambda: public("cityscapes", tmp_path).dataset("val"))
    assert "its mask aachen/aachen_000000_000019_gtFine_labelIds.png is not in" in message


def test_ade20k(tmp_path: Path) -> None:
    tree = tmp_path / "ADEChallengeData2016"
    made = {"training/ADE_train_2": grid(0, 1, 150), "training/ADE_train_1": grid(13), "validation/ADE_val_1": grid(0)}
    for name, stored in made.items():
        write_pair(tree / "images" / f"{name}.jpg", tree / "annotations" / f"{name}.png", stored)
    data = public("ade20k", tmp_path)
    assert read(data, "train") == {"ADE_train_1": [12], "ADE_train_2": [255, 0, 149]}
    assert read(data, "val") == {"ADE_val_1": [255]}
    assert not data.has_split("test")
    assert (data.num_classes, len(set(data.labels.class_names))) == (150, 150)
    assert [data.labels.class_names[index] for index in (0, 12, 149)] == ["wall", "person", "flag"]
    assert [data.labels.palette[index] for index in (0, 12, 149)] == [(120, 120, 120), (150, 5, 61), (92, 0, 255)]


LISTS = {"train": "trainval", "test": "test"}


def write_pet(root: Path) -> Path:
    tree = root / "oxford-iiit-pet"
    names = {"trainval": [f"Abyssinian_{index}" for index in range(10)], "test": ["pug_1", "pug_2"]}
    for name in (*names["trainval"], *names["test"]):
        write_pair(tree / f"images/{name}.jpg", tree / f"annotations/trimaps/{name}.png", grid(1, 2, 3))
        (tree / f"annotations/trimaps/._{name}.png").touch()  # the archive has these, and they are no pictures
    for list_name, listed in names.items():
        write_list(tree / f"annotations/{list_name}.txt", *(f"{name} 1 1 1" for name in listed))
    return root


@pytest.mark.parametrize(
    ("settings", "row"),
    [
        ({}, [1, 0, 255]),
        ({"mask_values": {"background": 2, "pet": [1, 3]}, "ignore_values": []}, [1, 0, 1]),
    ],
)
def test_pet(tmp_path: Path, settings: dict[str, Any], row: list[int]) -> None:
    data = public("pet", write_pet(tmp_path), **settings)
    assert read(data, "test") == {"pug_1": row, "pug_2": row}
    assert data.labels.class_names == ("background", "pet")


def test_pet_val_is_drawn_from_trainval_by_split_seed(tmp_path: Path) -> None:
    def names(share: float, **settings: Any) -> list[set[str]]:
        lists = {split: f"oxford-iiit-pet/annotations/{file}.txt" for split, file in LISTS.items()}
        data = public("pet", tmp_path, splits={**lists, "val": share}, **settings)
        return [set(read(data, split)) for split in SPLITS]

    write_pet(tmp_path)
    train, val, test = names(0.3)
    assert (len(train), len(val), len(test)) == (7, 3, 2)
    assert train | val == {f"Abyssinian_{index}" for index in range(10)}
    assert names(0.3, seed=9) == [train, val, test]
    assert names(0.3, split_seed=1)[1] != val
    write_list(
        tmp_path / "oxford-iiit-pet/annotations/trainval.txt", *(f"Abyssinian_{9 - index}" for index in range(10))
    )
    assert names(0.3) == [train, val, test]


@pytest.mark.parametrize(
    ("name", "folders", "source"),
    [
        ("voc", "VOCdevkit/VOC2012", "set `download: true`, or download https://thor.robots"),
        ("voc-sbd", "VOCdevkit/VOC2012, benchmark_RELEASE/dataset", "benchmark.tgz"),
        (
            "cityscapes",
            "leftImg8bit, gtFine",
            "download https://www.cityscapes-dataset.com/downloads and unpack it there",
        ),
        ("ade20k", "ADEChallengeData2016", "set `download: true`, or"),
        ("pet", "oxford-iiit-pet/images, oxford-iiit-pet/annotations", "set `download: true`, or"),
    ],
)
def test_missing_folders_name_their_archives(tmp_path: Path, name: str, folders: str, source: str) -> None:
    message = refusal(lambda: public(name, tmp_path / "nothing"))
    assert f"data root {tmp_path / 'nothing'}: no folder {folders}; " in message
    assert source in message


def test_incomplete_folders_are_rejected_before_training(tmp_path: Path) -> None:
    tree = write_voc(tmp_path) / "VOCdevkit" / "VOC2012"
    (tree / "SegmentationClass" / "2007_01.png").unlink()
    data = public("voc", tmp_path)
    assert "2007_01.jpg: its mask 2007_01.* is not in" in refusal(lambda: data.dataset("train"))
    (tree / "ImageSets/Segmentation/val.txt").unlink()
    assert "val.txt is not a file" in refusal(lambda: public("voc", tmp_path).dataset("val"))


def archive(url: str, md5: str) -> dict[str, Any]:
    return {"download": True, "archives": [{"path": "VOCdevkit/VOC2012", "url": url, "md5": md5}]}


def test_downloads_are_unpacked(tmp_path: Path) -> None:
    root = tmp_path / "data"
    root.mkdir()
    with tarfile.open(root / "voc.tar", "w") as tar:  # with this checksum it need not be fetched
        tar.add(write_voc(tmp_path / "made") / "VOCdevkit", "VOCdevkit")
    digest = hashlib.md5((root / "voc.tar").read_bytes()).hexdigest()
    settings = archive("https://seglit.invalid/voc.tar", digest)
    data = public("voc", root, **settings)
    data.prepare_data()
    assert read(data, "val") == {"2008_03": [7, 255]}
    assert {entry.name for entry in root.iterdir()} == {"voc.tar", "VOCdevkit"}
    (root / "voc.tar").unlink()
    public("voc", root, **settings).prepare_data()  # what is there is not fetched again


def test_interrupted_unpacking_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop_halfway(url: str, download_root: Path, extract_root: str, md5: str) -> None:
        (Path(extract_root) / "VOCdevkit" / "VOC2012" / "JPEGImages").mkdir(parents=True)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archives, "download_and_extract_archive", stop_halfway)
    data = public("voc", tmp_path, download=True)
    assert "No space left on device" in refusal(data.prepare_data)
    assert not any(tmp_path.iterdir())
    assert "no folder VOCdevkit/VOC2012;" in refusal(lambda: data.dataset("train"))


def test_download_without_network_is_one_line(tmp_path: Path) -> None:
    address = "http://127.0.0.1:9/voc.tar"  # where nobody listens
    data = public("voc", tmp_path, **archive(address, "0" * 32))
    message = refusal(data.prepare_data)
    assert f"cannot download {address} (" in message
    assert f"unpack it so that {tmp_path / 'VOCdevkit/VOC2012'} exists" in message
    assert not (tmp_path / "VOCdevkit").exists()


def test_public_set_batches(tmp_path: Path) -> None:
    data = public("pet", write_pet(tmp_path), batch_size=4, crop_size=[2, 2])
    batch = next(iter(data.train_dataloader()))
    assert batch["image"].shape == (4, 3, 2, 2)
    assert batch["mask"].shape == (4, 2, 2)
