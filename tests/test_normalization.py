"""Normalisation: which mean and standard deviation, in which units, and what the checkpoint stores."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from torch import Tensor, nn
from torch.optim import SGD

from seglit.data import FolderDataModule
from seglit.errors import InputError
from seglit.labels import Labels
from seglit.losses import CrossEntropy
from seglit.module import SegmentationModule
from seglit.networks import Normalization
from seglit.runs.checkpoint import ModelRecord
from tests.conftest import QUIET, Run
from tests.test_cli import logged

LABELS = Labels.create(["a", "b"])
DATA = Normalization((10.0, 20.0), (2.0, 4.0), scale=1.0)


class Net(nn.Module):
    """A network with the `normalization` of its pretraining."""

    def __init__(self, normalization: Normalization | None) -> None:
        super().__init__()
        self.normalization = normalization
        self.layer = nn.Conv2d(2, 2, 1)

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.layer(image)
        return logits


def module(data: Normalization | None = None, network: Normalization | None = None) -> SegmentationModule:
    return SegmentationModule(Net(network), CrossEntropy(), partial(SGD, lr=0.1), LABELS, normalization=data)


def test_precedence_data_network_default() -> None:
    pretrained = Normalization((0.3, 0.4), (0.1, 0.2))
    assert module(DATA, pretrained).normalization == DATA
    assert module(None, pretrained).normalization == pretrained
    assert module().normalization == Normalization((0.449,), (0.226,), 255.0)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32", "float32"])
def test_mean_and_std_are_in_stored_units(dtype: str) -> None:
    image = np.random.default_rng(0).integers(0, 256 if dtype == "uint8" else 20000, (3, 2, 5, 7)).astype(dtype)
    normal = module(DATA).normalize(torch.from_numpy(image))
    expected = (image - np.array([10.0, 20.0])[:, None, None]) / np.array([2.0, 4.0])[:, None, None]
    assert normal.dtype == torch.float32
    np.testing.assert_allclose(normal.numpy(), expected, rtol=1e-6, atol=1e-4)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_pretrained_values_are_for_0_to_1(dtype: str) -> None:
    image = np.random.default_rng(0).integers(0, 256, (3, 2, 5, 7)).astype(dtype)
    stored = image if dtype == "uint8" else image / np.float32(255)
    expected = (image.astype(np.float64) / 255 - 0.449) / 0.226
    np.testing.assert_allclose(module().normalize(torch.from_numpy(stored)).numpy(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", ["uint16", "int16", "int32"])
def test_other_integers_require_mean_and_std(dtype: str) -> None:
    with pytest.raises(InputError, match=rf"^images hold {dtype} values.*which `seglit inspect` prints") as error:
        module()(torch.zeros(1, 2, 4, 4, dtype=getattr(torch, dtype)))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("saved", [DATA, Normalization((0.3,), (0.1,))])
def test_checkpoint_restores_normalization(saved: Normalization) -> None:
    other = module(Normalization((1.0,), (1.0,), 1.0))
    record = ModelRecord("0.1.0", {"class_path": "x"}, LABELS, saved).to_dict()
    other.on_load_checkpoint({"seglit": record, "state_dict": other.state_dict()})
    assert other.normalization == saved
    assert other.normalize.mean.flatten().tolist() == pytest.approx(saved.mean)


def test_old_checkpoints_are_for_8_bit_images() -> None:
    other = module(DATA)
    record = ModelRecord("0.1.0", {"class_path": "x"}, LABELS, DATA).to_dict()
    record["normalization"] = {"mean": [0.3, 0.4], "std": [0.1, 0.2]}
    other.on_load_checkpoint({"seglit": record, "state_dict": other.state_dict()})
    assert other.normalization == Normalization((0.3, 0.4), (0.1, 0.2), 255.0)


BANDS = 5


@pytest.fixture
def bands(tmp_path: Path) -> Path:
    """A folder of three 5-band 16-bit TIFF files, whose channels differ in their means, and 16-bit masks."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 2), ("val", 1)):
        for kind in ("images", "masks"):
            (tmp_path / "bands" / kind / split).mkdir(parents=True)
        for index in range(count):
            mask = np.kron(rng.integers(0, 2, (4, 5)), np.ones((8, 8), int))
            image = rng.normal(1000 * np.arange(1, BANDS + 1) + 400 * mask[..., None], 50).astype(np.uint16)
            file = tmp_path / "bands" / "images" / split / f"{index}.tif"
            tifffile.imwrite(file, image, photometric="minisblack", planarconfig="contig")
            Image.fromarray((1000 * mask).astype(np.uint16)).save(tmp_path / "bands" / "masks" / split / f"{index}.png")
    return tmp_path / "bands"


def settings(root: Path, **options: object) -> list[str]:
    """A data file, and options of the smallest model and trainer."""
    data, model = root / "data.yaml", root / "model.yaml"
    chosen = "".join(f"  {name}: {value}\n" for name, value in options.items())
    data.write_text(
        f"class_path: seglit.data.FolderDataModule\ninit_args:\n  root: {root}\n  class_names: [land, sea]\n"
        "  mask_values: {land: 0, sea: 1000}\n  batch_size: 2\n  num_workers: 0\n  crop_size: [16, 16]\n" + chosen
    )
    model.write_text("network: {class_path: seglit.networks.UNet, init_args: {channels: [4, 8]}}\n")
    limits = ["--trainer.max_epochs=1", "--test_after_fit=false", "--trainer.num_sanity_val_steps=0"]
    return ["--data", str(data), "--model", str(model), *limits, *QUIET]


MEAN, STD = [1200.0, 2200.0, 3200.0, 4200.0, 5200.0], [210.0, 220.0, 230.0, 240.0, 250.0]


def test_five_16_bit_bands_train_and_predict(run: Run, bands: Path) -> None:
    outcome = run("fit", *settings(bands, in_channels=BANDS, mean=MEAN, std=STD))
    assert outcome.code == 0, outcome.err
    best = outcome.folder / "checkpoints" / "best.ckpt"
    record = torch.load(best, weights_only=True)["seglit"]
    assert record["normalization"] == {"mean": MEAN, "std": STD, "scale": 1.0}
    assert record["network"]["init_args"]["in_channels"] == BANDS
    with Image.open(outcome.folder / "pictures" / "val.png") as picture:
        assert len(picture.getcolors(100_000) or []) > 100  # stretched, not black
    again = run(
        "validate", "-c", outcome.folder / "config.yaml", "--ckpt_path", best, "--data.mean=[0]", "--data.std=[1]"
    )
    assert again.code == 0, again.err
    (other,) = set(outcome.folder.parent.iterdir()) - {outcome.folder}
    scores = [
        logged(folder) for folder in (outcome.folder, other)
    ]  # the weights' own units, whatever the data says now
    assert scores[0]["val/loss"] == scores[1]["val/loss"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"in_channels": BANDS}, "images hold uint16 values, whose range is not known: set the data's mean and std, "),
        (
            {"in_channels": 3},
            "bands/images/train/0.tif: has 5 bands of uint16, but in_channels is 3; for such images set ",
        ),
        (
            {"in_channels": BANDS, "mean": MEAN, "std": STD, "augment": "STANDARD"},
            "augment: ColorJitter does not accept images of 5 channels of uint16 (",
        ),
    ],
)
def test_band_errors_are_one_line(run: Run, bands: Path, options: dict[str, Any], words: str) -> None:
    standard = Path(__file__).parents[1] / "configs" / "augment" / "standard.yaml"
    chosen = {name: standard if value == "STANDARD" else value for name, value in options.items()}
    code, _, err = run("fit", *settings(bands, **chosen))
    assert code == 2
    (line,) = err.splitlines()
    assert line.startswith("seglit: error: ")
    assert words in line


def test_batches_keep_the_stored_dtype(bands: Path) -> None:
    data = FolderDataModule(
        str(bands), ["a", "b"], mask_values={"a": 0, "b": 1000}, in_channels=BANDS, batch_size=2, num_workers=0
    )
    ((batch,),) = list(data.val_dataloader())
    assert batch["image"].dtype == torch.uint16
    assert batch["mask"].dtype == torch.uint8
    expected = tifffile.imread(bands / "images" / "val" / "0.tif")
    np.testing.assert_array_equal(batch["image"][0].numpy(), expected.transpose(2, 0, 1))


def test_numbers_of_a_record_become_floats() -> None:
    large = Normalization.from_dict({"mean": [0], "std": [10**19], "scale": 1})
    assert large == Normalization((0.0,), (1e19,), 1.0)
    assert torch.isfinite(torch.tensor(large.std)).all()  # int64 would overflow
