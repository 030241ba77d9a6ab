"""A training that is no longer finite ends, with a message, before it is scored or saved."""

import re
from collections.abc import Iterable
from pathlib import Path

import pytest
import torch
import yaml
from torch import Tensor

from seglit.errors import RunError
from seglit.evaluation.nan_images import NaNImages
from tests.conftest import Outcome, Run
from tests.test_cli import logged

NETWORK = "--model.network=tests.callbacks.failing.Failing"
RARELY_LOGGED = "--trainer.log_every_n_steps=50"


def error_of(outcome: Outcome) -> str:
    assert outcome.code == 1
    assert "│" not in outcome.out  # the table
    assert "go on:" not in outcome.out  # it would fail again
    line = outcome.err.splitlines()[-1]
    assert line.startswith("seglit: error: ")
    return line.removeprefix("seglit: error: ")


def is_finite(file: Path) -> bool:
    values: Iterable[Tensor] = torch.load(file, weights_only=True)["state_dict"].values()
    return all(bool(value.isfinite().all()) for value in values)


def test_too_large_learning_rate_ends_before_the_first_checkpoint(run: Run, tiny: list[str], tmp_path: Path) -> None:
    message = error_of(run("fit", *tiny, RARELY_LOGGED, "--model.optimizer.lr=1e30"))
    assert re.match(
        r"training stopped after step 2: the loss is (nan|inf) in step 2 \(images 0000\d, 0000\d; gradient norm nan, "
        r"learning rate 1e\+30\); last finite: step 1 \(loss \d\.\d+, gradient norm \d\.\d+\)\. These weights",
        message,
    )
    assert "--model.optimizer.init_args.lr" in message
    assert not list(tmp_path.glob("runs/*/*/checkpoints/*"))


@pytest.mark.parametrize(
    ("fails", "call", "message"),
    [
        # the 2nd batch of the 3rd step, after an epoch of five batches and three steps
        ("nan", 7, r"training stopped after step 4: the loss is nan in step 4 \(images 0000\d; gradient norm nan"),
        ("gradient", 6, r"training stopped after step 4: gradients are not finite in step 4 \(images 0000\d, 0000\d; "),
    ],
)
def test_message_names_step_and_images(
    run: Run, tiny: list[str], tmp_path: Path, fails: str, call: int, message: str
) -> None:
    options = ["--trainer.accumulate_grad_batches=2", "--data.batch_size=1"]
    outcome = run("fit", *tiny, NETWORK, f"--model.network.fails={fails}", f"--model.network.call={call}", *options)
    assert re.match(message, error_of(outcome))
    (folder,) = tmp_path.glob("runs/*/*")
    loss = float(logged(folder)["train/loss"][2])  # of the 3rd step, which has one batch
    assert f"last finite: step 3 (loss {loss:.4g}, " in outcome.err
    saved = [*tmp_path.glob("runs/*/*/checkpoints/*")]
    assert {file.name for file in saved} == {"best.ckpt", "last.ckpt"}  # of the first epoch
    assert all(is_finite(file) for file in saved)


@pytest.mark.parametrize("step", [1, 2], ids=["within an epoch", "at its end"])
def test_weights_are_checked_before_each_checkpoint(run: Run, tiny: list[str], tmp_path: Path, step: int) -> None:
    callbacks = {"class_path": "tests.callbacks.failing.Poison", "init_args": {"step": step}}
    (tmp_path / "poison.yaml").write_text(yaml.dump({"trainer": {"callbacks": callbacks}}))
    options = [
        "-c",
        "poison.yaml",
        "--model.network.fails=nan",
        "--model.network.call=99",
        RARELY_LOGGED,
        "--save_steps=1",
    ]
    message = error_of(run("fit", *tiny, NETWORK, *options))
    assert message.startswith(f"training stopped after step {step}: network.layer.bias is not finite; last")
    saved = [*tmp_path.glob("runs/*/*/checkpoints/*")]
    assert len(saved) == step - 1
    assert all(is_finite(file) for file in saved)


def test_infinite_gradients_of_16_bits_lower_the_scale_to_1(run: Run, tiny: list[str], tmp_path: Path) -> None:
    callbacks = {"class_path": "tests.callbacks.failing.Scaled", "init_args": {"scale": 4.0}}
    (tmp_path / "scaled.yaml").write_text(yaml.dump({"trainer": {"callbacks": callbacks}}))
    options = ["-c", "scaled.yaml", "--model.network.fails=gradient", "--trainer.precision=bf16-mixed"]
    message = error_of(run("fit", *tiny, NETWORK, *options))  # skips steps at scales 4 and 2, and with 1 as well
    assert message.startswith("training stopped after step 3: gradients are not finite in step 3")


@pytest.mark.parametrize("command", ["test", "validate"])
def test_network_that_answers_nan_is_not_scored(trained: Outcome, run: Run, tmp_path: Path, command: str) -> None:
    checkpoint = torch.load(trained.folder / "checkpoints" / "best.ckpt", weights_only=True)
    next(value for value in checkpoint["state_dict"].values() if value.dim() == 4)[0] = torch.nan
    torch.save(checkpoint, tmp_path / "nan.ckpt")
    options = ["--ckpt_path=nan.ckpt", "--trainer.default_root_dir=runs"]
    message = error_of(run(command, "-c", trained.folder / "config.yaml", *options))
    assert message == "the network answers NaN or infinity for 3 images, first 00000; they are not scored"
    assert not list(tmp_path.glob("**/scores_*.json"))


@pytest.mark.parametrize("value", [torch.inf, -torch.inf, torch.nan])
def test_preds_of_infinite_logits_are_not_scored(value: float) -> None:
    images = NaNImages()
    images.update(torch.tensor([[[1.0, 2.0]], [[1.0, value]]]), ["finite", "other"])
    with pytest.raises(RunError, match="answers NaN or infinity for 1 images, first other; they are not scored"):
        images.check()
