"""All pairs are read before the first step, once; what fails later leaves a way to go on."""

import json
import os
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
from PIL import Image

from seglit.data import FolderDataModule
from seglit.data.verify import verify
from seglit.errors import InputError
from tests.conftest import QUIET, Run

NAMES = ["background", "crack"]
OPTIONS = [*QUIET, "--model.network=seglit.networks.UNet", "--model.network.channels=[4,8]", "--data.batch_size=2"]


def write_labelme(file: Path, **changes: Any) -> None:
    shape = {"label": "crack", "points": [[2, 2], [12, 2], [12, 12]], "shape_type": "polygon", **changes}
    file.write_text(json.dumps({"shapes": [shape], "imagePath": f"{file.stem}.png"}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """4 training, 2 validation and 2 test images, each with a mask and with labelme's annotations."""
    root = tmp_path / "data"
    for split, count in (("train", 4), ("val", 2), ("test", 2)):
        for kind in ("images", "masks"):
            (root / kind / split).mkdir(parents=True)
        for index in range(count):
            pixels = np.random.default_rng(index).integers(0, 256, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / f"images/{split}/{index}.png")
            Image.fromarray(pixels[..., 0] // 128).save(root / f"masks/{split}/{index}.png")
            write_labelme(root / f"images/{split}/{index}.json")
    return root


def spoil_value(root: Path) -> None:
    Image.fromarray(np.full((16, 16), 7, np.uint8)).save(root / "masks/test/1.png")


def spoil_label(root: Path) -> None:
    write_labelme(root / "images/test/1.json", label="Crack")


def spoil_shape(root: Path) -> None:
    write_labelme(root / "images/test/1.json", points=[[1, 1], [9, 9]], shape_type="line")


def spoil_image(root: Path) -> None:
    file = root / "images/test/1.png"
    file.write_bytes(file.read_bytes()[:200])


LABELME = ["--data=AnnotationDataModule", "--data.reader=seglit.annotations.Labelme"]
FOLDERS = ["--data=FolderDataModule"]


@pytest.mark.parametrize(
    ("data", "spoil", "message"),
    [
        (FOLDERS, spoil_value, r"masks/test/1\.png: contains the value 7 "),
        (LABELME, spoil_label, r"images/test/1\.json: the label 'Crack' .*did you mean 'crack'"),
        (LABELME, spoil_shape, r"images/test/1\.json: contains a line"),
        (FOLDERS, spoil_image, r"images/test/1\.png: "),
    ],
)
@pytest.mark.parametrize("workers", [0, 1])
def test_an_invalid_test_pair_ends_the_run_before_training(
    run: Run, folder: Path, data: list[str], spoil: Callable[[Path], None], message: str, workers: int
) -> None:
    spoil(folder)
    options = [f"--data.root={folder}", f"--data.class_names=[{','.join(NAMES)}]", f"--data.num_workers={workers}"]
    outcome = run("fit", *data, *options, *OPTIONS)
    assert outcome.code == 2
    assert re.search(message, outcome.err)
    assert outcome.out.count("\n") == 0
    assert not any((folder.parent / "runs").rglob("*"))


def test_all_invalid_pairs_are_counted(folder: Path) -> None:
    for index in range(4):
        Image.fromarray(np.full((16, 16), 7, np.uint8)).save(folder / f"masks/train/{index}.png")
    data = FolderDataModule(str(folder), NAMES, num_workers=0)
    with pytest.raises(InputError, match=r"train/0\.png: .* \(4 of 4 pairs of train cannot be used\)$"):
        verify(data, test=True)


def test_pairs_are_read_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[str] = []

    def reads_of(test: bool = True, **settings: Any) -> list[str]:
        data = FolderDataModule(str(folder), NAMES, num_workers=0, **settings)
        kind = type(data.dataset("train"))
        read = kind.read

        def spy(dataset: Any, index: int) -> Any:
            reads.append(dataset.pairs[index].image.relative_to(folder / "images").as_posix())
            return read(dataset, index)

        reads.clear()
        with monkeypatch.context() as patched:
            patched.setattr(kind, "read", spy)
            verify(data, test=test)
        return reads

    everything = [f"{split}/{i}.png" for split, count in (("train", 4), ("val", 2), ("test", 2)) for i in range(count)]
    assert reads_of(test=False) == everything[:6]
    assert reads_of() == everything[6:]
    assert reads_of() == []
    assert reads_of(ignore_values=[3]) == everything
    assert reads_of() == []  # each setting is remembered
    os.utime(folder / "masks/val/1.png", ns=(1, 1))
    assert reads_of() == ["val/1.png"]
    spoil_value(folder)
    for _ in range(2):  # errors are not remembered
        with pytest.raises(InputError, match="test/1"):
            reads_of()
        assert reads == ["test/1.png"]


class FailsOnce(pl.Callback):
    """Fails in the second epoch, unless it has failed before."""

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        failed = Path(trainer.default_root_dir).parents[2] / "failed"
        if trainer.current_epoch == 1 and not failed.exists():
            failed.touch()
            raise InputError("the disk is gone")


def test_failures_say_how_to_go_on(run: Run, folder: Path) -> None:
    spoil_value(folder)
    options = [*FOLDERS, f"--data.root={folder}", f"--data.class_names=[{','.join(NAMES)}]", "--data.num_workers=0"]
    callback = f"--trainer.callbacks=[{{class_path: {__name__}.FailsOnce}}]"
    failed = run("fit", *options, *OPTIONS, "--trainer.max_epochs=2", "--check=false", callback)
    assert failed.code == 2
    assert failed.err.splitlines()[-1] == "seglit: error: the disk is gone"
    (command,) = re.findall("^go on: +seglit (.*)$", failed.out, re.MULTILINE)
    assert command == f"fit --resume {failed.folder}"

    tested = run(*shlex.split(command))  # trains to the end, then fails in the test
    assert tested.code == 2
    assert "masks/test/1.png" in tested.err
    (command,) = re.findall("^go on: +seglit (.*)$", tested.out, re.MULTILINE)
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(folder / "masks/test/1.png")
    assert run(*shlex.split(command)).code == 0


def test_a_monitor_that_is_not_logged(run: Run, tmp_path: Path, tiny: list[str]) -> None:
    outcome = run("fit", *tiny, "--checkpoint.monitor=val/iou/dis")
    assert outcome.code == 2
    assert "checkpoint.monitor is 'val/iou/dis', which validation does not log; did you mean 'val/iou/disk'?" in (
        outcome.err
    )
    assert not list(tmp_path.rglob("*.ckpt"))
