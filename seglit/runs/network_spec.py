"""The network of a training as plain data, by which a checkpoint builds it again."""

from typing import Any

import yaml
from jsonargparse import ArgumentParser


def network_spec(config: str, network: type, data: Any) -> dict[str, Any]:
    """Returns `class_path` and `init_args` of a network, with the arguments that the command line links from the data.

    Args:
        config: The complete configuration as YAML.
        network: The class of the network.
        data: The data module.
    """
    spec: dict[str, Any] = yaml.safe_load(config)["model"]["network"]
    linked = {"num_classes": data.num_classes, "in_channels": data.in_channels}
    # as the command line finds them: it follows `**kwargs`, but not to arguments that are given beside them
    accepted = ArgumentParser().add_class_arguments(network, fail_untyped=False)
    linked = {name: value for name, value in linked.items() if name in accepted}
    return {**spec, "init_args": {**spec.get("init_args", {}), **linked}}
