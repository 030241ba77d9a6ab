"""Training and scores from the command line, and the checkpoint, which can be loaded without it."""

import importlib
import os
from contextlib import chdir
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from torch import Tensor, nn

from seglit.cli import SegmentationCLI
from seglit.data.synthetic import SyntheticDataset
from seglit.labels import IGNORE_INDEX, Labels
from tests.conftest import CLASS_NAMES, Run
from tests.test_cli import logged


class Net(nn.Module):
    """One layer; subclasses define `forward`."""

    def __init__(self, num_classes: int, in_channels: int = 3) -> None:
        super().__init__()
        self.layer = nn.Conv2d(in_channels, num_classes, kernel_size=1)

    def forward(self, image: Tensor) -> Any:
        return self.layer(image)


class Halved(Net):
    def forward(self, image: Tensor) -> Any:
        return self.layer(image)[..., ::2, ::2]


class Torchlike(Net):
    def forward(self, image: Tensor) -> Any:
        return {"out": self.layer(image)}


class Auxiliary(Net):
    """Two auxiliary outputs: twice the main logits, and the main logits."""

    def forward(self, image: Tensor) -> Any:
        logits = self.layer(image)
        return (logits, 2 * logits, logits) if self.training else logits


class Doubled(Net):
    def forward(self, image: Tensor) -> Any:
        return 2 * self.layer(image)


class Bright(Net):
    """Class 1 for bright pixels, 0 for others: each prediction depends on its pixel only."""

    def forward(self, image: Tensor) -> Any:
        bright = image.mean(1, keepdim=True) + 0 * self.layer(image)[:, :1]  # (B, 1, H, W)
        return torch.cat([0.1 - bright, bright - 0.1, (bright - 9).repeat(1, self.layer.out_channels - 2, 1, 1)], 1)


def model(folder: Path, class_path: str, **settings: object) -> str:
    """A file for `--model`: a network that does not learn."""
    file = folder / "model.yaml"
    optimizer = {"class_path": "torch.optim.SGD", "init_args": {"lr": 0.0, "weight_decay": 0.0}}
    file.write_text(yaml.dump({"network": {"class_path": class_path}, "optimizer": optimizer, **settings}))
    return str(file)


def write_images(root: Path, split: str, pairs: list[tuple[Any, Any]]) -> None:
    for kind, pictures in zip(("images", "masks"), zip(*pairs, strict=True), strict=True):
        (root / kind / split).mkdir(parents=True)
        for index, picture in enumerate(pictures):
            Image.fromarray(picture).save(root / kind / split / f"{index}.png")


def losses(run: Run, *args: object) -> list[float]:
    outcome = run("fit", *args, "--trainer.max_epochs=1", "--test_after_fit=false", "--experiment=losses")
    assert outcome.code == 0, outcome.err
    return [float(value) for value in logged(outcome.folder)["train/loss"]]


@pytest.mark.parametrize(
    ("class_path", "returned"),
    [
        ("tests.test_module.Halved", "Halved returned (2, 6, 16, 16), not logits (B, num_classes, H, W) = (2, 6, 32,"),
        ("tests.test_module.Torchlike", "Torchlike returned dict, not logits (B, num_classes, H, W) = (2, 6, 32, 32);"),
        # it says `classes`, so that nothing tells it how many there are
        ("segmentation_models_pytorch.Unet", "Unet returned (2, 1, 32, 32), not logits (B, num_classes, H, W) = (2, "),
    ],
)
def test_wrong_logits_are_rejected(run: Run, tiny: list[str], tmp_path: Path, class_path: str, returned: str) -> None:
    weights = {"init_args": {"encoder_weights": None}} if class_path.startswith("seg") else {}
    file = model(tmp_path, class_path, network={"class_path": class_path, **weights})
    code, _, err = run("fit", *tiny, "--model", file)
    assert code == 2
    assert err.startswith(f"seglit: error: {returned}")
    assert err.endswith("a network takes num_classes and returns logits of the size of its input\n")
    assert err.count("\n") == 1


def test_auxiliary_logits_add_to_the_loss(run: Run, tiny: list[str], tmp_path: Path) -> None:
    def of(name: str, **settings: object) -> np.ndarray[Any, np.dtype[np.float64]]:
        file = model(tmp_path, f"tests.test_module.{name}", **settings)
        return np.array(losses(run, *tiny, "--model", file))

    plain, doubled = of("Net"), of("Doubled")
    assert (np.abs(plain - doubled) > 0.01).all()
    for weight in (0.0, 0.25):
        expected = plain + weight * (doubled + plain)
        np.testing.assert_allclose(of("Auxiliary", auxiliary_weight=weight), expected, rtol=1e-5)


def test_batch_of_void(run: Run, tiny: list[str], tmp_path: Path) -> None:
    shapes = SyntheticDataset(3, size=(32, 32))
    pairs = [shapes.read(index)[:2] for index in range(3)]
    write_images(tmp_path, "val", pairs)
    write_images(tmp_path, "train", [pairs[0], *((image, np.full_like(mask, 99)) for image, mask in pairs[1:])])
    data = (f"--data.root={tmp_path}", "--data.ignore_values=[99]", "--data.batch_size=1")
    outcome = run("fit", *tiny, *data)
    assert outcome.code == 0, outcome.err
    every = [float(loss) for loss in logged(outcome.folder)["train/loss"]]
    assert sorted(loss == 0 for loss in every) == [False] * 2 + [True] * 4
    state = torch.load(outcome.folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert all(weight.isfinite().all() for weight in state.values())


@pytest.mark.parametrize("options", [[], ["--trainer.max_steps=1"], ["--trainer.accumulate_grad_batches=2"]])
def test_epochs_shorter_than_the_logging_interval_log_their_loss(run: Run, tiny: list[str], options: list[str]) -> None:
    default = [option for option in tiny if not option.startswith("--trainer.log")]
    assert len(losses(run, *default, *options)) == 1


@pytest.mark.parametrize(
    "network",
    [
        {"class_path": "seglit.networks.UNet", "init_args": {"channels": [8, 16]}},
        {"class_path": "seglit.networks.FCN", "init_args": {"channels": [8, 8, 16, 16, 32, 32], "stride": 8}},
    ],
    ids=["unet", "fcn"],
)
def test_overfits_one_batch(run: Run, tiny: list[str], tmp_path: Path, network: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    masks = [
        np.kron(np.array(blocks, np.uint8), np.ones((32, 32), np.uint8))
        for blocks in ([[0, 1], [2, 0]], [[1, 2], [0, 2]])
    ]
    pairs = [
        ((rng.normal(60 + 60 * mask[..., None], 20, (64, 64, 3))).clip(0, 255).astype(np.uint8), mask) for mask in masks
    ]
    for split in ("train", "val"):
        write_images(tmp_path, split, pairs)
    options = {"optimizer": {"class_path": "torch.optim.AdamW", "init_args": {"lr": 0.02, "weight_decay": 0.0}}}
    outcome = run(
        *("fit", *tiny, "--model", model(tmp_path, "", network=network, **options)),
        *(f"--data.root={tmp_path}", "--data.class_names=[a, b, c]", "--trainer.max_epochs=60"),
        *("--trainer.check_val_every_n_epoch=60", "--trainer.num_sanity_val_steps=0"),
    )
    assert outcome.code == 0, outcome.err
    (miou,) = logged(outcome.folder)["val/miou"]
    assert float(miou) > 0.95


def reference_scores(preds: list[Any], masks: list[Any], names: list[str]) -> dict[str, float]:
    """IoU of each class over all pixels of a split, and its mean over the classes that occur."""
    p, m = (np.concatenate([array.ravel() for array in arrays]) for arrays in (preds, masks))
    p, m = p[m != IGNORE_INDEX], m[m != IGNORE_INDEX]
    both = [int(((p == c) & (m == c)).sum()) for c in range(len(names))]
    either = [int(((p == c) | (m == c)).sum()) for c in range(len(names))]
    iou = [b / e if e else float("nan") for b, e in zip(both, either, strict=True)]
    return {"val/miou": float(np.nanmean(iou)), **{f"val/iou/{n}": v for n, v in zip(names, iou, strict=True)}}


def test_scores_equal_a_reference_at_the_stored_size(run: Run, tiny: list[str], tmp_path: Path) -> None:
    sizes = [(32, 32), (17, 40), (40, 23), (16, 16), (33, 9)]
    pairs = []
    for index, size in enumerate(sizes):
        image, mask, _ = SyntheticDataset(9, "val", size).read(index)
        mask[: index * 2] = 99  # void, more of it from image to image
        pairs.append((image, mask))
    write_images(tmp_path, "val", pairs)
    write_images(tmp_path, "train", [SyntheticDataset(1, size=(32, 32)).read(0)[:2]])
    names = [*CLASS_NAMES, "ghost"]  # which occurs nowhere
    file = model(tmp_path, "tests.test_module.Bright")
    data = (f"--data.root={tmp_path}", f"--data.class_names={names}", "--data.ignore_values=[99]")

    normal = [((image / 255 - 0.449) / 0.226).mean(-1) for image, _ in pairs]
    masks = [np.where(mask == 99, IGNORE_INDEX, mask) for _, mask in pairs]
    expected = reference_scores([(pixels > 0.1).astype(int) for pixels in normal], masks, names)
    assert 0.05 < expected["val/miou"] < 0.5
    assert np.isnan(expected["val/iou/ghost"])
    for batch_size in (1, 3):
        outcome = run("fit", *tiny, "--model", file, *data, f"--data.batch_size={batch_size}")
        assert outcome.code == 0, outcome.err
        columns = logged(outcome.folder)
        scores = {name: float(columns[name][-1]) for name in expected}
        assert scores == pytest.approx(expected, abs=1e-6, nan_ok=True)


def test_the_encoders_learning_rate(run: Run, tiny: list[str]) -> None:
    options = ("--model.encoder_lr_factor=0.1", "--model.scheduler=null", "--trainer.max_epochs=1")
    outcome = run("fit", *tiny, *options, "--test_after_fit=false")
    checkpoint = torch.load(outcome.folder / "checkpoints" / "best.ckpt", weights_only=True)
    rates = {group["name"]: group["lr"] for group in checkpoint["optimizer_states"][0]["param_groups"]}
    assert rates["decoder/decay"] == 0.01
    assert rates["encoder/decay"] == pytest.approx(0.001)


def test_freezing_and_weight_averaging_from_yaml(run: Run, tiny: list[str], tmp_path: Path) -> None:
    callbacks = [
        {"class_path": "seglit.callbacks.FreezeEncoder", "init_args": {"epochs": 2}},
        {"class_path": "pytorch_lightning.callbacks.EMAWeightAveraging", "init_args": {"decay": 0.5}},
    ]
    ends = []
    for count in (1, 2):  # frozen, then averaged as well
        (tmp_path / "run.yaml").write_text(yaml.dump({"trainer": {"callbacks": callbacks[:count]}}))
        saving = ("--checkpoint.save_top_k=-1", "--checkpoint.filename={epoch}")
        outcome = run("fit", *tiny, "-c", "run.yaml", *saving)
        assert outcome.code == 0, outcome.err
        files = [outcome.folder / "checkpoints" / f"epoch={epoch}.ckpt" for epoch in (0, 1)]
        first, second = (torch.load(file, weights_only=True)["state_dict"] for file in files)
        still = {name for name in first if torch.equal(first[name], second[name])}
        assert {name for name in first if name.startswith("network.encoder.")} <= still
        assert "network.head.weight" not in still
        ends.append(second)
    plain, averaged = ends
    assert plain.keys() == averaged.keys()
    assert not torch.equal(plain["network.head.weight"], averaged["network.head.weight"])


@pytest.fixture
def trained(tiny: list[str], tmp_path: Path) -> SegmentationCLI:
    with mock.patch.dict(os.environ), mock.patch("sys.argv", ["seglit"]), chdir(tmp_path):
        os.environ.pop("SEGLIT_RUN_FOLDER", None)
        return SegmentationCLI(["fit", *tiny, "--trainer.max_epochs=1"])


def is_plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) for key in value) and all(map(is_plain, value.values()))
    return all(map(is_plain, value)) if type(value) is list else type(value) in (str, int, float, bool, type(None))


def test_checkpoint_rebuilds_the_network(trained: SegmentationCLI, shapes: Path) -> None:
    checkpoint = torch.load(trained.run_folder / "checkpoints" / "best.ckpt", weights_only=True)
    record = checkpoint["seglit"]
    assert is_plain(record)
    module, _, name = record["network"]["class_path"].rpartition(".")
    network: nn.Module = getattr(importlib.import_module(module), name)(**record["network"]["init_args"])
    prefix = "network."
    network.load_state_dict(
        {key.removeprefix(prefix): value for key, value in checkpoint["state_dict"].items() if key.startswith(prefix)}
    )
    network.to(memory_format=torch.channels_last).eval()
    assert Labels.from_dict(record["labels"]) == trained.datamodule.labels

    with Image.open(shapes / "images" / "test" / "00000.png") as picture:
        image = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None]  # (1, 3, 32, 32)
    mean, std = (torch.tensor(record["normalization"][name]).view(-1, 1, 1) for name in ("mean", "std"))
    with torch.inference_mode():
        logits = network(((image / 255 - mean) / std).contiguous(memory_format=torch.channels_last))
        assert torch.equal(logits, trained.model.eval()(image))


def test_mixed_sizes_score_the_same_in_any_batches(run: Run, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for number, size in enumerate([(32, 32), (40, 24), (32, 32), (25, 47), (40, 24)]):
        image, mask, _ = SyntheticDataset(5, size=size).read(number)
        for split in ("train", "val", "test"):
            for kind, array in (("images", image), ("masks", mask)):
                (data / kind / split).mkdir(parents=True, exist_ok=True)
                Image.fromarray(array).save(data / kind / split / f"{number}.png")
    names = ",".join(CLASS_NAMES)
    options = ["--data=seglit.data.FolderDataModule", f"--data.root={data}", f"--data.class_names=[{names}]",
               "--data.num_workers=0", "--model.network=seglit.networks.UNet", "--model.network.channels=[4,8]",
               "--trainer.precision=32-true"]  # fmt: skip
    fitted = run("fit", *options, "--data.batch_size=5", "--trainer.max_epochs=1", "--data.crop_size=[24,24]")
    assert fitted.code == 0, fitted.err
    best = fitted.folder / "checkpoints" / "best.ckpt"
    tables = []
    for batch_size in (1, 2, 5):
        scored = run("test", *options, f"--data.batch_size={batch_size}", f"--ckpt_path={best}")
        tables.append(scored.out[scored.out.index("test:") : scored.out.index("mean")])
    assert tables[0] == tables[1] == tables[2]
