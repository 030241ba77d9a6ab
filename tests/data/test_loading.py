"""From data module to batches: what is drawn for a sample, over epochs, workers, ranks and after resuming."""

import pickle
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import Mock

import albumentations as A
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from pytorch_lightning.strategies import DDPStrategy, ModelParallelStrategy, SingleDeviceStrategy
from torch.utils.data import DataLoader

import seglit.data
from seglit.data import Augment, Batch, FolderDataModule, Sample, SegmentationDataModule, SyntheticDataModule
from seglit.data.batch import collate, collate_by_size
from seglit.data.dataset import SegmentationDataset
from seglit.data.samples import Samples
from seglit.data.sampling import SampleKey
from seglit.data.synthetic import SyntheticDataset
from seglit.drawing.shapes import LABELS, write_folder
from seglit.errors import InputError
from seglit.images.pairs import Split
from seglit.labels import IGNORE_INDEX
from tests.conftest import Run

# On a machine with one core.
pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")


def augment() -> Augment:
    return Augment((0.8, 1.2), [A.HorizontalFlip(), A.OneOf([A.Rotate(p=1), A.GaussNoise(p=1)], p=0.8)])


def shapes(num_workers: int = 0, seed: int = 3, num_train: int = 7, **settings: Any) -> SyntheticDataModule:
    settings = {"size": (20, 24), "crop_size": (16, 18), "batch_size": 2, "augment": augment(), **settings}
    return SyntheticDataModule(num_train, 5, 3, num_workers=num_workers, seed=seed, **settings)


def epoch_of(loader: DataLoader[Sample], epoch: int) -> list[Batch]:
    """One epoch, which the sampler is told as Lightning tells it."""
    cast(Any, loader.sampler).set_epoch(epoch)
    return cast(list[Batch], list(loader))


def flat(loader: DataLoader[Sample]) -> list[Batch]:
    """The batches of an evaluation, of which the loader gives a list at a time."""
    return [batch for batches in cast(list[list[Batch]], list(loader)) for batch in batches]


def same(one: list[Batch], other: list[Batch]) -> bool:
    return len(one) == len(other) and all(
        a["name"] == b["name"] and a["image"].equal(b["image"]) and a["mask"].equal(b["mask"])
        for a, b in zip(one, other, strict=True)
    )


def test_samples_depend_on_seed_epoch_and_index_only() -> None:
    alone = shapes().train_dataloader()
    epochs = [epoch_of(alone, epoch) for epoch in range(3)]
    for num_workers in (1, 2):
        loader = shapes(num_workers).train_dataloader()  # its workers outlive an epoch
        assert all(same(epoch_of(loader, epoch), epochs[epoch]) for epoch in range(3))
    assert same(epoch_of(shapes().train_dataloader(), 2), epochs[2]), "a resumed run draws otherwise"


def test_another_seed_changes_order_and_crops() -> None:
    one, other = shapes(seed=3).train_dataloader(), shapes(seed=4).train_dataloader()
    assert [batch["name"] for batch in epoch_of(one, 0)] != [batch["name"] for batch in epoch_of(other, 0)]
    assert not one.dataset[0]["image"].equal(other.dataset[0]["image"])


def showing(loader: DataLoader[Sample], index: int, epochs: int) -> float:
    """The share of crops that show a class."""
    crops = [mask for epoch in range(epochs) for batch in epoch_of(loader, epoch) for mask in batch["mask"]]
    return float(np.mean([bool((mask == index).any()) for mask in crops]))


def test_rare_classes_appear_at_rare_rate() -> None:
    star = LABELS.class_names.index("star")
    settings: dict[str, Any] = {"num_train": 40, "size": (64, 64), "crop_size": (16, 16), "batch_size": 10}
    plain = showing(shapes(augment=augment(), **settings).train_dataloader(), star, 5)
    shares = {}
    for rate in (0.3, 1.0):
        augmented = Augment((0.8, 1.2), rare_rate=rate, rare_classes=["star"])
        shares[rate] = showing(shapes(augment=augmented, **settings).train_dataloader(), star, 5)
    assert plain < 0.15
    assert shares[0.3] == pytest.approx(0.3 + 0.7 * plain, abs=0.1)
    assert shares[1.0] > 0.99


def test_rare_class_crops_depend_on_seed_epoch_and_index_only() -> None:
    rare = Augment((0.8, 1.2), [A.GaussNoise(p=1)], rare_rate=0.7)
    epochs = [epoch_of(shapes(augment=rare, num_train=8).train_dataloader(), epoch) for epoch in range(2)]
    for num_workers in (1, 2):
        loader = shapes(num_workers, augment=rare, num_train=8).train_dataloader()
        assert all(same(epoch_of(loader, epoch), epochs[epoch]) for epoch in range(2))
    seen = [
        (name, image.numpy().tobytes())
        for batch in epochs[0]
        for name, image in zip(batch["name"], batch["image"], strict=True)
    ]
    assert len({name for name, _ in seen}) < len(seen) == len(set(seen)), "an image that came twice looked the same"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rare_rate": 1.5}, "from 0 to 1"),
        ({"rare_classes": ["star"]}, "rare_classes requires rare_rate"),
        ({"rare_rate": 0.5, "rare_classes": ["stars"]}, "did you mean 'star'"),
    ],
)
def test_invalid_rare_class_settings_are_rejected(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        shapes(augment=Augment(**settings)).train_dataloader()
    with pytest.raises(InputError, match="requires crop_size"):
        shapes(augment=Augment(rare_rate=0.5), crop_size=None).train_dataloader()


def test_augmentation_differs_between_epochs() -> None:
    loader = shapes(num_train=4).train_dataloader()
    looks: dict[str, set[bytes]] = {}
    for epoch in range(4):
        for batch in epoch_of(loader, epoch):
            for name, image in zip(batch["name"], batch["image"], strict=True):
                looks.setdefault(name, set()).add(image.numpy().tobytes())
    assert {name: len(seen) for name, seen in looks.items()} == dict.fromkeys(looks, 4)
    assert len(looks) == 4


class Positions(SegmentationDataset):
    """Each pixel holds its own row and column, so that a crop shows where it was taken."""

    def __len__(self) -> int:
        return 24

    def read(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8], str]:
        rows, columns = np.mgrid[:200, :200].astype(np.uint8)
        return np.stack([rows, columns, rows], -1), np.zeros((200, 200), np.uint8), str(index)


class PositionsDataModule(SegmentationDataModule):
    def dataset(self, split: Split) -> Positions:
        return Positions()


@pytest.mark.parametrize("num_workers", [0, 2])
def test_no_crop_is_repeated_across_samples_workers_and_epochs(num_workers: int) -> None:
    data = PositionsDataModule(LABELS, crop_size=(8, 8), num_workers=num_workers)
    loader = data.train_dataloader()
    images = torch.cat([batch["image"] for epoch in range(3) for batch in epoch_of(loader, epoch)])
    corners = {tuple(image[:2, 0, 0].tolist()) for image in images}
    assert len(images) == 72
    assert len(corners) >= 70  # of 193 x 193 places; two may meet by chance


def test_training_drops_the_last_batch_unless_it_is_the_only_one() -> None:
    assert [len(batch["name"]) for batch in epoch_of(shapes(num_train=7).train_dataloader(), 0)] == [2, 2, 2]
    assert [len(batch["name"]) for batch in epoch_of(shapes(num_train=1).train_dataloader(), 0)] == [1]


def test_evaluation_yields_whole_images_in_order() -> None:
    data = shapes()
    for split, loader in (("val", data.val_dataloader()), ("test", data.test_dataloader())):
        dataset = data.dataset(cast(Split, split))
        batches = flat(loader)
        assert [name for batch in batches for name in batch["name"]] == [f"{i:05d}" for i in range(len(dataset))]
        for index, mask in enumerate(mask for batch in batches for mask in batch["mask"]):
            np.testing.assert_array_equal(mask.numpy(), dataset.read(index)[1])


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_every_pixel_is_scored_once_across_ranks(ranks: int) -> None:
    scored: list[str] = []
    for rank in range(ranks):
        data = shapes()
        cast(Any, data).trainer = SimpleNamespace(
            world_size=ranks, global_rank=rank, num_devices=ranks, strategy=SingleDeviceStrategy("cpu")
        )
        for batch in flat(data.val_dataloader()):
            valid = (batch["mask"] != IGNORE_INDEX).flatten(1)
            assert torch.equal(valid.any(1), valid.all(1))
            scored += [name for name, counts in zip(batch["name"], valid.any(1), strict=True) if counts]
    assert sorted(scored) == [f"{index:05d}" for index in range(5)]


@pytest.mark.parametrize(("strategy", "calls_of_ranks"), [(ModelParallelStrategy, [3, 3]), (DDPStrategy, [2, 3])])
def test_sharding_ranks_call_the_network_equally_often(
    tmp_path: Path, strategy: type, calls_of_ranks: list[int]
) -> None:
    for index, shape in enumerate([(8, 8), (8, 8), (8, 8), (9, 8), (8, 8)]):
        image, mask, _ = SyntheticDataset(5, size=shape).read(index)
        for kind, array in (("images", image), ("masks", mask)):
            (tmp_path / kind / "val").mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(tmp_path / kind / "val" / f"{index}.png")
    calls = []
    for rank in range(2):
        data = FolderDataModule(str(tmp_path), list(LABELS.class_names), batch_size=2, num_workers=0)
        trainer = SimpleNamespace(world_size=2, global_rank=rank, num_devices=2, strategy=Mock(spec=strategy))
        cast(Any, data).trainer = trainer
        calls.append(len(flat(data.val_dataloader())))
    assert calls == calls_of_ranks


def test_padding_sample_has_a_void_mask() -> None:
    dataset = Samples(shapes().dataset("val"))
    real, void = dataset[SampleKey(2)], dataset[SampleKey(2, padding=True)]
    assert dataset[2]["mask"].equal(real["mask"])
    assert void["image"].equal(real["image"])
    assert (void["mask"] == IGNORE_INDEX).all()
    assert void["mask"].dtype == torch.uint8


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_collate_pads_with_edge_values_and_void(channels: int, dtype: str) -> None:
    rng = np.random.default_rng(0)
    arrays = [
        (rng.integers(0, 256, (channels, *size)).astype(dtype), rng.integers(0, 6, size, dtype=np.uint8))
        for size in [(3, 5), (4, 2), (4, 5)]
    ]
    batch = collate(
        [{"image": torch.from_numpy(i), "mask": torch.from_numpy(m), "name": str(n)} for n, (i, m) in enumerate(arrays)]
    )
    assert batch["name"] == ["0", "1", "2"]
    assert batch["image"].dtype == getattr(torch, dtype)
    for (image, mask), stacked, stacked_mask in zip(arrays, batch["image"], batch["mask"], strict=True):
        missing = [(0, 4 - mask.shape[0]), (0, 5 - mask.shape[1])]
        np.testing.assert_array_equal(stacked.numpy(), np.pad(image, [(0, 0), *missing], "edge"))
        np.testing.assert_array_equal(stacked_mask.numpy(), np.pad(mask, missing, constant_values=IGNORE_INDEX))


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_batches_of_any_arrays_equal_them(channels: int) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (4, 6, 7, channels), dtype=np.uint8)
    masks = rng.integers(0, 6, (4, 6, 7), dtype=np.uint8)
    kept = images.copy(), masks.copy()
    images[1], masks[1] = images[1, :, ::-1].copy(), masks[1, :, ::-1].copy()
    images.flags.writeable = masks.flags.writeable = False  # as arrays of files that are mapped
    pairs = [(images[0], masks[0]), (images[1][:, ::-1], masks[1][:, ::-1])]
    pairs += [(np.asfortranarray(images[2]), np.asfortranarray(masks[2])), (images[3], masks[3])]
    samples = Samples(Mock(SegmentationDataset, pair=lambda index: (*pairs[index], "")))
    batch = collate([samples[index] for index in range(len(pairs))])
    np.testing.assert_array_equal(batch["image"].numpy(), kept[0].transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(batch["mask"].numpy(), kept[1])
    assert batch["image"].is_contiguous(memory_format=torch.channels_last)  # which normalisation reads fastest


def test_mixed_dtypes_are_rejected() -> None:
    mask = torch.zeros(2, 3, dtype=torch.uint8)
    kinds = (torch.uint8, torch.uint16)
    samples: list[Sample] = [
        {"image": torch.zeros(3, 2, 3, dtype=kind), "mask": mask, "name": f"a{index}"}
        for index, kind in enumerate(kinds)
    ]
    with pytest.raises(InputError, match=r"^images have several dtypes \(a0: uint8, a1: uint16\); convert all to one"):
        collate(samples)
    with pytest.raises(InputError, match="images have several dtypes"):
        collate_by_size(samples)


class Gauss(SegmentationDataset):
    """Floats of mean 1000."""

    def __len__(self) -> int:
        return 2

    def read(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.uint8], str]:
        image = np.random.default_rng(index).normal(1000, 50, (20, 24, 5)).astype(np.float32)
        return image, np.zeros((20, 24), np.uint8), f"g{index}"


class GaussDataModule(SegmentationDataModule):
    def dataset(self, split: Split) -> Gauss:
        return Gauss()


def gauss(augment: Augment | None = None, **settings: Any) -> GaussDataModule:
    return GaussDataModule(LABELS, 5, 2, crop_size=(16, 18), augment=augment, num_workers=0, **settings)


def test_five_band_floats_keep_their_values() -> None:
    data = gauss(Augment((0.5, 1.5), [A.HorizontalFlip(), A.VerticalFlip()]), mean=[1000], std=[50])
    (batch,) = epoch_of(data.train_dataloader(), 0)
    assert batch["image"].shape == (2, 5, 16, 18)
    assert batch["image"].dtype == torch.float32
    inside = (batch["mask"] != IGNORE_INDEX)[:, None].expand_as(batch["image"])
    assert 980 < batch["image"][inside].mean() < 1020


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (
            gauss,
            r"^g0: values range from \d+\.\d+ to 11\d\d\.?\d*, not from 0 to 1; set the data's mean ",
        ),
        (
            lambda: gauss(Augment(transforms=[A.ColorJitter()]), mean=[1], std=[1]),
            "^augment: ColorJitter does not accept images",
        ),
        (lambda: gauss(mean=[1]), "^std is not set: set both mean and std"),
        (lambda: gauss(std=[1]), "^mean is not set: set both mean and std"),
        (
            lambda: gauss(mean=[1, 2, 3], std=[1]),
            "^mean has 3 values for 5 channels",
        ),
        (lambda: gauss(mean=[0], std=[1, 1, 1, 1, 0]), r"^std is \[1, 1, 1, 1, 0\]; "),
        (lambda: GaussDataModule(LABELS, 0), "^in_channels is 0; "),
    ],
)
def test_unusable_data_is_rejected_before_the_first_step(data: Any, words: str) -> None:
    with pytest.raises(InputError, match=words) as error:
        data().train_dataloader()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", ["synthetic", "folder"])
def test_data_sets_can_be_pickled(tmp_path: Path, kind: str) -> None:
    data: SegmentationDataModule = shapes()
    if kind == "folder":
        write_folder(tmp_path, 3, 1, 1, (20, 24))
        data = FolderDataModule(str(tmp_path), list(LABELS.class_names), crop_size=(16, 18), augment=augment())
    dataset = cast(Samples, data.train_dataloader().dataset)
    other = pickle.loads(pickle.dumps(dataset))
    for epoch in range(2):
        one, two = dataset[SampleKey(1, epoch)], other[SampleKey(1, epoch)]
        assert one["image"].equal(two["image"])
        assert one["mask"].equal(two["mask"])
        assert one["name"] == two["name"]


DATA_MODULES = [name for name in seglit.data.__all__ if name.endswith("DataModule") and not name.startswith("Segm")]


@pytest.mark.parametrize("name", DATA_MODULES)
def test_data_help_describes_every_setting(name: str, run: Run) -> None:
    code, out, _ = run("fit", "--data.help", f"seglit.data.{name}")
    assert code == 0
    settings = re.findall(r"^  --data\.(\w+) [A-Z_]+(?:,.*)?((?:\n? {3,}.*)+)", out, re.MULTILINE)
    assert {"batch_size", "crop_size", "augment", "num_workers", "seed"} <= {setting for setting, _ in settings}
    for setting, text in settings:
        words = " ".join(text.partition("(type:")[0].partition("(required")[0].split())
        assert len(words) > 15, setting
        assert not re.search(r"\bSee\b|\bLikewise\b|\bsee `", words), setting
