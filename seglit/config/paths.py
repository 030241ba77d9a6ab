"""Paths of a configuration."""

from pathlib import Path
from typing import Any

from seglit.images.listing import is_file, is_folder
from seglit.networks.encoder_weights import PRETRAINED, is_weight_file
from seglit.networks.hub import repository_of


def make_absolute(config: Any) -> None:
    """Makes the paths of a training command absolute, so that config.yaml works from any folder; in place."""
    config.trainer.default_root_dir = _absolute(config.trainer.default_root_dir)
    if config.init_from and repository_of(config.init_from) is None:
        config.init_from = _absolute(config.init_from)
    network = config.model.network.get("init_args") or {}
    for name in PRETRAINED:
        weights = network.get(name)
        if isinstance(weights, str) and is_weight_file(weights):
            network[name] = _absolute(weights)
    if root := config.data.init_args.get("root"):
        config.data.init_args.root = _absolute(root)
        for split, file in (config.data.init_args.get("splits") or {}).items():
            if isinstance(file, str) and is_file(Path(file)) and not is_file(Path(root, file)):
                config.data.init_args.splits[split] = _absolute(file)
    if config.data.class_path.endswith(".HuggingFaceDataModule"):
        path = config.data.init_args.get("path")
        if path and is_folder(Path(path).expanduser()):  # else a repository of the hub
            config.data.init_args.path = _absolute(path)
    if cache := config.data.init_args.get("cache"):
        cache.folder = _absolute(cache.folder)


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().absolute())
