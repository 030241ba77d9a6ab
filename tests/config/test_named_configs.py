"""Configurations found by name, and the default network."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import Run


def parsed_config(run: Run, *args: object) -> dict[str, Any]:
    code, out, err = run("fit", *args, "--print_config=skip_unset")
    assert (code, err) == (0, "")
    config: dict[str, Any] = yaml.safe_load(out)
    return config


def test_names_on_the_command_line(run: Run) -> None:
    config = parsed_config(run, "--data", "shapes", "--model=fcn8", "--data.augment", "standard")
    assert config["data"]["class_path"] == "seglit.data.SyntheticDataModule"
    assert config["data"]["init_args"]["augment"]["init_args"]["scale"] == [0.5, 1.5]
    assert config["model"]["network"]["class_path"] == "seglit.networks.FCN"


def test_names_in_files_and_own_configurations_first(run: Run, tmp_path: Path) -> None:
    (tmp_path / "configs/augment").mkdir(parents=True)
    (tmp_path / "configs/augment/mine.yaml").write_text("class_path: seglit.data.Augment\ninit_args: {scale: [1, 2]}\n")
    (tmp_path / "run.yaml").write_text("data: shapes\nmodel: unet-bilinear\ntrainer: {max_epochs: 3}\n")
    config = parsed_config(run, "-c", "run.yaml", "--data.augment=mine")
    assert config["data"]["init_args"]["augment"]["init_args"]["scale"] == [1, 2]
    assert config["data"]["init_args"]["num_train"] == 384
    assert config["model"]["network"]["init_args"]["upsample"] == "bilinear"


@pytest.mark.parametrize("model", [(), ("--model.optimizer.lr=0.1",), ("-c", "loss.yaml")])
def test_the_default_network_is_a_unet(run: Run, tmp_path: Path, model: tuple[str, ...]) -> None:
    (tmp_path / "loss.yaml").write_text("model: {criterion: seglit.losses.Dice}\n")
    network = parsed_config(run, "--data=shapes", *model)["model"]["network"]
    assert network == {
        "class_path": "seglit.networks.UNet",
        "init_args": {"channels": [32, 64, 128, 256, 512], "upsample": "transposed"},
    }


@pytest.mark.parametrize(
    "model",
    [
        ("--model.network=seglit.networks.FCN",),
        ("--model", "net_of_model.yaml"),
        ("-c", "net.yaml"),
        ("-c", "net.json"),
        ("--config=~/net.yaml",),
    ],
)
def test_a_named_network_replaces_the_default(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: tuple[str, ...]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "net.json").write_text('{"model": {"network": {"class_path": "seglit.networks.FCN"}}}')
    (tmp_path / "net.yaml").write_text("model: {network: {class_path: seglit.networks.FCN}}\n")
    (tmp_path / "net_of_model.yaml").write_text("network: {class_path: seglit.networks.FCN}\n")
    network = parsed_config(run, "--data=shapes", *model)["model"]["network"]
    assert network["class_path"] == "seglit.networks.FCN"
    assert network["init_args"]["channels"] == [64, 128, 256, 512, 512, 1024]  # FCN's default


@pytest.mark.parametrize("model", ["unet", "unet-bilinear", "fcn8"])
def test_a_named_model_replaces_the_encoder_of_a_file(run: Run, tmp_path: Path, model: str) -> None:
    (tmp_path / "run.yaml").write_text("model: unet-resnet34\n")
    network = parsed_config(run, "--data=shapes", "-c", "run.yaml", "--model", model)["model"]["network"]
    assert "encoder" not in network["init_args"]  # null is not printed


@pytest.mark.parametrize(
    ("option", "line"),
    [
        ("--data=shape", "no configuration 'shape' in configs/data; did you mean 'shapes'?"),
        ("--model=unet-resnet3", "no configuration 'unet-resnet3' in configs/model; did you mean 'unet-resnet34'?"),
        ("--data.augment=weak", "no configuration 'weak' in configs/augment; there are light, standard, strong"),
    ],
)
def test_unknown_names_are_rejected_in_one_line(run: Run, option: str, line: str) -> None:
    code, out, err = run("fit", "--data=shapes", option)
    assert (code, out, err) == (2, "", f"seglit: error: {line}\n")
