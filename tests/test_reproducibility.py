"""The weights of a run depend on configuration and seed, not on workers or interruptions."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.conftest import Outcome, Run, run_in

AUGMENT = Path(__file__).parents[1] / "configs" / "augment" / "strong.yaml"
EVERY_EPOCH = (
    "--checkpoint.save_top_k=-1",
    "--checkpoint.filename={epoch}",
    "--checkpoint.auto_insert_metric_name=false",
)


def weights(outcome: Outcome) -> dict[str, Tensor]:
    assert outcome.code == 0, outcome.err
    checkpoint = torch.load(outcome.folder / "checkpoints" / "last.ckpt", weights_only=True)
    assert checkpoint["epoch"] == 1  # the last of two, whichever was the best
    state: dict[str, Tensor] = checkpoint["state_dict"]
    return state


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    assert one.keys() == other.keys()
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def options(tiny: list[str]) -> list[object]:
    """Two epochs of random crops with all augmentations."""
    return [
        *tiny,
        "--data.augment",
        AUGMENT,
        "--data.crop_size=[24, 24]",
        "--test_after_fit=false",
        "--pictures.count=0",
    ]


@pytest.fixture(scope="module")
def reference(options: list[object], tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return run_in(tmp_path_factory.mktemp("reference"), "fit", *options, *EVERY_EPOCH)


def test_config_yaml_reproduces_the_run(reference: Outcome, run: Run) -> None:
    again = run("fit", "-c", reference.folder / "config.yaml")
    assert again.folder != reference.folder
    assert same(weights(again), weights(reference))
    first, second = ((each.folder / "config.yaml").read_text() for each in (reference, again))
    assert first == second


def test_seed_changes_the_run(reference: Outcome, options: list[object], run: Run) -> None:
    assert not same(weights(run("fit", *options, "--seed_everything=1")), weights(reference))


def test_number_of_workers_does_not_change_the_run(reference: Outcome, options: list[object], run: Run) -> None:
    assert same(weights(run("fit", *options, "--data.num_workers=1")), weights(reference))


@pytest.mark.parametrize("workers", [0, 2])
def test_resuming_equals_an_uninterrupted_run(
    reference: Outcome, options: list[object], run: Run, workers: int
) -> None:
    checkpoint = reference.folder / "checkpoints" / "0.ckpt"
    resumed = run("fit", *options, "--ckpt_path", checkpoint, f"--data.num_workers={workers}")
    assert same(weights(resumed), weights(reference))
    first = torch.load(reference.folder / "checkpoints" / "0.ckpt", weights_only=True)["state_dict"]
    assert not same(first, weights(reference))
