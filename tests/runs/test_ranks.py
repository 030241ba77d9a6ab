"""Runs on two ranks, through the command line: weights that are sharded, and ranks that are killed."""

import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from PIL import Image
from torch import Tensor

from seglit.callbacks import rank_watch
from seglit.callbacks.rank_watch import RankWatch
from seglit.callbacks.saving import LastCheckpoint
from seglit.callbacks.signals import Signals
from seglit.data.augment import Augment
from seglit.data.batch import collate
from seglit.data.folder import FolderDataModule
from seglit.data.samples import Samples
from seglit.data.sampling import KeySampler
from seglit.drawing.shapes import write_folder
from seglit.losses import CrossEntropy, Dice
from tests.conftest import CLASS_NAMES, QUIET, Run, run_in
from tests.runs.ranks import PartlyUsed
from tests.test_cli import REPOSITORY, logged, seglit

MODEL = ["--model.network=tests.runs.ranks.PartlyUsed", "--model.optimizer=torch.optim.AdamW"]
MODEL_PARALLEL = {"class_path": "pytorch_lightning.strategies.ModelParallelStrategy"}
SHARDED = {**MODEL_PARALLEL, "init_args": {"save_distributed_checkpoint": False}}
EMA = {"class_path": "pytorch_lightning.callbacks.EMAWeightAveraging", "init_args": {"decay": 0.8}}


def loss_of_first_batch(root: Path, rank: int) -> float:
    """Computes the first loss of a rank, with batches of one image, without a trainer."""
    key = next(iter(KeySampler(4, shuffle=True, num_replicas=2, rank=rank)))
    dataset = FolderDataModule(str(root), CLASS_NAMES).dataset("train")
    batch = collate([Samples(dataset, Augment().pipeline(None))[key]])
    image = (batch["image"] / 255 - 0.449) / 0.226
    logits, mask = PartlyUsed(len(CLASS_NAMES)).train()(image), batch["mask"].long()
    return float((CrossEntropy()(logits, mask) + Dice()(logits, mask)).detach())


@pytest.mark.starts_processes
def test_sharded_weights(tmp_path: Path, run: Run) -> None:
    root = tmp_path / "shapes"
    write_folder(root, 4, 3, 3, (32, 32))
    for file in root.glob("*/[vt][ae][ls]*/00001.png"):  # val and test
        with Image.open(file) as image:
            image.resize((40, 24), Image.Resampling.NEAREST).save(file)
    settings = {"root": str(root), "class_names": CLASS_NAMES, "batch_size": 1, "num_workers": 0}
    config = {
        "data": {"class_path": "seglit.data.FolderDataModule", "init_args": settings},
        "model": {"metrics": ["tests.runs.ranks.Images"]},
        "trainer": {"callbacks": {"class_path": "tests.runs.ranks.AssertSharded"}, "max_epochs": 1},
    }
    (tmp_path / "two.yaml").write_text(yaml.dump(config))
    fsdp = ["-c", str(REPOSITORY / "configs" / "hardware" / "fsdp.yaml"), "--trainer.devices=2"]
    done = seglit(tmp_path, "fit", "-c", "two.yaml", *MODEL, *fsdp, *QUIET)
    assert done.returncode == 0, done.stderr
    (folder,) = tmp_path.glob("runs/*/*")
    columns = logged(folder)
    mean = (loss_of_first_batch(root, 0) + loss_of_first_batch(root, 1)) / 2
    assert float(columns["train/loss"][0]) == pytest.approx(mean, rel=1e-5)

    best = folder / "checkpoints" / "best.ckpt"
    alone = ["--trainer.strategy=auto", "--trainer.devices=1", "--trainer.default_root_dir=alone", "--ckpt_path", best]
    options = ["-c", folder / "config.yaml", *alone, "--trainer.callbacks=null"]
    assert run_in(tmp_path, "validate", *options, "--experiment=val").code == 0
    assert run_in(tmp_path, "test", *options, "--experiment=test").code == 0
    (validated,), (tested,) = tmp_path.glob("alone/val/*"), tmp_path.glob("alone/test/*")
    assert float(columns["val/Images"][0]) == 3  # on two ranks, the second of which gets one and a padding sample
    for name in ("loss", "miou", "pixel_accuracy", "Images"):
        assert float(columns[f"val/{name}"][0]) == pytest.approx(float(logged(validated)[f"val/{name}"][0]))
    files = [json.loads((each / "scores_test.json").read_text()) for each in (folder, tested)]
    assert files[0]["images"] == files[1]["images"]
    assert files[0]["metrics"] == files[1]["metrics"] == {"Images": 3}

    network = PartlyUsed(len(CLASS_NAMES))
    state = torch.load(best, weights_only=True)["state_dict"]
    assert {name: value.shape for name, value in network.state_dict().items()} == {
        name.removeprefix("network."): value.shape for name, value in state.items()
    }
    predicted = run("predict", folder, root / "images" / "test", "--trust=tests.runs.ranks", "--output=out")
    assert predicted.code == 0, predicted.err
    assert len(list((tmp_path / "out" / "masks").iterdir())) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="pidfd_open")
@pytest.mark.starts_processes
def test_killed_rank_ends_the_run(tmp_path: Path, tiny: list[str]) -> None:
    kill = {"class_path": "tests.runs.ranks.KillRank", "init_args": {"rank": 1, "step": 4}}  # in the second epoch
    (tmp_path / "kill.yaml").write_text(yaml.dump({"trainer": {"callbacks": kill}}))
    (tmp_path / "mine.py").write_text("from seglit.losses import Dice\n\n\nclass Loss(Dice): ...\n")
    two = [
        "--model.criterion=mine.Loss",  # of the working directory, which the ranks search for modules
        "-c",
        "kill.yaml",
        "--data.batch_size=1",
        "--trainer.devices=2",
        "--trainer.strategy=ddp_find_unused_parameters_true",
    ]
    done = seglit(tmp_path, "fit", *tiny, *MODEL, *two)
    assert done.returncode == 1
    (folder,) = tmp_path.glob("runs/*/*")
    error = r"\nseglit: error: rank 1 \(process \d+\) was killed by SIGKILL, probably because the memory is full\n"
    assert re.search(error, done.stderr)
    assert done.stdout.endswith(f"\nrun folder: {folder}\ngo on:      python -m seglit fit --resume {folder}\n")


@pytest.mark.skipif(sys.platform != "linux", reason="pidfd_open")
def test_death_of_rank_0_is_named_by_the_next_rank(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Rank 0 starts the others, so nobody but a launcher waits for it."""
    monkeypatch.setattr(rank_watch, "_PATIENCE", 0.0)
    (tmp_path / "last.ckpt").touch()
    trainer: Any = SimpleNamespace(global_rank=1, strategy=SimpleNamespace(launcher=None), default_root_dir="RUN")
    trainer.checkpoint_callbacks = [LastCheckpoint(str(tmp_path))]
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as rank_0:
        ranks = {0: rank_0.pid}, {0: os.pidfd_open(rank_0.pid)}
        rank_1 = multiprocessing.get_context("fork").Process(target=RankWatch()._watch, args=(trainer, *ranks))
        rank_1.start()
        rank_0.kill()
        rank_1.join()
    assert rank_1.exitcode == 1
    captured = capfd.readouterr()
    reason = "has ended: killed, or by an error, which is then above"
    assert captured.err == f"\nseglit: error: rank 0 (process {rank_0.pid}) {reason}\n"
    assert captured.out.endswith("fit --resume RUN\n")


def test_signal_that_arrives_while_ranks_agree_is_kept() -> None:
    signals = Signals()

    def reduce(received: Tensor, reduce_op: str) -> Tensor:
        signals.received = signals.received or signal.SIGUSR1
        return received

    trainer: Any = SimpleNamespace(world_size=2, strategy=SimpleNamespace(root_device="cpu", reduce=reduce))
    agreed = [signals.agree(trainer, at_logged_steps=False) for _ in range(2)]
    assert agreed == [0, signal.SIGUSR1]


def test_job_whose_time_ends_in_the_test_is_requeued(monkeypatch: pytest.MonkeyPatch, signal_handlers: None) -> None:
    for name, value in {"JOB_ID": "12", "ARRAY_JOB_ID": "11", "ARRAY_TASK_ID": "3", "NTASKS": "1"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    calls: list[list[str]] = []
    monkeypatch.setattr(subprocess, "run", lambda args, **_: calls.append(args))
    trainer: Any = SimpleNamespace(is_global_zero=True)
    trainer._accelerator_connector = SimpleNamespace(cluster_environment=SLURMEnvironment())
    Signals().install(trainer, at_once=True)
    with pytest.raises(SystemExit) as left:
        signal.raise_signal(signal.SIGUSR1)
    assert left.value.code == 0
    assert [args[1:] for args in calls] == [["requeue", "11_3"]]


@pytest.mark.parametrize(
    ("trainer", "message"),
    [
        ({"strategy": "fsdp"}, "trainer.strategy fsdp is not supported; ModelParallelStrategy is FSDP2"),
        ({"strategy": MODEL_PARALLEL}, "set save_distributed_checkpoint: false"),
        ({"strategy": SHARDED, "callbacks": EMA}, "EMAWeightAveraging keeps a second, whole copy of the weights"),
        ({"strategy": SHARDED, "sync_batchnorm": True}, "trainer.sync_batchnorm has no effect"),
    ],
)
def test_strategies_that_do_not_fit(tmp_path: Path, run: Run, tiny: list[str], trainer: Any, message: str) -> None:
    (tmp_path / "strategy.yaml").write_text(yaml.dump({"trainer": trainer}))
    code, _, err = run("fit", *tiny, "-c", "strategy.yaml")
    assert code == 2
    assert message in err.splitlines()[-1]
