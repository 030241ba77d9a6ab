"""Crop and batch size for a command line that does not state them."""

import json
from collections.abc import Sequence
from typing import Any

from jsonargparse import ArgumentParser

from seglit.config.build_alone import build_alone
from seglit.data.base import SegmentationDataModule
from seglit.images.crop_choice import choose_batch, choose_crop, low_size
from seglit.images.scaling import resized_shape

_SAMPLED = 16  # images whose sizes are looked at
_UNLIKELY = 7919  # pixels, or images per batch, that nobody states


def choose_unstated(config: Any, args: Sequence[str], parser: ArgumentParser) -> list[str]:
    """Sets crop and batch size of a parsed configuration, as `seglit inspect` suggests them, if they are not stated.

    Args:
        config: The configuration.
        args: The command line that it was parsed from.
        parser: The parser.

    Returns:
        Options that set them.
    """
    unstated = _find_unstated(config, args, parser)
    if not unstated:
        return []
    data = build_alone(SegmentationDataModule, config.data)
    data.prepare_data()
    dataset = data.dataset("train")
    count = min(_SAMPLED, len(dataset))
    images = (dataset.read(index * len(dataset) // count)[0] for index in range(count))
    settings = config.data.init_args
    options = []
    crop = data.crop_size
    if "crop_size" in unstated:
        low = low_size([resized_shape((image.shape[0], image.shape[1]), data.resize) for image in images])
        crop = choose_crop(low)
        settings.crop_size = min(crop) if isinstance(settings.crop_size, int) else crop  # as its own module takes it
        options.append(f"--data.crop_size={json.dumps(settings.crop_size, separators=(',', ':'))}")
    if "batch_size" in unstated and crop:
        settings.batch_size = choose_batch(crop, len(dataset))
        options.append(f"--data.batch_size={settings.batch_size}")
    return options


def _find_unstated(config: Any, args: Sequence[str], parser: ArgumentParser) -> list[str]:
    """Returns the settings of the data that it has and that neither the command line nor one of its files states.

    What is stated, in whatever form, replaces a value that precedes it on the command line.
    """
    settings = config.data.init_args
    names = [name for name in ("crop_size", "batch_size") if name in settings]
    if not names:
        return []
    pairs = {name for name in names if name == "crop_size" and not isinstance(settings[name], int)}
    values = {name: [_UNLIKELY, _UNLIKELY] if name in pairs else _UNLIKELY for name in names}
    before = [f"--data={config.data.class_path}", *(f"--data.{name}={value}" for name, value in values.items())]
    parsed = parser.parse_args([args[0], *before, *args[1:]])[args[0]].data.init_args
    return [name for name in names if parsed[name] != settings[name]]
