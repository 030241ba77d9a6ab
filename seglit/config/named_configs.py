"""Finds configurations by name: `--data voc` is configs/data/voc.yaml in the current folder or in seglit."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from jsonargparse import get_loader, set_loader

from seglit.config.arguments import values_in_files
from seglit.config.bounded_yaml import check_bounds, load_yaml
from seglit.errors import InputError, did_you_mean

Group = Literal["augment", "data", "model"]
DEFAULT_MODEL = "unet"

_load = get_loader("yaml")
_PACKAGE = Path(__file__).parents[1]
# inside an installed package, beside it in a clone
_SHIPPED = next(path for path in (_PACKAGE / "configs", _PACKAGE.parent / "configs") if path.is_dir())
_TOP_LEVEL: tuple[Group, ...] = ("data", "model")
_NAME = re.compile(r"(?!null$)[a-z][a-z0-9_-]*")  # not a path, class path or YAML
_OPTIONS: dict[str, Group] = {
    "--data": "data",
    "--model": "model",
    "--data.augment": "augment",
    "--data.init_args.augment": "augment",
}


def find_config(group: Group, name: str) -> Path:
    """Returns the file of a configuration.

    Raises:
        InputError: No configuration has that name.
    """
    for folder in _folders(group):
        if (file := folder / f"{name}.yaml").is_file():
            return file.absolute()
    raise InputError(f"no configuration {name!r} in configs/{group}{did_you_mean(name, list_configs(group))}")


def list_configs(group: Group) -> list[str]:
    """Returns the names of all configurations of a group, sorted."""
    return sorted({file.stem for folder in _folders(group) for file in folder.glob("*.yaml")})


def expand_names(args: Sequence[str]) -> list[str]:
    """Replaces names on the command line by files, and adds the default model if no network is named."""
    expanded: list[str] = []
    for arg in args:
        option, equals, value = arg.partition("=")
        if equals and option in _OPTIONS:
            expanded.append(f"{option}={_file(_OPTIONS[option], value)}")
        elif expanded and expanded[-1] in _OPTIONS:
            expanded.append(_file(_OPTIONS[expanded[-1]], arg))
        else:
            expanded.append(arg)
    if not _names_network(expanded):
        expanded.insert(1, f"--model={find_config('model', DEFAULT_MODEL)}")
    return expanded


def read_names_in_files() -> None:
    """Makes the parser resolve `augment: NAME`, and `data: NAME` and `model: NAME` at the top of a file, to files."""
    set_loader("yaml", _load_with_names, (yaml.YAMLError,))


def _load_with_names(text: str) -> Any:
    check_bounds(text)
    try:
        loaded = _load(text)
    except yaml.YAMLError:
        loaded = load_yaml(text)
    if isinstance(loaded, dict):
        loaded |= {group: _file(group, loaded[group]) for group in _TOP_LEVEL if group in loaded}
        _expand_augment(loaded)
    return loaded


def _folders(group: Group) -> list[Path]:
    return [folder / group for folder in (Path("configs"), _SHIPPED)]


def _expand_augment(settings: dict[str, Any]) -> None:
    for key, value in settings.items():
        if key == "augment":
            settings[key] = _file("augment", value)
        if isinstance(value, dict):
            _expand_augment(value)


def _file(group: Group, value: Any) -> Any:
    """The file of a configuration name; any other value is returned unchanged."""
    named = isinstance(value, str) and (_NAME.fullmatch(value) or value in list_configs(group))
    return str(find_config(group, value)) if named else value


def _names_network(args: Sequence[str]) -> bool:
    options = {arg.partition("=")[0] for arg in args}
    if options & {"--model", "--model.network", "--model.network.class_path"}:
        return True
    models = values_in_files(args, "model")
    return any(isinstance(model, str) or (isinstance(model, dict) and "network" in model) for model in models)
