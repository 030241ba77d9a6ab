"""The made-up shapes: determined by split and index, of any size, and the same as files."""

from pathlib import Path

import numpy as np
import pytest

from seglit.data import FolderDataModule, SyntheticDataModule
from seglit.data.synthetic import SyntheticDataset
from seglit.drawing.shapes import LABELS, write_folder
from seglit.images.pairs import Split


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_images_depend_on_split_and_index_only(split: Split) -> None:
    first, second = SyntheticDataset(9, split, (24, 32)), SyntheticDataset(4, split, (24, 32))
    second.read(0)
    for one, other in zip(first.read(3), second.read(3), strict=True):
        np.testing.assert_array_equal(one, other)


def test_images_are_distinct() -> None:
    splits: tuple[Split, ...] = ("train", "val", "test")
    images = [SyntheticDataset(5, split, (24, 32)).read(index)[0].tobytes() for split in splits for index in range(5)]
    assert len(set(images)) == 15


@pytest.mark.parametrize("size", [(1, 1), (5, 7), (33, 20), (64, 96)])
@pytest.mark.parametrize("channels", range(1, 6))
def test_any_size_and_channel_count(size: tuple[int, int], channels: int) -> None:
    data = SyntheticDataModule(2, 1, 1, size, in_channels=channels, batch_size=2, num_workers=0)
    batch = next(iter(data.train_dataloader()))
    assert batch["image"].shape == (2, channels, *size)
    assert batch["mask"].shape == (2, *size)


def test_one_number_is_a_square_crop() -> None:
    data = SyntheticDataModule(2, 1, 1, (40, 50), crop_size=24, batch_size=2, num_workers=0)
    assert next(iter(data.train_dataloader()))["image"].shape == (2, 3, 24, 24)


def test_every_class_occurs() -> None:
    dataset = SyntheticDataset(64)
    counts = sum(np.bincount(dataset.read(index)[1].ravel(), minlength=6) for index in range(64))
    share = np.asarray(counts) / np.sum(counts)
    assert share.shape == (LABELS.num_classes,)
    assert share.min() > 0.001
    assert share.max() < 0.95


def test_written_files_contain_the_same_shapes(tmp_path: Path) -> None:
    write_folder(tmp_path, 3, 2, 1, (20, 28))
    folder = FolderDataModule(str(tmp_path), list(LABELS.class_names), num_workers=0)
    made = SyntheticDataModule(3, 2, 1, (20, 28), num_workers=0)
    splits: tuple[Split, ...] = ("train", "val", "test")
    for split in splits:
        read, drawn = folder.dataset(split), made.dataset(split)
        assert len(read) == len(drawn)
        for index in range(len(drawn)):
            for one, other in zip(read.read(index), drawn.read(index), strict=True):
                np.testing.assert_array_equal(one, other)
