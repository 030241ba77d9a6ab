"""Paths of a configuration."""

from pathlib import Path
from typing import Any


def make_absolute(config: Any) -> None:
    """Makes the paths of a training command absolute, so that config.yaml works from any folder; in place."""
    config.trainer.default_root_dir = str(Path(config.trainer.default_root_dir).absolute())
    if config.init_from:
        config.init_from = _absolute(config.init_from)
    if root := config.data.init_args.get("root"):
        config.data.init_args.root = _absolute(root)
    if cache := config.data.init_args.get("cache"):
        cache.folder = _absolute(cache.folder)


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().absolute())
