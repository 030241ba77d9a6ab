"""What the tests of bad input share: a limit of time, a checkpoint, and the doors that a user has."""

import json
import signal
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
import yaml

from seglit.data import FolderDataModule
from seglit.data.base import SegmentationDataModule
from seglit.images.pairs import Split
from tests.conftest import Outcome, Run
from tests.corpus.files import Array
from tests.predict.brightest import WATER, checkpoint

SPLITS: tuple[Split, ...] = ("train", "val", "test")
TINY = [
    "--model.network=seglit.networks.UNet",
    "--model.network.channels=[4,8]",
    "--data.batch_size=2",
    "--data.num_workers=0",
    "--trainer.max_epochs=1",
    "--trainer.limit_train_batches=1",
    "--trainer.num_sanity_val_steps=0",
    "--trainer.accelerator=cpu",
    "--trainer.enable_progress_bar=false",
    "--trainer.enable_model_summary=false",
]


@pytest.fixture(autouse=True)
def no_hang() -> Iterator[None]:
    """Fails what waits for ever, such as for the other end of a pipe."""
    if not hasattr(signal, "SIGALRM"):
        yield
        return
    signal.signal(signal.SIGALRM, lambda *_: pytest.fail("it hangs"))
    signal.alarm(60)
    yield
    signal.alarm(0)


@pytest.fixture(scope="session")
def ckpt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("checkpoint") / "water.ckpt", WATER)


def read_all(data: SegmentationDataModule) -> dict[str, tuple[Array, Array]]:
    """Every image and mask of every split, by split and name."""
    read: dict[str, tuple[Array, Array]] = {}
    for split in SPLITS:
        if data.has_split(split):
            dataset = data.dataset(split)
            for index in range(len(dataset)):
                image, mask, name = dataset.read(index)
                assert f"{split}/{name}" not in read
                read[f"{split}/{name}"] = image, mask
    return read


def read_written(file: Path) -> dict[str, tuple[Array, Array]]:
    """What the configuration reads that `seglit inspect` wrote in the folder it was called in."""
    # as jsonargparse does; the other loader takes more
    settings = yaml.load(file.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))["init_args"]
    settings.pop("augment")
    with chdir(file.parent):
        return read_all(FolderDataModule(**settings, num_workers=0))


def findings(outcome: Outcome) -> dict[str, dict[str, str]]:
    """What `seglit inspect --json` found: code to files, each with what is said of it."""
    told: dict[str, Any] = json.loads(outcome.out)
    return {each["code"]: dict(each["files"]) for each in told["findings"]}


def inspect(run: Run, folder: Path, *args: str) -> Outcome:
    """Inspects a folder and writes `FOLDER.yaml` beside it."""
    return run("inspect", folder, "--json", f"--write={folder}.yaml", "--workers=1", *args)


def only_line(text: str) -> str:
    (line,) = text.splitlines()
    return line


def left_behind(folder: Path) -> list[Path]:
    """Files that were begun and not finished."""
    return [path for path in folder.rglob("*") if path.suffix in (".part", ".tmp")]
