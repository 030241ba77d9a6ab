"""A training that is continued has the learning rate, weight decay and schedule that its settings state."""

import shutil
from typing import Any

import pytest
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, SequentialLR

from seglit.errors import InputError
from seglit.runs.optimization import check_lengths, check_optimization, optimization_settings, saved_lengths
from tests.conftest import Outcome, Run

COSINE = ["--model.scheduler=torch.optim.lr_scheduler.CosineAnnealingLR", "--model.scheduler.eta_min=0.001"]


def config(scheduler: str, **optimizer: object) -> dict[str, Any]:
    parts = {"optimizer": {"class_path": "torch.optim.AdamW", "init_args": optimizer}, "encoder_lr_factor": 1.0}
    schedule = {"class_path": scheduler, "init_args": {"power": 0.9}} if scheduler else None
    return {"model": {**parts, "scheduler": schedule, "network": {"class_path": "a.Net"}}}


@pytest.mark.parametrize("option", ["optimizer.lr=0.0001", "optimizer.weight_decay=0.5", "encoder_lr_factor=0.1"])
def test_settings_that_a_checkpoint_replaces_are_refused(trained: Outcome, run: Run, option: str) -> None:
    last = trained.folder / "checkpoints" / "last.ckpt"
    more = ["--ckpt_path", last, "--trainer.max_epochs=3", "--trainer.default_root_dir=runs", f"--model.{option}"]
    outcome = run("fit", "-c", trained.folder / "config.yaml", *more)
    assert outcome.code == 2
    name, _, value = option.partition("=")
    group = torch.load(last, weights_only=True)["optimizer_states"][0]["param_groups"][0]
    saved = {"optimizer.lr": group["initial_lr"], "optimizer.weight_decay": 0.01, "encoder_lr_factor": 1.0}[name]
    assert outcome.err.splitlines()[-1] == (
        f"seglit: error: model.{name} is {value}, but {last} continues with its own, {saved}; to start a new training "
        f"from its weights: --init_from {last}"
    )


def test_what_is_compared() -> None:
    ours, poly = "seglit.optim.WarmupPolynomial", "torch.optim.lr_scheduler.PolynomialLR"
    settings = optimization_settings(config(ours, lr=0.1, fused=True, foreach=None))
    assert settings == {
        "model.optimizer": "torch.optim.AdamW",
        "model.optimizer.lr": 0.1,
        "model.scheduler": ours,
        "model.encoder_lr_factor": 1.0,
    }
    assert optimization_settings(config(poly))["model.scheduler.power"] == 0.9
    constant = optimization_settings(config("", lr=0.1, of_a_newer_torch=True))
    check_optimization(constant, constant, "last.ckpt")
    check_optimization({}, constant, "last.ckpt")  # of an earlier version
    with pytest.raises(InputError, match=rf"^model.scheduler is null, but last.ckpt continues with its own, {ours};"):
        check_optimization(settings, constant, "last.ckpt")


def test_length_may_differ_by_the_last_batches_of_epochs_only() -> None:
    check_lengths({"T_max": 1000}, {"T_max": 1010}, "last.ckpt")
    with pytest.raises(InputError, match=r"T_max is 970, but last.ckpt continues with its own, 1000; to start"):
        check_lengths({"T_max": 1000}, {"T_max": 970}, "last.ckpt")


def test_length_of_a_part_of_a_schedule_is_compared() -> None:
    def lengths(steps: int) -> dict[str, int]:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))])
        parts: list[LRScheduler] = [LinearLR(optimizer, total_iters=50), CosineAnnealingLR(optimizer, steps - 50)]
        return saved_lengths([SequentialLR(optimizer, parts, [50]).state_dict()])

    check_lengths(lengths(1000), lengths(1000), "last.ckpt")
    with pytest.raises(InputError, match=r"T_max is 1950, but last.ckpt continues with its own, 950; to start"):
        check_lengths(lengths(1000), lengths(2000), "last.ckpt")


def test_schedule_that_keeps_its_length_is_not_trained_longer(run: Run, tiny: list[str]) -> None:
    folder = run("fit", *tiny, *COSINE, "--test_after_fit=false").folder
    last, text = folder / "checkpoints" / "last.ckpt", (folder / "config.yaml").read_text()
    rates = [group["lr"] for group in torch.load(last, weights_only=True)["optimizer_states"][0]["param_groups"]]
    assert rates == pytest.approx([0.001] * len(rates))  # T_max is the number of steps
    outcome = run("fit", "--resume", folder, "--trainer.max_epochs=4")
    assert outcome.code == 2
    assert outcome.err.splitlines()[-1] == (
        f"seglit: error: --trainer.max_epochs 4: the learning rate schedule of {folder} continues with its own T_max, "
        f"of 2 epochs; to start a new training from its weights: seglit fit -c {folder}/config.yaml --init_from "
        f"{folder} --trainer.max_epochs 4"
    )
    assert (folder / "config.yaml").read_text() == text
    outcome = run("fit", *tiny, *COSINE, "--ckpt_path", last, "--trainer.max_epochs=4")
    assert outcome.code == 2
    assert f"T_max is 8, but {last} continues with its own, 4; to start a new" in outcome.err.splitlines()[-1]
    whole = torch.load(last, weights_only=True)["lr_schedulers"]
    shutil.copyfile(last.with_name("previous.ckpt"), last)
    assert run("fit", "--resume", folder).code == 0  # as long as it was
    assert torch.load(last, weights_only=True)["lr_schedulers"] == whole
