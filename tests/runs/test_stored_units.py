"""Weights whose normalisation is in stored units, for images of the same and of other units."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seglit.data import SyntheticDataModule
from seglit.data.dataset import SegmentationDataset
from seglit.errors import InputError
from seglit.losses import CrossEntropy
from seglit.module import SegmentationModule
from seglit.networks import UNet
from seglit.normalization import Normalization
from seglit.runs.checkpoint import ModelRecord
from seglit.runs.init_from import TRAIN_IMAGES_KEY, describe_images, start_from
from seglit.runs.resume import RESUME_KEY
from seglit.runs.stored_units import check_stored_units
from seglit.runs.weight_source import WeightSource

CONFIG = {"model": {"network": {"class_path": "seglit.networks.UNet", "init_args": {"channels": [2, 2]}}}}


class OneValue(SegmentationDataset):
    """One image of one value."""

    def __init__(self, value: float, dtype: str) -> None:
        self.image = np.full((16, 16, 3), value, dtype)

    def __len__(self) -> int:
        return 1

    def read(self, index: int) -> tuple[Any, Any, str]:
        return self.image, np.zeros((16, 16), np.uint8), "first"


class Filled(SyntheticDataModule):
    """Images of one value and data type."""

    def __init__(self, value: float, dtype: str, **stated: Any) -> None:
        super().__init__(num_workers=0, **stated)
        self.filled = OneValue(value, dtype)

    def dataset(self, split: Any) -> Any:
        return self.filled


class Downloaded(Filled):
    """Images that are not there before `prepare_data`."""

    is_there = False

    def prepare_data(self) -> None:
        self.is_there = True

    def dataset(self, split: Any) -> Any:
        if not self.is_there:
            raise InputError("no images")
        return self.filled


def model(data: SyntheticDataModule) -> SegmentationModule:
    network = UNet(data.num_classes, channels=[2, 2])
    return SegmentationModule(network, CrossEntropy(), torch.optim.SGD, data.labels, data.normalization)


def trained(folder: Path, mean: float, std: float, **added: Any) -> str:
    """A checkpoint of a training whose data states mean and std."""
    source = model(SyntheticDataModule())
    record = ModelRecord("0", {"class_path": "seglit.networks.UNet"}, source.labels, Normalization((mean,), (std,), 1))
    torch.save({"state_dict": source.state_dict(), "seglit": record.to_dict(), **added}, folder / "source.ckpt")
    return str(folder / "source.ckpt")


@pytest.mark.parametrize(
    ("mean", "std", "value", "dtype"), [(10000, 3000, 120, "uint8"), (0.4, 0.2, 120, "uint8"), (4, 2, 9000, "uint16")]
)
def test_images_of_other_units_are_refused(tmp_path: Path, mean: float, std: float, value: float, dtype: str) -> None:
    data = Filled(value, dtype)
    message = rf"first: values of {dtype} from {value} to {value}, but .*source.ckpt normalises by mean {mean} and std"
    with pytest.raises(InputError, match=message):
        start_from(model(data), data, CONFIG, None, WeightSource.find(trained(tmp_path, mean, std)))
    stated = Filled(value, dtype, mean=[100.0], std=[50.0])
    start_from(target := model(stated), stated, CONFIG, None, WeightSource.find(trained(tmp_path, mean, std)))
    assert target.normalization.mean == (100.0,)


def test_stored_units_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = Filled(60, "uint8")
    start_from(target := model(data), data, CONFIG, None, WeightSource.find(trained(tmp_path, 100, 50)))
    assert target.normalization == Normalization((100,), (50,), 1)
    out = capsys.readouterr().out
    assert "normalised by mean 100 and std 50 in stored units, as in " in out
    assert "source.ckpt; first: values of uint8 from 60 to 60\n" in out


def test_pixels_without_data_have_no_units() -> None:
    image = np.ma.masked_equal(np.array([[[0.0, 0.0], [9.0, 0.0]]], np.float32), 0)  # one channel lacks all data
    check_stored_units(Normalization((9, 500), (0.1, 0.1), 1), image, "a", "b")
    with pytest.raises(InputError, match=r"values of float32 from 9\.0 to 9\.0"):
        check_stored_units(Normalization((3, 0), (0.1, 0.1), 1), image, "a", "b")


def spread(low: float, high: float, dtype: str) -> Any:
    return np.linspace(low, high, 64 * 64 * 3).reshape(64, 64, 3).astype(dtype)


MOSTLY_ZERO = np.where(np.arange(64 * 64 * 3).reshape(64, 64, 3) % 100 < 90, 0, 200).astype("uint8")


@pytest.mark.parametrize(
    ("mean", "std", "image"),
    [
        (10000, 3000, spread(0, 1, "float32")),
        (10000, 3000, spread(0, 255, "uint16")),
        (0.4, 0.2, MOSTLY_ZERO),
        (100, 50, spread(0, 1, "float32")),
    ],
)
def test_usual_mix_ups_of_units_are_refused(mean: float, std: float, image: Any) -> None:
    with pytest.raises(InputError, match=r"or these if the units are the same"):
        check_stored_units(Normalization((mean,), (std,), 1), image, "a", "b")


def test_defects_and_empty_channels_are_not_taken_for_other_units() -> None:
    image = spread(8000, 12000, "uint16")
    image[..., 1] = 0
    image[0, 0] = 65535
    check_stored_units(Normalization((10000, 900, 10000), (1000, 10, 1000), 1), image, "a", "b")
    check_stored_units(Normalization((20,), (60,), 1), MOSTLY_ZERO, "a", "b")


@pytest.mark.parametrize("resumed", [False, True])
def test_floats_may_have_the_units_of_the_weights(tmp_path: Path, resumed: bool) -> None:
    data, file = Filled(290, "float32"), trained(tmp_path, 300, 20)
    start_from(model(data), data, CONFIG, *((file, None) if resumed else (None, WeightSource.find(file))))
    assert len(data.train_dataloader()) == 1
    with pytest.raises(InputError, match="not from 0 to 1; set the data's mean and std"):
        Filled(290, "float32").train_dataloader()


@pytest.mark.parametrize("resumed", [False, True])
def test_images_are_downloaded_before_they_are_looked_at(tmp_path: Path, resumed: bool) -> None:
    images = describe_images(Filled(290, "uint16"))
    file = trained(tmp_path, 300, 20, **{RESUME_KEY: {TRAIN_IMAGES_KEY: images}})
    data = Downloaded(290, "uint16")
    start_from(model(data), data, CONFIG, *((file, None) if resumed else (None, WeightSource.find(file))))
    assert len(data.train_dataloader()) == 1
