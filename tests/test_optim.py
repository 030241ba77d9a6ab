"""Parameter groups, the schedule, and their settings in YAML."""

import io
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from jsonargparse import auto_cli
from pytorch_lightning.plugins.precision import MixedPrecision
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, PolynomialLR
from torch.utils.data import DataLoader

from seglit.errors import InputError
from seglit.networks import SMP, Segmenter
from seglit.networks.encoder_layers import find_encoder
from seglit.optim import WarmupPolynomial, configure_optimization, parameter_groups


class Network(nn.Module):
    """An encoder with batch and layer norm, and a decoder that shares the convolution of the encoder."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.LayerNorm([4, 2, 2]))
        self.decoder = nn.ModuleList([self.encoder[0], nn.Conv2d(4, 2, 1)])
        self.head = self.decoder[1]


def test_groups_split_the_parameters() -> None:
    network = Network()
    groups = {group["name"]: group for group in parameter_groups(network, 0.1)}
    encoder, head = network.encoder, network.head
    expected = {
        "encoder/decay": [encoder[0].weight],
        "encoder/no_decay": [encoder[0].bias, *encoder[1].parameters(), *encoder[2].parameters()],
        "decoder/decay": [head.weight],
        "decoder/no_decay": [head.bias],
    }
    assert {name: [id(p) for p in group["params"]] for name, group in groups.items()} == {
        name: [id(p) for p in parameters] for name, parameters in expected.items()
    }
    assert {name: group["lr_factor"] for name, group in groups.items()} == {
        name: 0.1 if name.startswith("encoder") else 1.0 for name in expected
    }
    assert {name for name, group in groups.items() if group.get("weight_decay") == 0} == {
        "encoder/no_decay",
        "decoder/no_decay",
    }


def test_frozen_parameters_are_kept_and_empty_groups_omitted() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1, bias=False)).requires_grad_(False)
    (group,) = parameter_groups(network)
    assert (group["name"], group["params"]) == ("network/decay", [network[0].weight])


def test_factor_requires_an_encoder() -> None:
    with pytest.raises(InputError, match=r"Sequential has no part named 'encoder'; its parts are: 0, 1"):
        parameter_groups(nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU()), 0.1)
    with pytest.raises(InputError, match="above 0"):
        parameter_groups(Network(), 0.0)
    assert find_encoder(network := Network()) is network.encoder


def test_layer_decay_is_that_of_beit_and_mae() -> None:
    network = Segmenter(2, width=8, depth=3, heads=2, patch_size=4)
    optimization = configure_optimization(parameter_groups(network, 0.5, 0.8), adamw, None, 10)
    assert isinstance(optimization, dict)
    groups = optimization["optimizer"].param_groups
    names = {parameter: name for name, parameter in network.named_parameters()}
    rates = {names[parameter]: group["lr"] for group in groups for parameter in group["params"]}
    decays = {names[parameter]: group["weight_decay"] for group in groups for parameter in group["params"]}
    assert rates.keys() == set(names.values())
    # lr * decay ** (num_layers + 1 - layer) of 3 layers: embeddings 0, blocks 1 to 3, what follows 4
    expected = {
        "encoder.cls_token": 0.5 * 0.8**4,
        "encoder.pos_embed": 0.5 * 0.8**4,
        "encoder.patch_embed.proj.weight": 0.5 * 0.8**4,
        "encoder.blocks.0.attn.qkv.weight": 0.5 * 0.8**3,
        "encoder.blocks.1.norm1.bias": 0.5 * 0.8**2,
        "encoder.blocks.2.mlp.fc2.weight": 0.5 * 0.8,
        "encoder.norm.weight": 0.5,
        "decoder.blocks.0.attn.qkv.weight": 1.0,
        "decoder.class_tokens": 1.0,
    }
    assert {name: rates[name] for name in expected} == pytest.approx(expected)
    assert {name for name in expected if decays[name] == 0} == {
        *("encoder.cls_token", "encoder.pos_embed", "encoder.blocks.1.norm1.bias", "encoder.norm.weight"),
        "decoder.class_tokens",
    }


@pytest.mark.parametrize("encoder_name", ["tu-vit_tiny_patch16_224", "tu-vit_small_patch16_dinov3"])
def test_layer_decay_of_timms_transformers(encoder_name: str) -> None:
    with torch.device("meta"):
        network = SMP(2, architecture="dpt", encoder_name=encoder_name)
    factors = {id(p): group["lr_factor"] for group in parameter_groups(network, 1.0, 0.9) for p in group["params"]}
    for name, parameter in network.encoder.named_parameters():
        block = name.partition("blocks.")[2].partition(".")[0]
        power = 12 - int(block) if block else 0 if name.startswith(("model.norm", "model.head")) else 13
        assert factors[id(parameter)] == pytest.approx(0.9**power), name
    assert all(factors[id(parameter)] == 1 for parameter in network.model.decoder.parameters())


@pytest.mark.parametrize(("encoder_name", "count"), [("resnet18", 0), ("tu-convnext_atto", 4)])
def test_layer_decay_requires_one_sequence_of_blocks(encoder_name: str, count: int) -> None:
    with torch.device("meta"):
        network = SMP(2, architecture="fpn", encoder_name=encoder_name)
    with pytest.raises(InputError, match=f"one sequence of blocks.*has {count}: set layer_decay: 1"):
        parameter_groups(network, 1.0, 0.9)
    with pytest.raises(InputError, match="layer_decay must be above 0 and at most 1"):
        parameter_groups(network, 1.0, 1.1)


def configured(
    optimizer: Callable[[Iterable[nn.Parameter]], Optimizer],
    scheduler: Callable[[Optimizer, int], LRScheduler] | None,
    total_steps: float = 10,
) -> dict[str, object]:
    configuration = configure_optimization(parameter_groups(Network(), 0.1), optimizer, scheduler, total_steps)
    assert isinstance(configuration, dict)
    return dict(configuration)


def lrs(optimizer: Optimizer) -> dict[str, float]:
    return {group["name"]: group["lr"] for group in optimizer.param_groups}


def adamw(parameters: Iterable[nn.Parameter]) -> Optimizer:
    return AdamW(parameters, lr=1.0, weight_decay=0.5)


def test_optimizer_has_the_encoders_learning_rate_under_any_schedule() -> None:
    configuration = configured(adamw, lambda optimizer, steps: WarmupPolynomial(optimizer, steps, warmup_steps=4))
    optimizer, schedule = configuration["optimizer"], configuration["lr_scheduler"]
    assert isinstance(optimizer, AdamW)
    assert isinstance(schedule, dict)
    assert schedule["interval"] == "step"
    for _ in range(5):
        rates = lrs(optimizer)
        assert rates["encoder/decay"] == pytest.approx(0.1 * rates["decoder/decay"])
        optimizer.step()
        schedule["scheduler"].step()
    decays = {group["name"]: group["weight_decay"] for group in optimizer.param_groups}
    assert decays == {"encoder/decay": 0.5, "encoder/no_decay": 0, "decoder/decay": 0.5, "decoder/no_decay": 0}


def test_without_a_schedule_the_run_may_be_endless() -> None:
    configuration = configured(adamw, None, float("inf"))
    assert list(configuration) == ["optimizer"]
    with pytest.raises(InputError, match="max_epochs"):
        configured(adamw, WarmupPolynomial, float("inf"))


def run(total_steps: int, warmup_steps: int = 0, power: float = 0.9, steps: int | None = None) -> list[float]:
    """The learning rate of each step, and the one after the last."""
    optimizer = SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = WarmupPolynomial(optimizer, total_steps, warmup_steps, power)
    rates = [schedule.get_last_lr()[0]]
    for _ in range(total_steps if steps is None else steps):
        optimizer.step()
        schedule.step()
        rates.append(schedule.get_last_lr()[0])
    return [float(rate) for rate in rates]


def test_schedule_is_linear_then_polynomial() -> None:
    expected = [(s + 1) / 5 if s < 4 else (1 - (s - 4) / 16) ** 0.9 for s in range(21)]
    assert run(20, warmup_steps=4) == pytest.approx(expected)
    assert run(8, power=1.0) == pytest.approx([1 - s / 8 for s in range(9)])


@pytest.mark.parametrize("warmup_steps", [0, 1, 9, 10, 11, 1000])
def test_no_step_has_a_learning_rate_of_zero(warmup_steps: int) -> None:
    rates = run(10, warmup_steps, steps=12)
    assert all(0 < rate <= 1 for rate in rates[:10])
    assert rates[10:] == [0, 0, 0] or warmup_steps > 10


@pytest.mark.parametrize(("total_steps", "warmup_steps", "power"), [(0, 0, 0.9), (10, -1, 0.9), (10, 0, 0.0)])
def test_schedule_rejects_invalid_values(total_steps: int, warmup_steps: int, power: float) -> None:
    with pytest.raises(InputError, match="WarmupPolynomial"):
        run(total_steps, warmup_steps, power)


def test_resumed_run_uses_its_own_max_epochs() -> None:
    parameter = nn.Parameter(torch.zeros(1))
    optimizer = SGD([parameter], lr=1.0)
    schedule = WarmupPolynomial(optimizer, total_steps=10, warmup_steps=2)
    for _ in range(5):
        optimizer.step()
        schedule.step()
    file = io.BytesIO()
    torch.save({"optimizer": optimizer.state_dict(), "schedule": schedule.state_dict()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)

    optimizer = SGD([parameter], lr=1.0)
    resumed = WarmupPolynomial(optimizer, total_steps=20, warmup_steps=2)
    optimizer.load_state_dict(saved["optimizer"])
    resumed.load_state_dict(saved["schedule"])
    optimizer.step()
    resumed.step()
    assert resumed.get_last_lr() == pytest.approx([run(20, warmup_steps=2)[6]])


@pytest.mark.parametrize(
    ("class_path", "init_args", "kind"),
    [
        ("seglit.optim.WarmupPolynomial", "{warmup_steps: 5, power: 0.9}", WarmupPolynomial),
        ("torch.optim.lr_scheduler.PolynomialLR", "{power: 0.9}", PolynomialLR),
        ("torch.optim.lr_scheduler.CosineAnnealingLR", "{eta_min: 0.001}", CosineAnnealingLR),
    ],
)
def test_schedule_from_yaml(tmp_path: Path, class_path: str, init_args: str, kind: type[LRScheduler]) -> None:
    def build(
        optimizer: Callable[[Iterable], Optimizer],  # type: ignore[type-arg]
        scheduler: Callable[[Optimizer, int], LRScheduler] | None = None,
    ) -> dict[str, object]:
        return configured(optimizer, scheduler, 40)

    config = tmp_path / "config.yaml"
    config.write_text(
        f"""
        optimizer: {{class_path: torch.optim.AdamW, init_args: {{lr: 1.0, weight_decay: 0.01}}}}
        scheduler: {{class_path: {class_path}, init_args: {init_args}}}
        """
    )
    schedule = auto_cli(build, args=["--config", str(config)])["lr_scheduler"]
    assert type(schedule["scheduler"]) is kind


class ScaledCPU(MixedPrecision):
    """16-mixed with its gradient scaler, in float32: a CPU has no float16 kernels for training."""

    def __init__(self) -> None:
        super().__init__("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=1024.0))

    @contextmanager
    def forward_context(self) -> Generator[None, None, None]:
        yield


class Regression(pl.LightningModule):
    """A linear network whose gradients are far above 1."""

    def __init__(self, fused: bool) -> None:
        super().__init__()
        self.network = nn.Linear(8, 4)
        nn.init.constant_(self.network.weight, 0.5)
        nn.init.zeros_(self.network.bias)
        self.fused = fused

    def training_step(self, batch: Tensor, batch_index: int) -> Tensor:
        loss: Tensor = 100 * self.network(batch).square().sum()
        return loss

    def configure_optimizers(self) -> Any:
        make = partial(SGD, lr=0.1, momentum=0.9, fused=self.fused)
        return configure_optimization(parameter_groups(self.network), make, None, 3)


@pytest.mark.parametrize("plugin", [MixedPrecision("bf16-mixed", "cpu"), ScaledCPU()], ids=["bf16", "scaled"])
@pytest.mark.parametrize("algorithm", ["norm", "value"])
def test_fused_optimizers_step_by_clipped_gradients(plugin: MixedPrecision, algorithm: str) -> None:
    trained = []
    for fused in (False, True):
        module = Regression(fused)
        trainer = pl.Trainer(
            max_steps=1,
            accelerator="cpu",
            plugins=[plugin],
            gradient_clip_val=0.5,
            gradient_clip_algorithm=algorithm,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(module, DataLoader(torch.ones(2, 8), batch_size=2))  # type: ignore[arg-type]
        trained.append(module.network.weight.detach() - 0.5)
    step = 0.1 * 0.5 / ((8 + 1) * 4) ** 0.5 if algorithm == "norm" else 0.1 * 0.5  # equal gradients, bias included
    for change in trained:
        torch.testing.assert_close(change, torch.full((4, 8), -step), rtol=1e-4, atol=1e-7)
