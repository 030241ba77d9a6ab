"""A training continues a checkpoint of the same training only, and starts from the weights of any other."""

import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml

from seglit.data import FolderDataModule, SyntheticDataModule
from seglit.errors import InputError
from seglit.losses import CrossEntropy
from seglit.module import SegmentationModule
from seglit.networks import UNet
from seglit.runs.checkpoint import read_checkpoint
from seglit.runs.ckpt_path import find_ckpt_path
from seglit.runs.init_from import describe_images, start_from
from seglit.runs.weight_source import WeightSource
from tests.conftest import CLASS_NAMES, Outcome, Run


@pytest.fixture
def fewer(shapes: Path, tmp_path: Path) -> Path:
    """The shapes at another place, without one training image."""
    root = Path(shutil.copytree(shapes, tmp_path / "fewer"))
    for folder in ("images", "masks"):
        (root / folder / "train" / "00003.png").unlink()
    return root


def error_of(outcome: Outcome) -> str:
    assert outcome.code == 2
    line = outcome.err.splitlines()[-1]
    assert line.startswith("seglit: error: ")
    return line.removeprefix("seglit: error: ")


def test_weights_are_those_that_training_starts_from(trained: Outcome, run: Run, tiny: list[str], fewer: Path) -> None:
    averaging = {"class_path": "pytorch_lightning.callbacks.EMAWeightAveraging", "init_args": {"decay": 0.5}}
    (fewer.parent / "ema.yaml").write_text(yaml.dump({"trainer": {"callbacks": [averaging]}}))
    source = shutil.copytree(trained.folder, fewer.parent / "source")
    options = ["-c", "ema.yaml", f"--data.root={fewer}", "--model.optimizer.lr=0", "--test_after_fit=false"]
    outcome = run("fit", *tiny, *options, "--init_from", "source", "--experiment=new", "--trainer.max_epochs=1")
    assert outcome.code == 0, outcome.err
    assert f"starting from the weights of {source / 'checkpoints' / 'best.ckpt'}" in outcome.out
    assert yaml.safe_load((outcome.folder / "config.yaml").read_text())["init_from"] == str(source)
    weights, trained_on = (
        torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
        for folder in (source, outcome.folder)
    )
    names = [name for name in weights if not name.endswith(("running_mean", "running_var", "tracked"))]
    assert len(names) > 10
    torch.testing.assert_close({n: trained_on[n] for n in names}, {n: weights[n] for n in names}, rtol=1e-6, atol=0)
    shutil.rmtree(source)  # not needed to resume
    resumed = run("fit", "--resume", outcome.folder, "--trainer.max_epochs=2")
    assert resumed.code == 0, resumed.err
    assert "starting from" not in resumed.out


def test_images_are_normalised_as_the_weights_were_trained_or_as_the_data_states(tmp_path: Path) -> None:
    def model(data: SyntheticDataModule) -> SegmentationModule:
        network = UNet(data.num_classes, channels=[4, 8])
        return SegmentationModule(network, CrossEntropy(), torch.optim.SGD, data.labels, data.normalization)

    source = model(SyntheticDataModule(2, 2, 2, (8, 8), mean=[30.0], std=[10.0]))
    record = {"version": "0", "network": {"class_path": "a.B"}, "labels": source.labels.to_dict()}
    record["normalization"] = source.normalization.to_dict()
    torch.save({"state_dict": source.state_dict(), "seglit": record}, tmp_path / "source.ckpt")
    for stated, expected in (({}, 30.0), ({"mean": [70.0], "std": [20.0]}, 70.0)):
        data = SyntheticDataModule(2, 2, 2, (8, 8), **stated)
        config = {"model": {"network": {"class_path": "seglit.networks.UNet", "init_args": {"channels": [4, 8]}}}}
        start_from(target := model(data), data, config, None, WeightSource.find(str(tmp_path / "source.ckpt")))
        assert target.normalization.mean == (expected,)
        assert torch.equal(next(target.network.parameters()), next(source.network.parameters()))


def test_other_training_images_are_not_continued(trained: Outcome, run: Run, fewer: Path) -> None:
    last = trained.folder / "checkpoints" / "last.ckpt"
    hint = f"so its training cannot continue; to start a new training from its weights: --init_from {last}"
    options = ["--ckpt_path", last, f"--data.root={fewer}", "--trainer.default_root_dir=runs"]
    longer = error_of(run("fit", "-c", trained.folder / "config.yaml", *options, "--trainer.max_epochs=3"))
    assert longer == f"{last} was trained on other images (5, here 4), {hint}"
    assert not list(fewer.parent.glob("runs/*"))
    finished = error_of(run("fit", "-c", trained.folder / "config.yaml", *options))
    assert finished.endswith(f"; to start a new training from its weights: --init_from {last}")


def test_changed_training_images_are_not_resumed(trained: Outcome, run: Run, shapes: Path, fewer: Path) -> None:
    folder = Path(shutil.copytree(trained.folder, fewer.parent / "run"))
    text = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(text.replace(str(shapes), str(fewer)))
    message = error_of(run("fit", "--resume", folder, "--trainer.max_epochs=3"))
    assert "was trained on other images (5, here 4)" in message


def test_moved_images_are_the_same(shapes: Path, tmp_path: Path, fewer: Path) -> None:
    moved = Path(shutil.copytree(shapes, tmp_path / "moved"))
    same, other, changed = (
        describe_images(FolderDataModule(str(root), CLASS_NAMES)) for root in (shapes, moved, fewer)
    )
    assert same == other != changed
    for folder in ("images", "masks"):
        (moved / folder / "train" / "00000.png").rename(moved / folder / "train" / "renamed.png")
    renamed = describe_images(FolderDataModule(str(moved), CLASS_NAMES))
    assert renamed["count"] == same["count"]
    assert renamed["hash"] != same["hash"]
    assert describe_images(SyntheticDataModule(7, 1, 1))["count"] == 7


@pytest.mark.parametrize(
    ("option", "changed", "message"),
    [
        ("--ckpt_path", f"--data.class_names=[{','.join(reversed(CLASS_NAMES))}]", "the checkpoint's classes are back"),
        ("--init_from", "--model.network.channels=[5, 10, 20]", "of another network: 0% of the weights fit, "),
    ],
)
def test_other_networks_and_classes_are_rejected(
    trained: Outcome, run: Run, option: str, changed: str, message: str
) -> None:
    last = trained.folder / "checkpoints" / "last.ckpt"
    options = [option, last, changed, "--trainer.max_epochs=3"]
    assert error_of(run("fit", "-c", trained.folder / "config.yaml", *options)).startswith(f"{last}: {message}")


def test_weights_alone_are_no_training_to_continue(tmp_path: Path) -> None:
    torch.save(UNet(2).state_dict(), file := tmp_path / "weights.pth")
    hint = f"; to start a new training from its weights: --init_from {file}"
    with pytest.raises(InputError, match=rf"^{file}: has no state of a training to continue \(.*\){hint}$"):
        find_ckpt_path("fit", str(file), SimpleNamespace(max_epochs=3, max_steps=-1))


@pytest.mark.parametrize("command", ["fit --init_from", "fit --ckpt_path", "test --ckpt_path"])
def test_malformed_record_is_one_line(trained: Outcome, run: Run, tmp_path: Path, command: str) -> None:
    checkpoint = torch.load(trained.folder / "checkpoints" / "last.ckpt", weights_only=True)
    torch.save({**checkpoint, "seglit": {**checkpoint["seglit"], "labels": 3}}, tmp_path / "bad.ckpt")
    name, option = command.split()
    options = [f"{option}=bad.ckpt", "--trainer.default_root_dir=runs", "--trainer.max_epochs=3"]
    message = error_of(run(name, "-c", trained.folder / "config.yaml", *options))
    assert re.match(r"(\S+/)?bad\.ckpt: not a seglit checkpoint, or damaged \(", message)


def test_checkpoint_that_is_cut_off_at_any_byte_is_one_line(trained: Outcome, tmp_path: Path) -> None:
    content = (trained.folder / "checkpoints" / "last.ckpt").read_bytes()
    file = tmp_path / "cut.ckpt"
    for size in (*range(0, 4000, 97), *range(4000, len(content), len(content) // 50), len(content) - 1):
        file.write_bytes(content[:size])
        with pytest.raises(InputError, match=rf"^{file}: not a checkpoint, or truncated \(.+\)$"):
            read_checkpoint(file)
