"""The predictor: equality with validation, tiling, test-time augmentation, loading from a checkpoint alone."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import seglit
from seglit.data.batch import Batch
from seglit.data.synthetic import SyntheticDataset
from seglit.errors import InputError, RunError
from seglit.labels import Labels
from seglit.module import SegmentationModule
from seglit.networks import Normalization, UNet
from seglit.predict import predictor, tiles
from seglit.predict.predictor import Predictor
from seglit.predict.settings import Settings
from tests.conftest import CLASS_NAMES, QUIET, Run

LABELS = Labels.create(["a", "b", "c"])
PLAIN = Normalization((0.5,), (0.25,))


def make(network: nn.Module, normalization: Normalization = PLAIN, **settings: Any) -> Predictor:
    return Predictor(network, LABELS, normalization, 3, Settings(precision="32-true", **settings))


def picture(height: int, width: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.fixture
def net() -> nn.Module:
    """Strides 1 to 4; the receptive field reaches up to 22 pixels."""
    torch.manual_seed(0)
    network = UNet(3, channels=[4, 8, 8])
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean = torch.randn(module.num_features) / 4
    return network


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, shapes: Path, tiny: list[str]) -> Path:
    """A run on the shapes in the hardware's fastest precision."""
    from tests.conftest import run_in

    outcome = run_in(
        tmp_path_factory.mktemp("run"), "fit", *tiny, *QUIET, "--trainer.precision=null", "--test_after_fit=false"
    )
    assert outcome.code == 0, outcome.err
    return outcome.folder


def test_masks_equal_those_of_validation(
    run: Run, folder: Path, tiny: list[str], shapes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Odd sizes, mixed in one batch, in the default precision of both."""
    masks: dict[str, npt.NDArray[np.uint8]] = {}
    evaluate = SegmentationModule.validation_step

    def recording(module: SegmentationModule, batches: list[Batch], batch_index: int) -> Any:
        output = evaluate(module, batches, batch_index)
        assert [len(batch["name"]) for batch in batches] == [2, 1]
        for batch, preds in zip(batches, output["preds"], strict=True):
            masks.update(zip(batch["name"], preds.clone().numpy(), strict=True))
        return output

    monkeypatch.setattr(SegmentationModule, "validation_step", recording)
    root = folder / "odd"
    for split, count in (("train", 1), ("val", 3)):
        for index in range(count):
            image, mask, _ = SyntheticDataset(9, "test", (33 + 8 * (index // 2), 47)).read(index)
            for kind, array in (("images", image), ("masks", mask)):
                (root / kind / split).mkdir(parents=True, exist_ok=True)
                Image.fromarray(array).save(root / kind / split / f"{index}.png")
    best = folder / "checkpoints" / "best.ckpt"
    data = ["--data.root", str(root), "--data.batch_size=3", "--trainer.precision=null"]
    outcome = run("validate", *tiny, *data, "--ckpt_path", best)
    assert outcome.code == 0, outcome.err
    predict = seglit.load(folder)
    assert len(masks) == 3
    for name, mask in masks.items():
        file = root / "images" / "val" / f"{Path(name).stem}.png"
        np.testing.assert_array_equal(predict(file), mask)
        np.testing.assert_array_equal(predict(np.array(Image.open(file))), mask)


def test_loads_from_a_run_folder_or_checkpoint_alone(folder: Path) -> None:
    for path in (folder, folder / "checkpoints" / "best.ckpt", str(folder)):
        predict = seglit.load(path)
        assert predict.labels.class_names == tuple(CLASS_NAMES)
        assert predict.in_channels == 3
        assert not any(parameter.requires_grad for parameter in predict.network.parameters())
    image, predict = picture(20, 30), seglit.load(folder)
    probabilities = predict.probabilities(image)
    assert probabilities.shape == (6, 20, 30)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(0), 1, rtol=1e-5)
    assert (probabilities.argmax(0) == predict(image)).mean() > 0.999  # except for ties after rounding


def change(folder: Path, tmp_path: Path, **network: Any) -> Path:
    checkpoint = torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)
    checkpoint["seglit"]["network"].update(network)
    torch.save(checkpoint, tmp_path / "changed.ckpt")
    return tmp_path / "changed.ckpt"


def test_load_errors_are_one_line(folder: Path, tmp_path: Path) -> None:
    def refused(path: Path) -> str:
        with pytest.raises(InputError) as error:
            seglit.load(path)
        assert "\n" not in str(error.value)
        return str(error.value)

    assert refused(folder / "checkpoints" / "bst.ckpt").endswith("did you mean 'best.ckpt'?")
    assert refused(folder.parent).endswith(f"contains no checkpoints/best.ckpt; did you mean {folder}?")
    (tmp_path / "no.ckpt").write_text("none")
    assert "not a checkpoint, or truncated" in refused(tmp_path / "no.ckpt")
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    assert "not a seglit checkpoint" in refused(tmp_path / "other.ckpt")
    with pytest.raises(InputError, match=r"mine\.nets\.Net is not found; run `python -m seglit` from the folder"):
        seglit.load(change(folder, tmp_path, class_path="mine.nets.Net"), trust="mine")
    assert "seglit.networks.Unet is not found" in refused(change(folder, tmp_path, class_path="seglit.networks.Unet"))
    other = {"num_classes": 6, "channels": [4, 6]}
    assert "its weights do not fit its network seglit.networks.UNet" in refused(
        change(folder, tmp_path, init_args=other)
    )
    assert "seglit.networks.UNet has no setting 'chanels'; did you mean 'channels'?" in refused(
        change(folder, tmp_path, init_args={"chanels": [4, 6]})
    )


def test_load_downloads_no_pretrained_weights(tmp_path: Path) -> None:
    from segmentation_models_pytorch import Unet

    network = Unet("resnet18", encoder_weights=None, classes=2)
    record = {
        "version": "0.1.0",
        "network": {
            "class_path": "segmentation_models_pytorch.Unet",
            "init_args": {"encoder_name": "resnet18", "encoder_weights": "imagenet", "classes": 2},
        },
        "labels": Labels.create(["a", "b"]).to_dict(),
        "normalization": Normalization((0.1, 0.2, 0.3), (0.4, 0.5, 0.6)).to_dict(),
    }
    weights = {f"network.{name}": value for name, value in network.state_dict().items()}
    torch.save({"seglit": record, "state_dict": weights}, tmp_path / "it.ckpt")
    with mock.patch("huggingface_hub.hf_hub_download", side_effect=AssertionError):
        predict = seglit.load(tmp_path / "it.ckpt")
    assert predict.normalize.normalization.mean == (0.1, 0.2, 0.3)
    assert predict(picture(32, 32)).shape == (32, 32)


@pytest.mark.parametrize("size", [(150, 161), (64, 200), (200, 40), (129, 128)])
def test_tiles_agree_with_the_whole_image(net: nn.Module, size: tuple[int, int]) -> None:
    """At pixels whose receptive field lies within every tile that contains them."""
    image = picture(*size)
    whole = make(net)
    in_tiles = make(net, tile=96, overlap=0.5)
    expected, actual = whole.probabilities(image), in_tiles.probabilities(image)
    grid = in_tiles.grid(*size)
    near_edge = np.zeros(size, bool)  # of any tile that contains the pixel
    for row, column in grid.places():
        edges = np.ones((row.stop - row.start, column.stop - column.start), bool)
        top, left = (22 if span.start else 0 for span in (row, column))
        bottom, right = (22 if span.stop < length else 0 for span, length in zip((row, column), size, strict=True))
        edges[top : edges.shape[0] - bottom, left : edges.shape[1] - right] = False
        near_edge[row.seen, column.seen] |= edges
    inside = ~near_edge
    assert inside.mean() > 0.05
    np.testing.assert_allclose(actual[:, inside], expected[:, inside], atol=2e-5)
    np.testing.assert_allclose(actual.sum(0), 1, rtol=1e-5)
    assert np.abs(actual - expected).mean() < 0.01


def test_tiles_of_a_pixelwise_network_equal_the_whole_image() -> None:
    torch.manual_seed(0)
    network, image = nn.Conv2d(3, 3, 1), picture(133, 250)
    expected = make(network)
    for overlap in (0.0, 0.25, 0.9):
        in_tiles = make(network, tile=64, overlap=overlap)
        np.testing.assert_allclose(in_tiles.probabilities(image), expected.probabilities(image), atol=1e-5)
        assert (in_tiles(image) == expected(image)).mean() > 0.9999


class Position(nn.Module):
    """Its logits are a ramp from the left to the right edge of the input."""

    def forward(self, image: Tensor) -> Tensor:
        ramp = torch.linspace(0, 4, image.shape[3]).expand_as(image[:, :1])
        return torch.cat([ramp, 4 - ramp, 0 * ramp], 1)


def test_no_seams() -> None:
    """A constant image stays constant; logits that jump between tiles are blended smoothly."""
    image = np.full((100, 300, 3), 77, np.uint8)
    flat = make(nn.Conv2d(3, 3, 1), tile=96).probabilities(image)
    assert np.ptp(flat, axis=(1, 2)).max() < 1e-6
    jumpy = make(Position(), tile=96, overlap=0.5).probabilities(image)
    assert np.abs(np.diff(jumpy[0, 0])).max() < 0.06  # without blending 0.95


def test_tile_weights_are_gaussian() -> None:
    spans = tiles.divide(1000, 256, 0.25)
    assert [(span.start, span.stop, span.done) for span in spans[:2]] == [(0, 256, 192), (192, 448, 384)]
    assert spans[-1].stop == spans[-1].done == 1000
    assert all(span.start % 32 == 0 for span in spans)
    total = np.zeros(1000)
    for span in spans:
        total[span.seen] += span.weight.numpy()
    np.testing.assert_allclose(total, 1, rtol=1e-6)
    pixels = np.arange(192, 256)
    first, second = (np.exp(-0.5 * ((pixels - 127.5 - shift) / 32) ** 2) for shift in (0, 192))  # 256 / 8 = 32
    np.testing.assert_allclose(spans[0].weight[192:], first / (first + second), rtol=1e-4)


def test_memory_does_not_grow_with_height() -> None:
    for classes in (2, 19, 150):
        grid = tiles.make_grid(20_000, 20_000, classes, Settings())
        carried = 4 * classes * 20_000 * max(row.stop - row.done for row in grid.rows)
        assert max(row.stop - row.start for row in grid.rows) >= 256
        assert carried <= tiles.MAX_CARRIED_BYTES
    assert tiles.make_grid(1024, 2048, 19, Settings()).is_whole


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_test_time_augmentation_equals_a_manual_average(net: nn.Module, dtype: str) -> None:
    image = picture(37, 45).astype(dtype)
    normalization = Normalization((120.0,), (60.0,), scale=1.0)
    predict = make(net, normalization, flips="all", scales=(1.0, 0.5))
    normal = torch.from_numpy((image.astype(np.float32) - 120) / 60).permute(2, 0, 1)[None]
    small = nn.functional.interpolate(normal, (18, 22), mode="bilinear", antialias=True)
    views: list[npt.NDArray[np.float32]] = []
    with torch.no_grad():
        for resized in (normal, small):
            for axes in ((), (2,), (3,), (2, 3)):
                probabilities = net(resized.flip(axes)).softmax(1).flip(axes)
                views.append(nn.functional.interpolate(probabilities, (37, 45), mode="bilinear")[0].numpy())
    np.testing.assert_allclose(predict.probabilities(image), np.mean(views, 0), atol=1e-5)
    assert (predict(image) == np.mean(views, 0).argmax(0)).mean() > 0.999


def test_images_of_one_size_form_a_batch(net: nn.Module) -> None:
    images = [picture(20, 30, 0), picture(20, 30, 1), picture(24, 30, 2), picture(20, 30, 3)]
    predict = make(net)
    batches = []
    handle = predict.network.register_forward_pre_hook(lambda _, args: batches.append(tuple(args[0].shape)))
    together = [prediction.mask for prediction in predict.stream(iter(images))]
    assert batches == [(2, 3, 20, 30), (1, 3, 24, 30), (1, 3, 20, 30)]
    handle.remove()
    for mask, image in zip(together, images, strict=True):
        np.testing.assert_array_equal(mask, predict(image))


class SmallMemory(nn.Module):
    """Simulates a device whose memory fits only so many pixels."""

    def __init__(self, pixels: int) -> None:
        super().__init__()
        self.pixels = pixels
        self.layer = nn.Conv2d(3, 3, 1)

    def forward(self, image: Tensor) -> Tensor:
        if len(image) * image[0, 0].numel() > self.pixels:
            raise torch.OutOfMemoryError
        logits: Tensor = self.layer(image)
        return logits


def test_divides_batches_and_images_that_exceed_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictor, "SMALLEST_TILE", 64)
    images = [picture(100, 130, seed) for seed in range(3)]
    network = SmallMemory(5000)
    predict = make(network)
    predictions = list(predict.stream(images, probabilities=True))
    network.pixels = 10**9
    for image, prediction in zip(images, predictions, strict=True):
        assert prediction.probabilities is not None
        np.testing.assert_allclose(prediction.probabilities, predict.probabilities(image), atol=1e-5)
    network.pixels = 10
    with pytest.raises(RunError, match="memory is too small"):
        predict(images[0])


def test_invalid_images_and_settings_are_rejected(net: nn.Module) -> None:
    predict = make(net)
    with pytest.raises(InputError, match=r"^image: has 4 bands of uint8, but in_channels is 3"):
        predict(np.zeros((4, 4, 4), np.uint8))
    with pytest.raises(InputError, match=r"^images hold uint16 values, whose range is not known"):
        predict(np.zeros((4, 4, 3), np.uint16))
    for wrong in ({"tile": 100}, {"overlap": 1.0}, {"scales": (0.0,)}, {"scales": (math.nan,)}, {"scales": (1e9,)}):
        with pytest.raises(InputError, match=f"^{next(iter(wrong))}"):
            make(net, **wrong)


def test_reads_only_a_few_images_ahead(net: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictor, "BATCH_PIXELS", 1000)
    given = 0

    def images() -> Iterator[npt.NDArray[np.uint8]]:
        nonlocal given
        for given in range(1, 9):  # noqa: B007
            yield picture(20, 20)

    for done, _ in enumerate(make(net).stream(images()), 1):
        assert given <= done + 4
