"""The network of a training as its checkpoints state it."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from seglit.errors import InputError
from seglit.labels import Labels
from seglit.losses import CrossEntropy
from seglit.module import SegmentationModule
from seglit.runs.init_from import start_from
from seglit.runs.network_spec import network_spec


class OfThree(nn.Conv2d):
    """A network for images of 3 channels."""

    def __init__(self, num_classes: int) -> None:
        super().__init__(3, num_classes, 1)


class OfAny(nn.Conv2d):
    """A network whose arguments are not in its signature."""

    def __init__(self, **options: Any) -> None:
        super().__init__(options["in_channels"], options["num_classes"], 1)


def config(network: type, **spec: object) -> dict[str, Any]:
    path = f"{network.__module__}.{network.__qualname__}"
    return {"model": {"network": {"class_path": path, **spec}}}


@pytest.mark.parametrize("channels", [1, 4])
def test_network_without_a_number_of_channels_is_for_3(channels: int) -> None:
    labels = Labels.create(["a", "b"])
    model = SegmentationModule(OfThree(2), CrossEntropy(), torch.optim.SGD, labels)
    data: Any = SimpleNamespace(num_classes=2, in_channels=channels)
    message = rf"^model.network: the images have {channels} channels, and \S+\.OfThree has no argument in_channels, "
    with pytest.raises(InputError, match=message):
        start_from(model, data, config(OfThree), None, None)
    data.in_channels = 3
    assert network_spec(config(OfThree), OfThree, data)["init_args"] == {"num_classes": 2}
    start_from(model, data, config(OfThree), None, None)


def test_channels_may_be_in_the_keyword_arguments() -> None:
    data = SimpleNamespace(num_classes=2, in_channels=4)
    spec = network_spec(config(OfAny, dict_kwargs={"num_classes": 2, "in_channels": 4}), OfAny, data)
    assert spec["init_args"] == {"num_classes": 2, "in_channels": 4}  # where a record states them
