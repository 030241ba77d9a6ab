"""A list of a configuration file replaces the one of an earlier file, whatever their lengths."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import Run

TERMS = """
model:
  criterion:
    class_path: seglit.losses.WeightedSum
    init_args:
      terms:
        - {class_path: seglit.losses.CrossEntropy, init_args: {label_smoothing: 0.1}}
        - {class_path: seglit.losses.Dice}
"""
PLAIN_TERMS = TERMS.replace(", init_args: {label_smoothing: 0.1}", "")
FLIP = "{class_path: seglit.data.Augment, init_args: {transforms: [{class_path: albumentations.HorizontalFlip%s}]}}"


@pytest.fixture
def understood(run: Run, tiny: list[str], tmp_path: Path) -> Any:
    """The complete configuration of files of this content and of further options, by section."""

    def parse(*texts: str, options: tuple[str, ...] = ()) -> Any:
        for index, text in enumerate(texts):
            (tmp_path / f"{index}.yaml").write_text(text)
        files = [f"-c={index}.yaml" for index in range(len(texts))]
        outcome = run("fit", *tiny, *files, *options, "--print_config")
        assert outcome.code == 0, outcome.err
        return yaml.safe_load(outcome.out)

    return parse


def smoothing(config: Any) -> list[float]:
    terms = config["model"]["criterion"]["init_args"]["terms"]
    return [term["init_args"]["label_smoothing"] for term in terms if "CrossEntropy" in term["class_path"]]


def test_items_keep_nothing_of_those_they_replace(understood: Any) -> None:
    assert smoothing(understood(TERMS)) == [0.1]
    assert smoothing(understood(TERMS, PLAIN_TERMS)) == [0.0]
    assert smoothing(understood(PLAIN_TERMS, TERMS)) == [0.1]
    stated = "[seglit.losses.CrossEntropy, seglit.losses.Dice]"
    assert smoothing(understood(TERMS, options=(f"--model.criterion.init_args.terms={stated}",))) == [0.0]


def test_lists_within_items_of_the_data(understood: Any) -> None:
    often, default = FLIP % ", init_args: {p: 0.9}", FLIP % ""
    config = understood(options=(f"--data.augment={often}", f"--data.augment={default}"))
    (flip,) = config["data"]["init_args"]["augment"]["init_args"]["transforms"]
    assert flip["init_args"]["p"] == 0.5


def test_options_change_the_last_item_and_append(understood: Any) -> None:
    averaging = "trainer: {callbacks: [{class_path: pytorch_lightning.callbacks.EMAWeightAveraging}]}"
    append = ("--trainer.callbacks+=[seglit.callbacks.FreezeEncoder]", "--trainer.callbacks.epochs=3")
    config = understood(averaging, options=("--trainer.callbacks.decay=0.5", *append))
    first, second = (callback["init_args"] for callback in config["trainer"]["callbacks"])
    assert (first["decay"], second["epochs"]) == (0.5, 3)
