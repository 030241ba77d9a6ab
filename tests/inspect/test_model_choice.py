"""`seglit inspect` recommends a model of configs/model by the data and the hardware."""

import json
import re
from pathlib import Path

import pytest

from seglit.config.bounded_yaml import load_yaml
from seglit.config.named_configs import find_config
from seglit.inspect.model_choice import choose_model
from tests.conftest import Run
from tests.inspect.folders import split_folders


@pytest.mark.parametrize(
    ("images", "classes", "channels", "gpu", "name", "reason"),
    [
        (48, 5, 3, False, "unet-lite0", "no GPU was found; 48 images of 5 classes are few"),
        (48, 5, 1, True, "unet-resnet34", "48 images of 5 classes are few for random weights"),
        (2000, 150, 3, True, "unet-resnet34", "2,000 images of 150 classes are few"),
        (2000, 5, 3, True, "convnext", "shorten the training on 2,000 images"),
        (20000, 5, 3, False, "unet-lite0", "no GPU was found"),
        (48, 5, 7, True, "unet", "pretrained weights are of RGB images; the images have 7 channels"),
    ],
)
def test_model_by_data_and_hardware(
    images: int, classes: int, channels: int, gpu: bool, name: str, reason: str
) -> None:
    choice = choose_model(images, classes, channels, gpu)
    assert choice.name == name
    assert reason in choice.reason
    assert choice.pretrained == (name != "unet")
    network = load_yaml(find_config("model", name).read_text(encoding="utf-8"))["network"]
    encoder = network["init_args"].get("encoder") or network["init_args"].get("encoder_name")
    assert choice.pretrained == (encoder is not None)
    if choice.pretrained:
        licence = choice.reason.rpartition("; weights: ")[2]
        assert licence in find_config("model", name).read_text(encoding="utf-8")


def test_both_commands_are_printed(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    split_folders(tmp_path / "data")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    outcome = run("inspect", "data", "--write=mine.yaml", "--workers=1")
    assert "model    `--model unet-lite0 --model.network.encoder_weights imagenet`: a small encoder" in outcome.out
    without, pretrained = re.findall("`seglit (fit .*)`", outcome.out)
    assert without == "fit --data mine.yaml"  # it works without network access
    config = run(*pretrained.split(), "--print_config=skip_unset")
    assert config.code == 0, config.err
    assert "encoder_weights: imagenet" in config.out
    model = json.loads(run("inspect", "data", "--json=true", "--workers=1").out)["model"]
    assert (model["name"], model["pretrained"]) == ("unet-lite0", True)
    assert f"seglit {pretrained}".endswith(model["options"])
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    monkeypatch.setenv("COLUMNS", "80")
    lines = re.sub(r"\x1b\[[\d;]*m", "", run("inspect", "data", "--workers=1").out).splitlines()
    assert max(map(len, lines)) <= 80
    (row,) = (index for index, line in enumerate(lines) if line.startswith("model    `--model unet-lite0 "))
    assert re.match(" {9}[a-z]", lines[row + 1])
