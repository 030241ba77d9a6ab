"""Values that the parser and Lightning accept are rejected before they fail, or train wrongly."""

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from seglit.config.value_checks import check_values
from seglit.errors import InputError


def config(**trainer: Any) -> Any:
    """A configuration with Lightning's defaults."""
    defaults: dict[str, Any] = {"accumulate_grad_batches": 1, "check_val_every_n_epoch": 1, "val_check_interval": None}
    defaults |= {"gradient_clip_val": None, "log_every_n_steps": 50}
    defaults |= {"accelerator": "auto", "profiler": None, "strategy": "auto"}
    return SimpleNamespace(model=SimpleNamespace(scheduler=None), trainer={**defaults, **trainer})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("accumulate_grad_batches", 0),
        ("check_val_every_n_epoch", 0),
        ("val_check_interval", 0),
        ("val_check_interval", 0.0),
        ("gradient_clip_val", -1),
        ("gradient_clip_val", math.nan),
        ("gradient_clip_val", math.inf),
        ("log_every_n_steps", -1),
    ],
)
def test_numbers_out_of_range(name: str, value: float) -> None:
    with pytest.raises(InputError, match=rf"^trainer\.{name} is {value}; it must be finite and (above 0|0 or above)$"):
        check_values(config(**{name: value}))


def test_numbers_that_are_allowed() -> None:
    check_values(config(check_val_every_n_epoch=None, gradient_clip_val=0, log_every_n_steps=0, val_check_interval=0.5))
    check_values(config(gradient_clip_val=1e-6, profiler="simple"))


def test_class_for_a_name() -> None:
    message = (
        "trainer.strategy is 'lightning.pytorch.strategies.DDPStrategy'; a class is given as "
        "--trainer.strategy.class_path=pytorch_lightning.strategies.DDPStrategy"
    )
    with pytest.raises(InputError, match=f"^{message}$"):
        check_values(config(strategy="lightning.pytorch.strategies.DDPStrategy"))


def test_negative_norm_would_turn_gradients_around() -> None:
    weight = torch.nn.Parameter(torch.zeros(1))
    weight.grad = torch.ones(1)
    torch.nn.utils.clip_grad_norm_([weight], -1.0)
    assert weight.grad.item() < 0
