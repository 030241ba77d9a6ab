"""Full memory and dead worker processes are explained in one line."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest
import pytorch_lightning as pl
import torch
import yaml
from lightning_fabric.plugins.precision.transformer_engine import TransformerEnginePrecision
from torch.utils.data import DataLoader

from seglit.errors import InputError, RunError
from seglit.runs.failures import explaining_failures
from tests.conftest import Run


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--data.batch_size=4", "--data.crop_size=[16,24]", "--trainer.accumulate_grad_batches=3"],
            r"4, crop_size [16,24] and .*; as many .*: --data.batch_size 2 --trainer.accumulate_grad_batches 6",
        ),
        (
            ["--data.batch_size=3"],
            r"3, crop_size null .* and .*; as many .*: --data.batch_size 1 --trainer.accumulate_grad_batches 3",
        ),
        (["--data.batch_size=1"], r"1, crop_size null .* and .*; use a smaller --data.crop_size"),
    ],
)
def test_full_memory_of_a_gpu(run: Run, tiny: list[str], options: list[str], message: str) -> None:
    network = ["--model.network=tests.callbacks.failing.Failing", "--model.network.fails=memory"]
    code, _, err = run("fit", *tiny, *network, *options)
    assert code == 1
    begin = "seglit: error: out of memory on the GPU with batch_size "
    pattern = ".*".join(map(re.escape, f"{begin}{message}".split(".*")))
    assert re.fullmatch(pattern, err.splitlines()[-1])
    assert "precision 32-true" in err


def test_training_that_ran_out_of_memory_later_goes_on_with_smaller_batches(run: Run, tiny: list[str]) -> None:
    network = ["--model.network=tests.callbacks.failing.Failing", "--model.network.fails=memory"]
    outcome = run("fit", *tiny, *network, "--model.network.call=4")  # in the second epoch
    assert outcome.code == 1
    *_, folder, command = outcome.out.splitlines()
    run_folder = folder.removeprefix("run folder: ")
    config, checkpoint = f"{run_folder}/config.yaml", f"{run_folder}/checkpoints/last.ckpt"
    assert command == (f"go on:      seglit fit -c {config} --ckpt_path {checkpoint}, with the smaller settings below")
    smaller = outcome.err.splitlines()[-1].partition("as many images per step: ")[2].split()
    assert smaller == ["--data.batch_size", "1", "--trainer.accumulate_grad_batches", "2"]
    works = ["--model.network.call=99", "--test_after_fit=false", *smaller]
    assert run("fit", "-c", config, "--ckpt_path", checkpoint, *works).code == 0


def test_killed_worker(run: Run, tiny: list[str], tmp_path: Path, signal_handlers: None) -> None:
    callbacks = {"class_path": "tests.callbacks.failing.KillWorker"}
    (tmp_path / "kill.yaml").write_text(yaml.dump({"trainer": {"callbacks": callbacks}}))
    code, _, err = run("fit", *tiny, "-c", "kill.yaml", "--data.num_workers=1", "--data.batch_size=1")
    assert code == 1
    assert re.match(
        r"seglit: error: worker process \d+ was killed by SIGKILL: probably because the memory is full; use fewer "
        r"--data.num_workers",
        err.splitlines()[-1],
    )


# As torch writes them; two are of NumPy and OpenCV in a worker.
@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            RuntimeError(
                "DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that dataloader's workers "
                "are out of shared memory. Please try to raise your shared memory limit."
            ),
            r"worker process 7 was killed by SIGBUS: probably because shared memory \(/dev/shm\) is full; .*--shm-size",
        ),
        (
            RuntimeError("DataLoader worker (pid 8) is killed by signal: Segmentation fault. "),
            "worker process 8 was killed by SIGSEGV: a library crashed",
        ),
        (RuntimeError("DataLoader worker (pid(s) 8, 9) exited unexpectedly"), "worker process 8, 9 ended: "),
        (
            RuntimeError("Caught _ArrayMemoryError in DataLoader worker process 0.\nOriginal Traceback ...\nUnable to"),
            "out of memory in a worker process$",
        ),
        (
            RuntimeError("Caught error in DataLoader worker process 1.\n(-4:Insufficient memory) Failed to allocate"),
            "out of memory in a worker process$",
        ),
        (
            RuntimeError(
                "Caught RuntimeError in ...\nunable to write to file </torch_1_2>: No space left on device (28)"
            ),
            r"shared memory \(/dev/shm\) is full; enlarge it",
        ),
        (cv2.error("(-4:Insufficient memory) Failed to allocate"), "out of memory$"),
        (RuntimeError("CUDA error: out of memory"), "out of memory on the GPU$"),
        (MemoryError(), "out of memory$"),
    ],
)
def test_messages_of_torch_are_recognised(error: Exception, message: str) -> None:
    with pytest.raises(RunError, match=f"^{message}"), explaining_failures():
        raise error
    with pytest.raises(RuntimeError, match="another"), explaining_failures():
        raise RuntimeError("another")


@pytest.mark.parametrize("value", ["-1", ".nan"])
def test_setting_that_an_optimizer_rejects(run: Run, tiny: list[str], value: str) -> None:
    code, _, err = run("fit", *tiny, f"--model.optimizer.lr={value}")
    assert (code, err) == (2, f"seglit: error: model.optimizer: Invalid learning rate: {float(value.strip('.'))}\n")


def _step(**settings: Any) -> None:
    weight = torch.nn.Parameter(torch.zeros(2, dtype=torch.complex64))  # no fused kernel has such
    weight.grad = torch.ones_like(weight)
    torch.optim.AdamW([weight], **settings).step()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fused": True, "foreach": True}, "`fused` and `foreach` cannot be `True` together."),
        ({"fused": True, "differentiable": True}, "`fused` does not support `differentiable`"),
        ({"foreach": True, "differentiable": True}, "_foreach ops don't support autograd"),
        ({"fused": True}, "`fused=True` requires all the params to be floating point Tensors of supported devices: "),
        ({"capturable": True}, "If capturable=True, params and state_steps must be on supported devices: "),
    ],
)
def test_settings_of_an_optimizer_that_contradict_each_other(settings: dict[str, bool], message: str) -> None:
    with pytest.raises(InputError, match=f"^model.optimizer: {re.escape(message)}"), explaining_failures():
        _step(**settings)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: DataLoader([0], num_workers=-1), "data: num_workers option should be non-negative; "),  # type: ignore[arg-type]
        (lambda: pl.seed_everything(-1), "seed_everything: -1 is not in bounds, "),
        (lambda: pl.Trainer(accelerator="cpu", devices=-5), "`devices` selected with `CPUAccelerator` should be an "),
        (lambda: TransformerEnginePrecision(weights_dtype=torch.float16), "transformer_engine>=.* is not installed: "),
    ],
)
def test_settings_that_libraries_reject(call: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}"), explaining_failures():
        call()


def test_errors_in_code_are_not_taken_for_settings() -> None:
    with pytest.raises(ValueError, match="mine") as caught, explaining_failures():
        raise ValueError("mine")
    assert type(caught.value) is ValueError
    with pytest.raises(RuntimeError, match="to have 1 channels"), explaining_failures():
        torch.nn.Conv2d(1, 1, 3)(torch.zeros(1, 2, 8, 8))
    weight = torch.nn.Parameter(torch.zeros(2))
    optimizer = torch.optim.AdamW([weight])
    weight.grad = torch.ones(2)
    optimizer.state[weight] = {"step": torch.tensor(0.0), "exp_avg": torch.zeros(3), "exp_avg_sq": torch.zeros(3)}
    with pytest.raises(RuntimeError, match="The size of tensor a") as failed, explaining_failures():
        optimizer.step()
    assert type(failed.value) is RuntimeError
