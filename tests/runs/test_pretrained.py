"""Networks of one's own are built again without their pretrained weights, and otherwise as they were."""

from typing import Any

from jsonargparse import ArgumentParser
from torch import nn

from seglit.runs.checkpoint import build_untrained
from seglit.runs.pretrained import skip_pretrained, without_pretrained

PRETRAINED = {"encoder_weights": "imagenet", "pretrained": True, "weights": "distance"}
UNTRAINED = {"encoder_weights": None, "pretrained": False, "weights": "distance"}
TORCHVISION = {"class_path": "seglit.networks.Torchvision", "init_args": {"architecture": "a", "weights": "DEFAULT"}}


class Weighted(nn.Module):
    """Names its pretrained weights by a str and a bool; its `weights` are something else."""

    def __init__(self, encoder_weights: str = "imagenet", pretrained: bool = True, weights: str | None = None) -> None:
        super().__init__()
        self.stated = {"encoder_weights": encoder_weights, "pretrained": pretrained, "weights": weights}


SPEC: dict[str, Any] = {"class_path": f"{__name__}.Weighted", "init_args": PRETRAINED}


def test_network_of_a_checkpoint() -> None:
    assert build_untrained(SPEC, "it", ["tests"]).stated == UNTRAINED


def test_network_of_a_configuration() -> None:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(nn.Module, "network")
    config = parser.parse_object({"network": SPEC})
    skip_pretrained(config.network)
    assert parser.instantiate(config).network.stated == UNTRAINED


def test_weights_of_torchvision() -> None:
    untrained = {**TORCHVISION, "init_args": {"architecture": "a", "weights": None}}
    assert without_pretrained(TORCHVISION) == untrained
    outer = {"class_path": "mine.Net", "init_args": {"weights": "distance", "inner": TORCHVISION}}
    assert without_pretrained(outer) == {**outer, "init_args": {"weights": "distance", "inner": untrained}}
