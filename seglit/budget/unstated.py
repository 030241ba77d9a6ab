"""Crop and batch size for a command line that does not state them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from seglit.config.bounded_yaml import load_yaml
from seglit.config.build_alone import build_alone
from seglit.data.base import SegmentationDataModule
from seglit.images.crop_choice import choose_batch, choose_crop, low_size
from seglit.images.scaling import resized_shape

_SAMPLED = 16  # images whose sizes are looked at


def choose_unstated(config: Any, args: Sequence[str]) -> list[str]:
    """Sets crop and batch size of a parsed configuration, as `seglit inspect` suggests them, if they are not stated.

    Returns:
        Options that set them.
    """
    stated = {name: _states(name, config, args) for name in ("crop_size", "batch_size")}
    if all(stated.values()):
        return []
    data = build_alone(SegmentationDataModule, config.data)
    data.prepare_data()
    dataset = data.dataset("train")
    count = min(_SAMPLED, len(dataset))
    images = (dataset.read(index * len(dataset) // count)[0] for index in range(count))
    settings = config.data.init_args
    options = []
    crop = data.crop_size
    if not stated["crop_size"]:
        low = low_size([resized_shape((image.shape[0], image.shape[1]), data.resize) for image in images])
        settings.crop_size = crop = choose_crop(low)
        options.append(f"--data.crop_size=[{crop[0]},{crop[1]}]")
    if not stated["batch_size"] and crop:
        settings.batch_size = choose_batch(crop, len(dataset))
        options.append(f"--data.batch_size={settings.batch_size}")
    return options


def _states(name: str, config: Any, args: Sequence[str]) -> bool:
    """Whether a setting of the data is on the command line, or in one of its configuration files.

    Args:
        name: The setting, such as batch_size.
        config: The parsed configuration.
        args: The command line.
    """
    options = {f"--data.{name}", f"--data.init_args.{name}"}
    if any(arg.partition("=")[0] in options for arg in args):
        return True
    files = [*(config.get("config") or []), *filter(None, [config.data.get("__path__")])]
    return any(name in _keys(load_yaml(Path(str(file)).read_text(encoding="utf-8"))) for file in files)


def _keys(value: object) -> Iterator[str]:
    """Yields the keys of all mappings within each other."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _keys(inner)
