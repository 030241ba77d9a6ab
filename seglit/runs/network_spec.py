"""The network of a training as plain data, by which a checkpoint builds it again."""

import sys
from collections.abc import Mapping
from typing import Any

from pytorch_lightning.utilities import rank_zero_only

from seglit.errors import InputError
from seglit.runs.build import accepted_arguments
from seglit.runs.checkpoint import build_again
from seglit.runs.trusted import OWN, is_in


def network_spec(settings: Mapping[str, Any], network: type, data: Any) -> dict[str, Any]:
    """Returns `class_path` and `init_args` of a network, with the arguments that the command line links from the data.

    Args:
        settings: The complete configuration.
        network: The class of the network.
        data: The data module.

    Raises:
        InputError: The images do not have 3 channels, and the network has no argument for their number.
    """
    spec: dict[str, Any] = settings["model"]["network"]
    linked = {"num_classes": data.num_classes, "in_channels": data.in_channels}
    accepted = accepted_arguments(network)
    linked = {name: value for name, value in linked.items() if name in accepted or name in spec.get("dict_kwargs", {})}
    if "in_channels" not in linked and data.in_channels != 3:
        raise InputError(
            f"model.network: the images have {data.in_channels} channels, and {spec['class_path']} has no argument "
            "in_channels, without which its checkpoints would be loaded for images of 3"
        )
    return {**spec, "init_args": {**spec.get("init_args", {}), **linked}}


@rank_zero_only
def warn_if_not_loadable(spec: Mapping[str, Any]) -> None:
    """Builds a network that is not seglit's as its checkpoints would be loaded, and says so if that is not possible.

    Args:
        spec: What `network_spec` returns.
    """
    if not is_in(spec["class_path"], OWN):
        try:
            build_again(spec, "model.network:")
        except InputError as error:
            print(
                f"seglit: {error}; predict, report and export will not load its checkpoints: annotate modules as "
                "nn.Module, and let other arguments be plain data or classes",
                file=sys.stderr,
                flush=True,
            )
