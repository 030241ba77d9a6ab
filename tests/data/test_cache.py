"""The cache of decoded pairs: equal to reading without it, never stale, bounded, and sound whatever happens to it."""

import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from PIL import ExifTags, Image
from scipy.io import savemat

from seglit.annotations import Coco, Labelme
from seglit.data import AnnotationDataModule, Cache, FolderDataModule, SegmentationDataModule
from seglit.data.dataset import SegmentationDataset
from seglit.data.file_dataset import FolderDataset
from seglit.data.public.voc_sbd import VOCWithSBDDataset
from seglit.data.samples import Samples
from seglit.data.synthetic import SyntheticDataset
from seglit.drawing.shapes import LABELS
from seglit.images.formats import PIXEL_TYPES
from seglit.images.pairs import Pair
from seglit.images.read import PairReader
from seglit.labels import Labels

SIZE = (20, 28)
ENTRY = 64 + 20 * 28 * 4  # bytes of a pair of 8-bit RGB
CLASSES = ["a", "b", "c"]


def save(file: Path, array: npt.NDArray[Any], orientation: int = 1) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".npy":
        np.save(file, array)
    elif file.suffix == ".tif":
        tifffile.imwrite(file, array, photometric="minisblack", compression="zlib")
    else:
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        Image.fromarray(array).save(file, exif=exif) if orientation > 1 else Image.fromarray(array).save(file)


def write(root: Path, count: int) -> Path:
    """Pairs as most come: JPEG, and PNG of class indices."""
    for index, (image, mask, name) in enumerate(map(SyntheticDataset(count, size=SIZE).read, range(count))):
        assert name == f"{index:05d}"
        save(root / f"images/train/{name}.jpg", image)
        save(root / f"masks/train/{name}.png", mask)
    return root


def shapes(root: Path, cache: Cache | None = None, **settings: Any) -> FolderDataModule:
    settings = {"num_workers": 0, **settings}
    return FolderDataModule(str(root), list(LABELS.class_names), cache=cache, **settings)


class CachedDataset(SegmentationDataset):
    """A data set as it is read through a cache."""

    def __init__(self, dataset: SegmentationDataset, cache: Cache) -> None:
        self.dataset = dataset
        self.cache = cache

    def __len__(self) -> int:
        return len(self.dataset)

    def read(self, index: int) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8], str]:
        return self.cache.read(self.dataset, index)


def cached(data: SegmentationDataModule) -> CachedDataset:
    """What the training loader reads."""
    samples = data.train_dataloader().dataset
    assert isinstance(samples, Samples)
    assert samples.cache is not None
    return CachedDataset(samples.dataset, samples.cache)


def same(one: SegmentationDataset, other: SegmentationDataset) -> bool:
    """Whether both read the same pairs, bit for bit."""
    pairs = [zip(one.read(index), other.read(index), strict=True) for index in range(len(one))]
    return len(one) == len(other) and all(
        a == b if isinstance(a, str) else (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
        for pair in pairs
        for a, b in cast(Any, pair)
    )


def entries(cache: Cache) -> list[Path]:
    return sorted(Path(cache.folder).glob("*.pair"))


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(str(tmp_path / "cache"))


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the pairs that were decoded from their files, in order."""
    names: list[str] = []
    read = FolderDataset.read

    def spy(dataset: FolderDataset, index: int) -> Any:
        names.append(dataset.pairs[index].name)
        return read(dataset, index)

    monkeypatch.setattr(FolderDataset, "read", spy)
    return names


@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("dtype", PIXEL_TYPES)
def test_all_image_dtypes(tmp_path: Path, cache: Cache, decoded: list[str], dtype: str, channels: int) -> None:
    image = np.random.default_rng(0).uniform(-9 if dtype == "int16" else 0, 99, (*SIZE, channels)).astype(dtype)
    save(tmp_path / f"images/train/a{'.npy' if channels == 3 else '.tif'}", image)
    save(tmp_path / "masks/train/a.png", np.ones(SIZE, np.uint8))
    settings: dict[str, Any] = {"in_channels": channels, "mean": [1.0], "std": [1.0]}
    plain = shapes(tmp_path, **settings).dataset("train")
    np.testing.assert_array_equal(plain.read(0)[0], image)
    decoded.clear()
    for _ in range(2):
        dataset = cached(shapes(tmp_path, cache, **settings))
        assert decoded == ["a"]  # and never again
        assert dataset.read(0)[0].tobytes() == image.tobytes()
        assert dataset.read(0)[0].dtype == dtype
        assert dataset.read(0)[2] == "a"


INDICES = np.random.default_rng(0).integers(0, 3, SIZE, np.uint8)
COLORS = np.array([[0, 0, 0], [200, 10, 10], [9, 9, 250]], np.uint8)
CODINGS: dict[str, tuple[npt.NDArray[Any], dict[str, Any]]] = {
    "index.png": (INDICES, {}),
    "wide.tif": (INDICES.astype(np.uint16) * 1000, {"mask_values": {"a": 0, "b": 1000, "c": 2000}}),
    "color.png": (COLORS[INDICES], {"mask_colors": dict(zip(CLASSES, COLORS.tolist(), strict=True))}),
    "near.png": (INDICES * 50, {"mask_values": {"a": 0, "b": 60, "c": 200}, "mask_tolerance": 20}),
    "void.npy": (INDICES, {"mask_values": {"a": 0, "b": 1, "c": 7}, "ignore_values": [2]}),
}


def test_all_mask_encodings(tmp_path: Path, cache: Cache) -> None:
    lying = np.random.default_rng(1).integers(0, 256, (*SIZE, 3), np.uint8)
    for file, (stored, settings) in CODINGS.items():
        root = tmp_path / file
        save(root / f"images/train/{Path(file).stem}.jpg", lying, orientation=6)
        save(root / "masks/train" / file, stored)
        data = FolderDataModule(str(root), CLASSES, num_workers=0, cache=cache, **settings)
        assert data.dataset("train").read(0)[1].shape == SIZE[::-1]
        assert same(cached(data), data.dataset("train"))
        assert same(cached(data), data.dataset("train"))
    assert len(entries(cache)) == len(CODINGS)


def test_batches_from_workers(tmp_path: Path, cache: Cache) -> None:
    settings: dict[str, Any] = {"crop_size": (16, 16), "batch_size": 2, "splits": {"val": 0.34}}
    plain = shapes(write(tmp_path / "data", 6), **settings)
    for num_workers in (0, 1):
        data = shapes(tmp_path / "data", cache, **{**settings, "num_workers": num_workers})
        whole = [[batch for batches in each.val_dataloader() for batch in batches] for each in (data, plain)]
        for loaded in ((data.train_dataloader(), plain.train_dataloader()), whole):
            for one, other in zip(*loaded, strict=True):
                assert one["name"] == other["name"]
                assert one["image"].equal(other["image"])
                assert one["mask"].equal(other["mask"])
    assert len(entries(cache)) == 6


@pytest.mark.parametrize("kind", ["images", "masks"])
def test_changed_file_with_same_size_and_mtime(tmp_path: Path, cache: Cache, kind: str) -> None:
    save(tmp_path / "images/train/a.npy", np.ones((*SIZE, 3), np.uint8))
    save(tmp_path / "masks/train/a.npy", np.ones(SIZE, np.uint8))
    data, file = shapes(tmp_path, cache), tmp_path / kind / "train/a.npy"
    dataset, before = cached(data), file.stat()
    save(file, np.load(file) * 4)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert max(array.max() for array in dataset.read(0)[:2]) == 4
    assert same(dataset, data.dataset("train"))


def test_file_changed_while_decoding(tmp_path: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    file, ones = tmp_path / "images/train/a.npy", np.ones((*SIZE, 3), np.uint8)
    save(file, ones * 2)
    save(tmp_path / "masks/train/a.npy", ones[..., 0])
    data, read = shapes(tmp_path, cache), FolderDataset.read

    def read_another(dataset: FolderDataset, index: int) -> Any:
        save(file, ones)
        return read(dataset, index)

    with monkeypatch.context() as patched:
        patched.setattr(FolderDataset, "read", read_another)
        cached(data)
    save(file, ones * 2)
    assert cached(data).read(0)[0].max() == 2


def test_changed_settings(tmp_path: Path, cache: Cache) -> None:
    save(tmp_path / "images/train/a.png", np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8))
    save(tmp_path / "masks/train/a.png", INDICES)
    ways: list[dict[str, Any]] = [
        {},
        {"in_channels": 1},
        {"mask_values": {"a": 1, "b": 0, "c": 2}},
        {"mask_values": {"a": [0, 1], "b": 2, "c": 3}},
        {"mask_values": {"a": 0, "b": 1, "c": 9}, "ignore_values": [2]},
        {"mask_values": {"a": 0, "b": 3, "c": 9}, "mask_tolerance": 1},
        {"mask_values": {"a": 0, "b": 3, "c": 9}, "mask_tolerance": 2},
        {"mask_divisor": 2},
        {"mask_orientation": "stored"},
        {"resize_masks": True},
    ]
    for _ in range(2):
        for way in ways:
            data = FolderDataModule(str(tmp_path), CLASSES, num_workers=0, cache=cache, **way)
            assert same(cached(data), data.dataset("train"))
    assert len(entries(cache)) == len(ways)


def test_changed_code(tmp_path: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = shapes(write(tmp_path, 1)).pairs_of("train")
    for added in (1, 2):
        code = tmp_path / f"version_{added}" / "mine.py"
        code.parent.mkdir()
        code.write_text(
            "from seglit.data import FolderDataset\n"
            "class Mine(FolderDataset):\n"
            "    def read(self, index):\n"
            "        image, mask, name = super().read(index)\n"
            f"        return 0 * image + {added}, mask, name\n"
        )
        spec = importlib.util.spec_from_file_location("mine", code)
        assert spec is not None
        assert spec.loader is not None
        mine = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "mine", mine)
        spec.loader.exec_module(mine)
        for _ in range(2):
            assert (CachedDataset(mine.Mine(pairs, PairReader(LABELS, 3)), cache).read(0)[0] == added).all()


def test_changed_annotations(tmp_path: Path, cache: Cache) -> None:
    save(tmp_path / "images/train/a.jpg", np.full((*SIZE, 3), 90, np.uint8))
    (tmp_path / "annotations").mkdir()
    for right in (10, 20):
        box = [2, 2, right, 2, right, 9, 2, 9]
        entry = {"id": 1, "file_name": "a.jpg", "height": SIZE[0], "width": SIZE[1]}
        region = {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [box]}
        coco = {"images": [entry], "annotations": [region], "categories": [{"id": 1, "name": "b"}]}
        shape = {"label": "b", "points": [[2, 2], [right, 2], [right, 9]]}
        (tmp_path / "annotations/train.json").write_text(json.dumps(coco))
        (tmp_path / "images/train/a.json").write_text(json.dumps({"shapes": [shape]}))
        for background in ("a", None):
            settings: dict[str, Any] = {"background": background, "num_workers": 0, "cache": cache}
            names = ["a", "b"] if background else ["b"]
            for data in (
                AnnotationDataModule(str(tmp_path), Coco(), names, **settings),
                AnnotationDataModule(str(tmp_path), Labelme(), names, **settings),
            ):
                assert same(cached(data), data.dataset("train"))
                assert same(cached(data), data.dataset("train"))
    assert len(entries(cache)) == 8


def test_matlab_masks(tmp_path: Path, cache: Cache) -> None:
    pair = Pair(tmp_path / "a.jpg", tmp_path / "a.mat", "a")
    save(pair.image, np.full((*SIZE, 3), 90, np.uint8))
    plain = VOCWithSBDDataset([pair], PairReader(Labels.create(CLASSES), 3))
    for mask in (INDICES, 2 - INDICES):
        savemat(pair.mask, {"GTcls": {"Segmentation": mask}})
        assert same(CachedDataset(plain, cache), plain)
        assert (CachedDataset(plain, cache).read(0)[1] == mask).all()


def test_cached_arrays_are_writable(tmp_path: Path, cache: Cache) -> None:
    data = shapes(write(tmp_path, 1), cache)
    for _ in range(3):
        dataset = cached(data)
        assert same(dataset, data.dataset("train"))
        for array in dataset.read(0)[:2]:
            cast(Any, array)[:] = 7
