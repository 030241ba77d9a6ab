"""Shared by the tests of invalid input: a timeout, a checkpoint, and the ways in which a user reads data."""

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
    "--pictures.count=1",
]


@pytest.fixture(autouse=True)
def no_hang() -> Iterator[None]:
    """Fails a test that blocks, for example on a pipe."""
    if not hasattr(signal, "SIGALRM"):
        yield
        return
    signal.signal(signal.SIGALRM, lambda *_: pytest.fail("timeout"))
    signal.alarm(60)
    yield
    signal.alarm(0)


@pytest.fixture(scope="session")
def ckpt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("checkpoint") / "water.ckpt", WATER)


def read_all(data: SegmentationDataModule) -> dict[str, tuple[Array, Array]]:
    """All images and masks of all splits, by split and name."""
    pairs: dict[str, tuple[Array, Array]] = {}
    for split in SPLITS:
        if data.has_split(split):
            dataset = data.dataset(split)
            for index in range(len(dataset)):
                image, mask, name = dataset.read(index)
                assert f"{split}/{name}" not in pairs
                pairs[f"{split}/{name}"] = image, mask
    return pairs


def read_written(file: Path) -> dict[str, tuple[Array, Array]]:
    """Reads all pairs with a configuration that `seglit inspect` wrote into its working folder."""
    # the loader of jsonargparse, which is stricter
    settings = yaml.load(file.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))["init_args"]
    settings.pop("augment")
    with chdir(file.parent):
        return read_all(FolderDataModule(**settings, num_workers=0))


def findings(outcome: Outcome) -> dict[str, dict[str, str]]:
    """The findings of `seglit inspect --json`: code to files with their messages."""
    result: dict[str, Any] = json.loads(outcome.out)
    return {finding["code"]: dict(finding["files"]) for finding in result["findings"]}


def inspect(run: Run, folder: Path, *args: str) -> Outcome:
    """Inspects a folder and writes `FOLDER.yaml` beside it."""
    return run("inspect", folder, "--json", f"--write={folder}.yaml", "--workers=1", *args)


def only_line(text: str) -> str:
    (line,) = text.splitlines()
    return line


def left_behind(folder: Path) -> list[Path]:
    """Temporary files of unfinished writes."""
    return [path for path in folder.rglob("*") if path.suffix in (".part", ".tmp")]
