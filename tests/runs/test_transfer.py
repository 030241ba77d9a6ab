"""Weights of another network: names of other tools, other classes and channels, measured by the logits."""

import argparse
import os
import re
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import safetensors.torch
import torch
from huggingface_hub import constants
from huggingface_hub.errors import EntryNotFoundError
from torch import Tensor, nn

from seglit.data import SyntheticDataModule
from seglit.errors import InputError
from seglit.labels import Labels
from seglit.losses import CrossEntropy
from seglit.module import SegmentationModule
from seglit.networks import FCN, SMP, Segmenter, Torchvision, UNet
from seglit.normalization import Normalization
from seglit.runs.checkpoint import ModelRecord, build_untrained
from seglit.runs.initial_weights import load_initial_weights
from seglit.runs.network_spec import network_spec
from seglit.runs.transfer import transfer, varying_dims
from seglit.runs.weight_source import WeightSource
from tests.runs.later_types import LaterTypes
from tests.runs.passing_on import PassingOn, TwoClasses

NETWORKS: dict[str, tuple[type[nn.Module], dict[str, Any]]] = {
    "unet": (UNet, {"channels": [4, 8]}),
    "fcn": (FCN, {"channels": [4, 4, 6, 6, 8, 8]}),
    "segmenter": (Segmenter, {"width": 8, "depth": 1, "heads": 2, "patch_size": 8}),
    "segmenter-linear": (Segmenter, {"width": 8, "depth": 1, "heads": 2, "patch_size": 8, "decoder": "linear"}),
    "small-encoder": (UNet, {"channels": [8, 64, 128], "encoder": "tu-mobilenetv3_small_050"}),
    "smp": (SMP, {"architecture": "unet", "encoder_name": "resnet18"}),
    "smp-not-on-meta": (SMP, {"architecture": "segformer", "encoder_name": "mit_b0"}),
    "torchvision": (Torchvision, {"architecture": "lraspp_mobilenet_v3_large"}),
}
OTHERS = ("segmenter-linear", "smp", "smp-not-on-meta", "torchvision")
SOURCE = ["road", "sky", "car", "tree"]
TARGETS = {
    "reordered": ["tree", "road", "car", "sky"],
    "added": ["road", "bus", "sky", "car", "tree"],
    "removed": ["car", "road"],
    "mixed": ["bus", "tree", "lane", "road"],
}


def build(name: str, classes: int, channels: int = 3) -> tuple[nn.Module, dict[str, Any]]:
    kind, options = NETWORKS[name]
    init_args = {**options, "num_classes": classes, "in_channels": channels}
    network = kind(**init_args)
    return network.eval(), {"class_path": f"seglit.networks.{kind.__name__}", "init_args": init_args}


def with_trained_head(network: nn.Module) -> nn.Module:
    """FCN's skips are initialised to zero, and running statistics to 0 and 1, which any mistake would leave equal."""
    with torch.no_grad():
        for value in network.state_dict().values():
            if value.is_floating_point():
                value.add_(0.02 * torch.randn_like(value))
    return network


@pytest.mark.parametrize(("name", "change"), [*product(("unet", "fcn"), TARGETS), *product(OTHERS, ["mixed"])])
def test_classes_that_keep_their_names_keep_their_logits(name: str, change: str) -> None:
    classes, images = TARGETS[change], torch.rand(1, 3, 40, 40)
    source = with_trained_head(build(name, len(SOURCE))[0])
    network, spec = build(name, len(classes))
    before = {key: value.clone() for key, value in network.state_dict().items()}
    random = torch.random.get_rng_state()
    done = transfer(network, spec, source.state_dict(), classes, SOURCE)
    assert torch.equal(random, torch.random.get_rng_state())
    with torch.no_grad():
        expected, logits = source(images), network(images)
    kept = [each for each in classes if each in SOURCE]
    ours, theirs = ([names.index(each) for each in kept] for names in (classes, SOURCE))
    torch.testing.assert_close(logits[:, ours], expected[:, theirs], rtol=1e-4, atol=1e-5)
    new = 0
    for key in done.head:  # rows of new classes are those of the new network
        for row, each in enumerate(classes):
            assert torch.equal(network.state_dict()[key][row], before[key][row]) != (each in SOURCE)
            new += before[key][row].numel() * (each not in SOURCE)
    assert sum(done.taken.values()) == sum(done.sizes.values()) - new


@pytest.mark.parametrize("change", ["reordered", "mixed"])
def test_class_tokens_of_a_mask_transformer_keep_their_names(change: str) -> None:
    """Tokens of classes see each other, so that with other classes beside them, logits of the kept ones differ."""
    classes, images = TARGETS[change], torch.rand(1, 3, 40, 40)
    source = with_trained_head(build("segmenter", len(SOURCE))[0])
    network, spec = build("segmenter", len(classes))
    heads = varying_dims(network.state_dict(), spec, "num_classes")
    assert heads == {
        "decoder.class_tokens": (1,),
        "decoder.score_norm.weight": (0,),
        "decoder.score_norm.bias": (0,),
    }
    transfer(network, spec, source.state_dict(), classes, SOURCE)
    pairs = [(ours, SOURCE.index(each)) for ours, each in enumerate(classes) if each in SOURCE]
    for name, (dim,) in heads.items():
        for ours, theirs in pairs:
            new, old = (each.state_dict()[name].select(dim, row) for each, row in ((network, ours), (source, theirs)))
            assert torch.equal(new, old)
    if change == "reordered":
        with torch.no_grad():
            expected = source(images)[:, [theirs for _, theirs in pairs]]
            torch.testing.assert_close(network(images), expected, rtol=1e-4, atol=1e-5)


def test_weights_without_class_names_start_the_head_from_random_weights() -> None:
    source, (network, spec) = build("unet", 4)[0], build("unet", 4)
    head = network.state_dict()["head.weight"].clone()
    done = transfer(network, spec, source.state_dict(), SOURCE, None)
    assert torch.equal(network.state_dict()["head.weight"], head)
    assert {name for name in done.sizes if not done.taken[name]} == {*done.head} == {"head.weight", "head.bias"}


def test_head_is_what_changes_its_shape_in_any_network() -> None:
    for name, expected in (("fcn", {"score", "skip_scores", "ups", "up"}), ("torchvision", {"model"})):
        network, spec = build(name, 4)
        found = varying_dims(network.state_dict(), spec, "num_classes")
        assert {key.partition(".")[0] for key in found} == expected
        assert set(found.values()) == {(0,)}


@pytest.mark.parametrize(("name", "channels"), [("unet", 1), ("unet", 2), ("unet", 5), ("smp", 1)])
def test_first_convolution_is_adapted_to_the_channels(name: str, channels: int) -> None:
    source, (network, spec) = build(name, 4)[0], build(name, 4, channels)
    done = transfer(network, spec, source.state_dict(), SOURCE, SOURCE)
    said = {
        1: "weights of 3 channels summed for 1",
        2: "weights of the first 2 of 3 channels, times 3 / 2",
        5: "weights of 3 channels repeated for 5, times 3 / 5",
    }
    assert [line.partition(": ")[2] for line in done.adapted] == [said[channels]]
    assert not done.unfit
    ours, theirs = (next(m for m in each.modules() if isinstance(m, nn.Conv2d)).weight for each in (network, source))
    assert sum(done.left_over.values()) == (theirs.numel() / 3 if channels == 2 else 0)
    repeated = torch.cat([theirs, theirs], dim=1)[:, :channels] * (3 / channels)
    torch.testing.assert_close(ours, theirs.sum(1, keepdim=True) if channels == 1 else repeated)
    grey = torch.rand(1, 1, 40, 40)
    if channels == 1:  # the logits of a grey image are those that its three equal channels have
        with torch.no_grad():
            expected = source(grey.expand(1, 3, 40, 40))
            torch.testing.assert_close(network(grey), expected, rtol=1e-4, atol=1e-5)


def wrapped(prefix: str) -> Callable[[dict[str, Tensor]], dict[str, Any]]:
    return lambda state: {f"{prefix}{name}": value for name, value in state.items()}


LAYOUTS: dict[str, Callable[[dict[str, Tensor]], dict[str, Any]]] = {
    "plain": wrapped(""),
    "data parallel": lambda state: {"epoch": 3, "state_dict": wrapped("module.")(state)},
    "compiled": lambda state: {"model": wrapped("_orig_mod.")(state), "optimizer": {"state": {}}},
    "lightning": lambda state: {"state_dict": {**wrapped("model.network.")(state), "loss.weight": torch.ones(4)}},
    "dino": lambda state: {
        "student": {name: torch.zeros_like(value) for name, value in wrapped("module.backbone.")(state).items()},
        "teacher": wrapped("backbone.")(state),
        "args": argparse.Namespace(arch="resnet50"),
    },
    "other part name": lambda state: {name.replace("encoder.", "backbone."): value for name, value in state.items()},
    "without wrapper": lambda state: {name.removeprefix("model."): value for name, value in state.items()},
    "half": lambda state: {name: value.half() for name, value in state.items()},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_files_of_other_tools(tmp_path: Path, layout: str) -> None:
    source, target = model(SOURCE), model(SOURCE)
    content = LAYOUTS[layout](source.network.state_dict())
    torch.save(content, tmp_path / "weights.pth")
    if all(isinstance(value, Tensor) for value in content.values()):
        safetensors.torch.save_file(
            {name: value.contiguous() for name, value in content.items()}, tmp_path / "weights.safetensors"
        )
    for file in tmp_path.iterdir():
        load_initial_weights(target, DATA, SPEC, WeightSource.find(str(file)))
        for name, value in target.network.state_dict().items():
            if not name.startswith("head."):
                expected = source.network.state_dict()[name]
                torch.testing.assert_close(value, expected, rtol=1e-3, atol=1e-3 * (layout == "half"))


DATA = SyntheticDataModule(2, 2, 2, (8, 8))
STATED = Normalization((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
SPEC: dict[str, Any] = {
    "class_path": "seglit.networks.UNet",
    "init_args": {"channels": [4, 8, 16], "num_classes": 4, "in_channels": 3},
}


def model(classes: list[str], channels: int = 3) -> SegmentationModule:
    return SegmentationModule(
        UNet(len(classes), 3, (4, 8, 16)), CrossEntropy(), torch.optim.SGD, Labels.create(classes)
    )


def test_a_short_table_says_what_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = model(SOURCE), model(SOURCE)
    torch.save({**source.network.state_dict(), "fc.weight": torch.zeros(10, 10)}, tmp_path / "plain.pth")
    load_initial_weights(target, DATA, SPEC, WeightSource.find(str(tmp_path / "plain.pth")))
    out = capsys.readouterr().out
    rows = {row[0]: row[1:] for line in out.splitlines() if len(row := re.findall(r"[\w,.]+", line)) == 4}
    sizes = {
        part: sum(value.numel() for value in child.state_dict().values())
        for part, child in target.network.named_children()
    }
    assert rows["encoder"] == [f"{sizes['encoder']:,}", "0", "0"]
    assert rows["head"] == ["0", f"{sizes['head']}", f"{sizes['head']}"]
    assert rows["fc"] == ["0", "0", "100"]
    assert "all classes start from random weights, since the file does not name its classes" in out
    assert "normalised by mean 0.449 and std 0.226, since the file does not state" in out
    assert len(out.splitlines()) < 14


@pytest.mark.parametrize(
    ("classes", "line"),
    [
        (SOURCE[::-1], "classes kept: tree, car, sky, road"),
        (["road", "bus", "sky", "lane"], "classes kept: road, sky; new: bus, lane; left over: car, tree"),
        (["bus", "lane", "man", "dog"], "all classes start from random weights"),
    ],
)
def test_classes_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str], classes: list[str], line: str) -> None:
    record = ModelRecord("0", SPEC, Labels.create(SOURCE), STATED)
    state = {f"network.{name}": value for name, value in model(SOURCE).network.state_dict().items()}
    torch.save({"state_dict": state, "seglit": record.to_dict()}, tmp_path / "source.ckpt")
    load_initial_weights(model(classes), DATA, SPEC, WeightSource.find(str(tmp_path / "source.ckpt")))
    assert line in capsys.readouterr().out.splitlines()


def some_of(state: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """The last weights of a state dict that together have less than a share of its elements, but for a part of one."""
    left = share * sum(value.numel() for value in state.values())
    found = {}
    for name, value in sorted(state.items(), key=lambda item: -item[1].numel()):
        if value.numel() <= left and not name.startswith("head"):
            found[name] = value
            left -= value.numel()
    assert left < 0.001 * share * sum(value.numel() for value in state.values()) + 1
    return found


@pytest.mark.parametrize(("share", "printed"), [(0.4505, 45), (0.499, 49), (0.501, None), (0.55, None)])
def test_half_of_the_weights_have_to_fit(tmp_path: Path, share: float, printed: int | None) -> None:
    torch.save(some_of(model(SOURCE).network.state_dict(), share), tmp_path / "part.pth")
    source, target = WeightSource.find(str(tmp_path / "part.pth")), model(SOURCE)
    if printed is None:
        load_initial_weights(target, DATA, SPEC, source)
        return
    with pytest.raises(InputError, match=rf"of another network: {printed}% of the weights fit, less than half; "):
        load_initial_weights(target, DATA, SPEC, source)


@pytest.mark.parametrize(
    ("name", "classes", "part", "message"),
    [
        (
            "small-encoder",
            4,
            "encoder.",
            "all that fits is the encoder: name the file as encoder_weights of the network",
        ),
        ("fcn", 40, "", "most of the others are of classes that start from random weights"),
    ],
)
def test_reason_is_the_part_that_fits(tmp_path: Path, name: str, classes: int, part: str, message: str) -> None:
    network, spec = build(name, classes)
    stored = {key: value for key, value in network.state_dict().items() if key.startswith(part)}
    torch.save(stored, tmp_path / "part.pth")
    labels = Labels.create([f"class {index}" for index in range(classes)])
    target = SegmentationModule(network, CrossEntropy(), torch.optim.SGD, labels)
    with pytest.raises(InputError, match=f"less than half; {message}"):
        load_initial_weights(target, DATA, spec, WeightSource.find(str(tmp_path / "part.pth")))


def test_repository_is_a_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = model(SOURCE), model(SOURCE)
    torch.save(source.network.state_dict(), tmp_path / "pytorch_model.bin")
    (tmp_path / "config.json").write_text('{"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}')

    def download(repository: str, file: str, revision: str | None) -> str:
        assert (repository, revision) == ("owner/name", "main")
        if not (tmp_path / file).exists():
            raise EntryNotFoundError(file)
        return str(tmp_path / file)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    load_initial_weights(target, DATA, SPEC, WeightSource.find("hf:owner/name@main"))
    assert torch.equal(next(target.network.parameters()), next(source.network.parameters()))
    assert target.normalization == STATED
    (tmp_path / "pytorch_model.bin").unlink()
    with pytest.raises(InputError, match=r"owner/name@main: the repository has no model.safetensors or pytorch_model"):
        load_initial_weights(target, DATA, SPEC, WeightSource.find("hf:owner/name@main"))


FEW = dict([*UNet(4, 3, (4, 8, 16)).state_dict().items()][:2])  # of the weights of `SPEC`


class Pickled:
    """What runs a command where it is unpickled without care."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("executed",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (Pickled(), r"it contains an object of \w+\.mkdir, which could run code;"),
        (nn.Linear(2, 2), r"contains an object of torch.nn.modules.linear.Linear, .*torch.save\(model.state_dict"),
        ({"epoch": 3, "loss": 0.5}, "contains no state dict, names to tensors; its keys are epoch, loss"),
        ({"a": torch.zeros(3)}, "0% of the weights fit, less than half; .* names are not in it: a there, encoder"),
        (FEW, r"% of the weights fit, less than half; .* names are not in it: encoder\.\S+ here$"),
        (FEW | {"a": torch.zeros(3)}, "names are not in it: a there, encoder"),
        ({"encoder.levels.0.0.weight": torch.zeros(6, 3, 3, 3)}, "0.0.weight has 162 values there, here 108"),
        (UNet(4, 3, (6, 12, 24)).state_dict(), r"0% of .*0.0.weight is \(6, 3, 3, 3\) there, here \(4, 3, 3, 3\)"),
        ({}, "contains no state dict"),
    ],
)
def test_other_files_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: object, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(content, tmp_path / "weights.pth")
    with pytest.raises(InputError, match=message) as raised:
        load_initial_weights(model(SOURCE), DATA, SPEC, WeightSource.find("weights.pth"))
    assert "\n" not in str(raised.value)
    assert not Path("executed").exists()


@pytest.mark.parametrize("content", [b"", b"\x08\0\0\0\0\0\0\0{broken", b"GIF89a", b"{}"])
def test_damaged_files_are_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "weights.safetensors").write_bytes(content)
    with pytest.raises(InputError, match=r"weights.safetensors: (damaged|not a checkpoint)") as raised:
        load_initial_weights(model(SOURCE), DATA, SPEC, WeightSource.find(str(tmp_path / "weights.safetensors")))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("class_path", "init_args", "reason"),
    [
        ("seglit.networks.FCN", {}, "it is of seglit.networks.FCN, here seglit.networks.UNet"),
        ("seglit.networks.UNet", {"channels": [6, 12, 24]}, r"channels is \[6, 12, 24\] there, here \[4, 8, 16\]"),
    ],
)
def test_checkpoint_of_another_network_names_what_differs(
    tmp_path: Path, class_path: str, init_args: dict[str, Any], reason: str
) -> None:
    record = ModelRecord("0", {"class_path": class_path, "init_args": init_args}, Labels.create(SOURCE), STATED)
    state = {f"network.{name}": value for name, value in UNet(4, 3, (6, 12, 24)).state_dict().items()}
    torch.save({"state_dict": state, "seglit": record.to_dict()}, tmp_path / "other.ckpt")
    with pytest.raises(InputError, match=rf"other.ckpt: of another network: 0% of the weights fit, .*; {reason}"):
        load_initial_weights(model(SOURCE), DATA, SPEC, WeightSource.find(str(tmp_path / "other.ckpt")))


def test_normalisation_of_other_channels_is_adapted(tmp_path: Path) -> None:
    record = ModelRecord("0", {"class_path": "seglit.networks.UNet"}, Labels.create(SOURCE), STATED)
    state = {f"network.{name}": value for name, value in model(SOURCE).network.state_dict().items()}
    torch.save({"state_dict": state, "seglit": record.to_dict()}, tmp_path / "source.ckpt")
    data = SyntheticDataModule(2, 2, 2, (8, 8), in_channels=4)
    target = model(SOURCE, 4)
    spec = {**SPEC, "init_args": {**SPEC["init_args"], "in_channels": 4}}
    load_initial_weights(target, data, spec, WeightSource.find(str(tmp_path / "source.ckpt")))
    assert target.normalization == Normalization((0.1, 0.2, 0.3, 0.1), (0.4, 0.5, 0.6, 0.4))


def test_network_that_passes_its_arguments_on_keeps_classes_by_name() -> None:
    """Its signature is `**kwargs`: the arguments that the command line links are those of its base class."""
    data = SyntheticDataModule()
    spec = spec_of(PassingOn, data)
    assert spec["init_args"] == {"channels": [4, 8], "num_classes": data.num_classes, "in_channels": 3}
    source, target = (PassingOn(**spec["init_args"]) for _ in range(2))
    classes = data.labels.class_names
    transfer(target, spec, source.state_dict(), classes, classes[::-1])
    assert torch.equal(target.state_dict()["head.weight"], source.state_dict()["head.weight"].flip(0))


def test_arguments_that_a_network_sets_are_not_linked() -> None:
    spec = spec_of(TwoClasses, SyntheticDataModule())
    assert spec["init_args"] == {"channels": [4, 8], "in_channels": 3}
    assert isinstance(build_untrained(spec, "it", ["tests"]), TwoClasses)


def test_annotations_may_be_for_type_checkers_only() -> None:
    last = {"class_path": "torch.nn.ReLU"}
    spec = spec_of(LaterTypes, SyntheticDataModule(), side=[1, 2], scale=0.5, last=last)
    assert {"num_classes", "in_channels"} < spec["init_args"].keys()
    network = build_untrained(spec, "it", ["tests"])
    assert isinstance(network, LaterTypes)
    assert isinstance(network.last, nn.ReLU)
    assert (network.side, network.scale) == ((1, 2), 0.5)
    with pytest.raises(InputError, match="has no setting 'sides'; did you mean 'side'"):
        build_untrained({**spec, "init_args": {**spec["init_args"], "sides": 1}}, "it", ["tests"])


def spec_of(network: type, data: SyntheticDataModule, **options: Any) -> dict[str, Any]:
    options = options or {"channels": [4, 8]}
    spec = {"class_path": f"{network.__module__}.{network.__name__}", "init_args": options}
    return network_spec({"model": {"network": spec}}, network, data)


def test_head_of_a_fixed_number_of_classes_is_not_taken_for_others() -> None:
    network, _ = build("unet", 4)
    fixed = {"class_path": "mine.Fixed", "init_args": {"in_channels": 3}}
    transfer(network, fixed, network.state_dict(), SOURCE, SOURCE)
    with pytest.raises(InputError, match=r"classes road, sky, car, tree, here tree.*no argument num_classes, which"):
        transfer(network, fixed, network.state_dict(), SOURCE[::-1], SOURCE)
