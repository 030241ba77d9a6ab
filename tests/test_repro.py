"""`make repro` tells a training that repeats from one that does not, and names the operators."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.conftest import Run
from tests.repro import compare


class Noisy(nn.Module):
    """A network whose output has noise that no seed repeats, by an operator without a deterministic implementation."""

    def __init__(self, num_classes: int, in_channels: int = 3) -> None:
        super().__init__()
        self.layer = nn.Conv2d(in_channels, num_classes, 1)

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.layer(image)
        noise = torch.zeros_like(logits)
        generator = torch.Generator()
        generator.seed()
        noise.put_(torch.arange(noise.numel()), torch.randn(noise.numel(), generator=generator))
        return logits + noise


def fit(run: Run, tiny: list[str], name: str, *options: str) -> Path:
    args = [f"--experiment={name}", "--trainer.max_steps=1", "--test_after_fit=false", "--pictures.count=0", *options]
    outcome = run("fit", *tiny, *args)
    assert outcome.code == 0, outcome.err
    return outcome.folder


def test_equal_trainings_have_equal_hashes(run: Run, tiny: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert compare([fit(run, tiny, name) for name in "ab"]) == []
    assert capsys.readouterr().out.count("same\n") == 3


def test_noise_is_found_and_its_operator_is_named(
    run: Run, tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    callback = f"{{class_path: tests.repro.NameOperators, init_args: {{file: {tmp_path / 'operators.txt'}}}}}"
    (tmp_path / "named.yaml").write_text(f"trainer: {{deterministic: warn, callbacks+: {callback}}}")
    options = ["--model.network=tests.test_repro.Noisy", "-c", "named.yaml", "--trainer.num_sanity_val_steps=0"]
    assert compare([fit(run, tiny, name, *options) for name in "ab"]) == ["weights", "optimizer", "losses"]
    assert capsys.readouterr().out.count("DIFFERS\n") == 3
    assert (tmp_path / "operators.txt").read_text() == "put_\n"
