"""The pretrained weights of a network: their files, and the network without them where other weights replace them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seglit.networks.encoder_weights import PRETRAINED, is_weight_file
from seglit.runs.trusted import OWN, is_in

_OF_SEGLIT = "weights"  # of Torchvision; in networks of one's own it may mean anything


def names_pretrained(class_path: str, argument: str) -> bool:
    """Whether an argument of a network names its pretrained weights, or says whether it starts from them."""
    return argument in PRETRAINED or (argument == _OF_SEGLIT and is_in(class_path, OWN))


def pretrained_files(spec: Mapping[str, Any]) -> list[Path]:
    """Returns the files of pretrained weights that the `init_args` of a network name."""
    named = [value for name, value in spec.get("init_args", {}).items() if names_pretrained(spec["class_path"], name)]
    return [Path(value).expanduser() for value in named if isinstance(value, str) and is_weight_file(value)]


def without_pretrained(spec: Any) -> Any:
    """Returns the `class_path` and `init_args` of a network, and of networks within it, without pretrained weights."""
    if not isinstance(spec, Mapping) or "class_path" not in spec:
        return spec
    arguments = {
        name: _without(value) if names_pretrained(spec["class_path"], name) else without_pretrained(value)
        for name, value in spec.get("init_args", {}).items()
    }
    return {**spec, "init_args": arguments}


def skip_pretrained(network: Any) -> None:
    """Does the same to the parsed configuration of a network, in place."""
    for key, value in network.items():
        parent, _, name = key.rpartition("init_args.")
        if names_pretrained(str(network.get(f"{parent}class_path")), name):
            network[key] = _without(value)


def _without(value: Any) -> Any:
    """Returns the value of an argument that asks for no pretrained weights."""
    return False if isinstance(value, bool) else None if isinstance(value, str) else value
