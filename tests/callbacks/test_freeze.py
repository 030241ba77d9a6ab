"""The encoder is frozen for the configured epochs, also after resuming."""

from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace

import pytest
import pytorch_lightning as pl
import torch
import yaml
from torch import Tensor, nn
from torch.utils.data import DataLoader

from seglit.callbacks.freeze import FreezeEncoder, warn_if_random
from seglit.errors import InputError


class Network(nn.Module):
    """An encoder with running statistics, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.ReLU())
        self.head = nn.Conv2d(2, 2, 1)

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.head(self.encoder(image))
        return logits


class Module(pl.LightningModule):
    """Trains a network and records the encoder's state before training and after each epoch."""

    def __init__(self, network: nn.Module, save_path: Path | None) -> None:
        super().__init__()
        self.network = network
        self.save_path = save_path
        self.history: list[dict[str, Tensor]] = []

    def record(self) -> None:
        encoder = self.get_submodule("network.encoder")
        self.history.append({key: value.clone() for key, value in encoder.state_dict().items()})

    def on_train_start(self) -> None:
        self.record()

    def on_train_batch_end(self, *_: object) -> None:
        if self.save_path and self.trainer.global_step == 1:
            self.trainer.save_checkpoint(self.save_path)

    def on_train_epoch_end(self) -> None:
        self.record()

    def training_step(self, batch: Tensor) -> Tensor:
        loss: Tensor = self.network(batch).square().mean()
        return loss

    def validation_step(self, batch: Tensor) -> None:
        self.network(batch)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=0.1, weight_decay=0.1)


def fit(
    network: nn.Module,
    epochs: int | None,
    max_epochs: int,
    ckpt_path: Path | None = None,
    save_path: Path | None = None,
) -> tuple[Module, pl.Trainer]:
    """Trains with four batches per epoch, validating in the middle and at the end of each."""
    module, images = Module(network, save_path), torch.randn(8, 1, 4, 4, generator=torch.Generator().manual_seed(0)) + 3
    loader: DataLoader[Tensor] = DataLoader(images, batch_size=2)  # type: ignore[arg-type]
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=max_epochs,
        val_check_interval=2,
        callbacks=[FreezeEncoder(epochs)],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, loader, loader, ckpt_path=ckpt_path, weights_only=True if ckpt_path else None)
    return module, trainer


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    return {key for key in before if not torch.equal(before[key], after[key])}


def test_encoder_is_frozen_then_trains() -> None:
    module, _ = fit(Network(), epochs=2, max_epochs=3)
    start, first, second, third = module.history
    assert not changed(start, first) | changed(first, second)
    assert changed(second, third) == set(start)  # weights and running statistics


def test_encoder_is_frozen_throughout() -> None:
    module, _ = fit(Network(), epochs=None, max_epochs=2)
    assert not changed(*module.history[::2])


def test_frozen_parameters_have_no_gradient() -> None:
    fit(network := Network(), epochs=1, max_epochs=1)
    assert all(p.grad is None and not p.requires_grad for p in network.encoder.parameters())
    assert not network.encoder.training
    assert all(p.requires_grad for p in network.head.parameters())


@pytest.mark.parametrize("interrupted_after", [1, 2])
def test_resumed_run_equals_uninterrupted_run(tmp_path: Path, interrupted_after: int) -> None:
    network = Network()
    uninterrupted, _ = fit(deepcopy(network), epochs=2, max_epochs=3)
    _, trainer = fit(deepcopy(network), epochs=2, max_epochs=interrupted_after)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    resumed, _ = fit(network, epochs=2, max_epochs=3, ckpt_path=tmp_path / "last.ckpt")
    assert not changed(uninterrupted.state_dict(), resumed.state_dict())


def test_encoder_stays_frozen_when_resumed_within_an_epoch(tmp_path: Path) -> None:
    fit(Network(), epochs=1, max_epochs=1, save_path=tmp_path / "first_step.ckpt")
    with pytest.warns(UserWarning, match="ended before the epoch ended"):
        module, _ = fit(Network(), epochs=1, max_epochs=2, ckpt_path=tmp_path / "first_step.ckpt")
    start, first, second = module.history
    assert not changed(start, first)
    assert changed(first, second) == set(start)


def test_second_fit_freezes_again() -> None:
    fit(network := Network(), epochs=1, max_epochs=1)
    network.train()
    module, _ = fit(network, epochs=1, max_epochs=2)
    start, first, second = module.history
    assert not changed(start, first)
    assert changed(first, second) == set(start)


@pytest.mark.parametrize(
    ("epochs", "network", "init_from", "warned"),
    [
        (None, "{encoder_weights: null}", None, "--model.network.encoder_weights or --init_from"),
        (None, "{encoder: null, encoder_weights: null}", None, "trained ones: --init_from\n"),
        (None, "{weights: null, weights_backbone: null}", None, "--model.network.weights_backbone or --init_from"),
        (None, "{weights: DEFAULT, weights_backbone: null}", None, ""),
        (None, "{encoder_weights: imagenet}", None, ""),
        (None, "{encoder_weights: null}", "run", ""),
        (None, "{width: 8}", None, ""),
        (3, "{encoder_weights: null}", None, ""),
    ],
)
def test_random_weights_that_stay_frozen_are_mentioned(
    capsys: pytest.CaptureFixture[str], epochs: int | None, network: str, init_from: str | None, warned: str
) -> None:
    config = SimpleNamespace(ckpt_path=None, init_from=init_from)
    spec = {"class_path": "seglit.networks.Torchvision", "init_args": yaml.safe_load(network)}
    warn_if_random([pl.Callback(), FreezeEncoder(epochs)], config, {"model": {"network": spec}})
    err = capsys.readouterr().err
    assert (warned in err and "random weights" in err) if warned else not err


def test_bad_input_is_a_one_line_error() -> None:
    with pytest.raises(InputError, match="at least 1"):
        FreezeEncoder(0)
    with pytest.raises(InputError, match=r"^Sequential has no part named 'encoder'; its parts are: 0$"):
        fit(nn.Sequential(nn.Conv2d(1, 2, 1)), epochs=1, max_epochs=1)
