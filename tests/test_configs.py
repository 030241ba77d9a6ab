"""Every file of configs/ parses, and every model in it trains a step, as on the command line."""

from inspect import signature
from pathlib import Path

import numpy as np
import pytest
import yaml
from jsonargparse import ArgumentParser

import seglit.networks
from seglit.data import Augment
from tests.conftest import QUIET, Run

CONFIGS = Path(__file__).parents[1] / "configs"
SHAPES = ("--data", CONFIGS / "data" / "shapes.yaml")
UNET = ("--model", CONFIGS / "model" / "unet.yaml")
SMALLEST = {"tu-convnext_tiny": "tu-convnext_atto", "resnet34": "resnet18"}  # of the encoders of a file, to save time
ON_TOP = {  # experiments that change another
    **{f"camvid-{name}": [CONFIGS / "experiment" / "camvid.yaml"] for name in ("cpu", "gpu", "pretrained")},
    "frozen-encoder": [CONFIGS / "experiment" / "shapes.yaml"],
}


def names(group: str) -> list[str]:
    return sorted(file.stem for file in (CONFIGS / group).glob("*.yaml"))


def understood(run: Run, *args: object) -> dict[str, dict[str, object]]:
    """The complete configuration of a command line; nothing is built."""
    code, out, err = run("fit", *args, "--print_config=skip_unset")
    assert (code, err) == (0, "")
    config: dict[str, dict[str, object]] = yaml.safe_load(out)
    return config


def test_every_file_is_tested() -> None:
    groups = {file.relative_to(CONFIGS).parts[0] for file in CONFIGS.rglob("*.yaml")}
    assert groups == {"augment", "data", "experiment", "hardware", "logger", "model", "sweep.yaml"}


@pytest.mark.parametrize("name", names("model"))
def test_a_model_replaces_the_network_of_an_earlier_one(name: str) -> None:
    networks = {
        other: yaml.safe_load((CONFIGS / "model" / f"{other}.yaml").read_text())["network"] for other in names("model")
    }
    _, network_class = networks[name]["class_path"].rsplit(".", 1)
    accepted = signature(getattr(seglit.networks, network_class)).parameters
    kept = {key for other in networks.values() for key in other["init_args"] if key in accepted}
    assert kept - {*networks[name]["init_args"]} <= {"options"}  # of another decoder, which rejects them


@pytest.mark.parametrize("name", names("model"))
def test_model_files_train_one_step(run: Run, name: str) -> None:
    file = CONFIGS / "model" / f"{name}.yaml"
    network = yaml.safe_load(file.read_text())["network"]["init_args"]
    options = ["--data.num_train=2", "--data.num_val=1", "--data.size=[32, 32]", "--data.batch_size=2"]
    if "channels" in network and network["encoder"] is None:
        options.append(f"--model.network.init_args.channels={[width // 8 for width in network['channels']]}")
    encoders = {setting: SMALLEST.get(network.get(setting)) for setting in ("encoder", "encoder_name")}
    options += [f"--model.network.init_args.{setting}={name}" for setting, name in encoders.items() if name]
    limits = ["--trainer.max_epochs=1", "--trainer.limit_train_batches=1", "--trainer.limit_val_batches=1"]
    outcome = run(
        *("fit", *SHAPES, "--model", file, *options, "--data.num_workers=0", *limits, "--test_after_fit=false"),
        *(*QUIET, "--trainer.num_sanity_val_steps=0", "--checkpoint.save_top_k=0", "--pictures.count=0"),
    )
    assert outcome.code == 0, outcome.err
    header, *rows = (outcome.folder / "metrics.csv").read_text().splitlines()
    loss, miou = (header.split(",").index(column) for column in ("train/loss", "val/miou"))
    cells = [row.split(",") for row in rows]
    assert [0 < float(cell[loss]) < 10 for cell in cells if cell[loss]] == [True]
    assert [0 <= float(cell[miou]) <= 1 for cell in cells if cell[miou]] == [True]


@pytest.mark.parametrize("name", names("augment"))
def test_augmentation_presets(name: str) -> None:
    preset = yaml.safe_load((CONFIGS / "augment" / f"{name}.yaml").read_text())
    assert {*preset["init_args"]} == {*signature(Augment).parameters}  # it would keep what it does not state
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--augment", type=Augment)
    config = parser.parse_object({"augment": preset})
    pipeline = parser.instantiate(config).augment.pipeline((24, 24))
    rng = np.random.default_rng(0)
    image, mask = rng.integers(0, 256, (32, 32, 3), np.uint8), rng.integers(0, 3, (32, 32), np.uint8)
    changed = [pipeline(image, mask, seed) for seed in range(8)]
    assert {(one.shape, other.shape) for one, other in changed} == {((24, 24, 3), (24, 24))}
    assert {value for _, other in changed for value in np.unique(other)} <= {0, 1, 2, 255}


@pytest.mark.parametrize("name", names("data"))
def test_data_files_parse(run: Run, name: str) -> None:
    config = understood(run, "--data", CONFIGS / "data" / f"{name}.yaml", *UNET)
    assert str(config["data"]["class_path"]).startswith("seglit.data.")


@pytest.mark.parametrize("name", names("experiment"))
def test_experiment_files_parse(run: Run, name: str) -> None:
    file = CONFIGS / "experiment" / f"{name}.yaml"
    config = understood(run, *(f"-c={each}" for each in (*ON_TOP.get(name, []), file)))
    assert config["trainer"]["max_epochs"] == yaml.safe_load(file.read_text())["trainer"]["max_epochs"]


# Only `cpu` can run here, as every test does: gpu needs one, SLURM needs a cluster's job. DDP and FSDP are tested in
# test_cli.py and runs/test_ranks.py, on processes without a GPU.
@pytest.mark.parametrize("name", names("hardware"))
def test_hardware_files_parse(run: Run, name: str) -> None:
    file = CONFIGS / "hardware" / f"{name}.yaml"
    trainer = understood(run, *SHAPES, *UNET, "-c", file)["trainer"]
    for key, value in yaml.safe_load(file.read_text())["trainer"].items():
        assert trainer.get(key) == value or isinstance(value, dict)


@pytest.mark.parametrize("name", names("logger"))
def test_logger_files_add_a_logger(run: Run, name: str) -> None:
    files = (f"-c={CONFIGS / 'logger' / f'{each}.yaml'}" for each in ("tensorboard", name))
    loggers = understood(run, *SHAPES, *UNET, *files)["trainer"]["logger"]
    assert isinstance(loggers, list)
    assert len(loggers) == 2


def test_sweep_sets_existing_options(run: Run) -> None:
    sweep = yaml.safe_load((CONFIGS / "sweep.yaml").read_text())
    program, command, *options, args = sweep["command"]
    assert (program, command, args) == ("seglit", "fit", "${args}")
    chosen = {name: (entry.get("values") or [entry["min"]])[0] for name, entry in sweep["parameters"].items()}
    placed = [str(CONFIGS.parent / option) if option.endswith(".yaml") else option for option in options]
    config = understood(run, *placed, *(f"--{name}={value}" for name, value in chosen.items()))
    for name, value in chosen.items():
        found: object = config
        for key in name.split("."):
            assert isinstance(found, dict)
            found = found[key]
        assert found == value
