"""Finds errors of a training command in less than a second, before torch is imported.

The parser, which finds all of them, needs every class that a configuration names.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser

from seglit.config.arguments import option_values
from seglit.config.explain import YAML, load_settings, location, missing_file, unknown_key
from seglit.config.named_configs import expand_names, list_configs
from seglit.config.options import add_options
from seglit.config.other_names import OTHER_NAMES, real_names
from seglit.config.signatures import complete_groups, settings_of
from seglit.errors import InputError, did_you_mean
from seglit.images.listing import is_file, is_folder, nearest_entry

_GROUPS = (*complete_groups(), "data")
_OF_LIGHTNING = ("seed_everything", "ckpt_path", "verbose")
_OF_PARSER = ("help", "config", "print_config")
_VERY_SIMILAR = 0.75
_FILES = {"-c": "", "--config": "", "--data": "data", "--model": "model"}
"""Options that name a configuration file, and the settings that it contains: all, or those of a group."""


def check_command_line(args: Sequence[str]) -> None:
    """Checks files and settings that a training command names, as far as that takes no class.

    Args:
        args: The command line, from `fit`, `validate` or `test` on.

    Raises:
        InputError: A file is missing, or not valid YAML, or a setting is unknown.
    """
    for before, arg in pairwise(args):
        takes_value = before.startswith("-") and "=" not in before
        if not (takes_value or arg.startswith("-")):
            raise InputError(_not_an_option(args[0], arg))
    _check_folders(args)
    _check_initial_weights(args)
    expand_names(args)
    for file, group in _configurations(args):
        if not is_file(file):
            raise InputError(missing_file(str(file), args))
        _check_file(file, group, args)
    for option in args[1:]:
        if option.startswith("--"):
            _check_key(option[2:].partition("=")[0], args)


@cache
def top_level_settings() -> tuple[str, ...]:
    """Returns the settings that stand at the top of a configuration file, or are such a group of settings."""
    parser = ArgumentParser()
    add_options(parser)
    own = [action.dest for action in parser._actions if action.dest not in _OF_PARSER]
    return (*_GROUPS, *_OF_LIGHTNING, *own)


def all_settings() -> set[str]:
    """Returns the dotted names of the settings that depend on no class, and of common others."""
    grouped = {f"{group}.{setting}" for group in _GROUPS for setting in settings_of(group)}
    return {*top_level_settings(), *grouped, *OTHER_NAMES}


def _not_an_option(command: str, value: str) -> str:
    if value.endswith(YAML):
        return f"{value}: name a configuration as {command} -c {value}, or the data as {command} --data {value}"
    if command == "fit" and is_file(Path(value, "config.yaml")):
        return f"{value}: to continue this run: {command} --resume {value}"
    if command in ("fit", "preview") and is_folder(Path(value)):
        return _not_a_configuration(value)
    after = " after RUN" if command in ("test", "validate") else ""
    return f"{command} takes options only{after}, not {value!r}; the data is an option too: --data NAME or FILE"


def _check_folders(args: Sequence[str]) -> None:
    """Rejects a folder of images in place of its configuration; a folder may have the name of a configuration."""
    for option, value in option_values(args):
        if option == "--data" and value not in list_configs("data") and is_folder(Path(value).expanduser()):
            raise InputError(_not_a_configuration(value))


def _not_a_configuration(folder: str) -> str:
    return f"{folder}: a folder; seglit inspect {folder} --write mine.yaml writes its configuration"


def _check_initial_weights(args: Sequence[str]) -> None:
    """Rejects a path without file or folder as `--init_from`; `hf:owner/name` is none."""
    for option, value in option_values(args):
        if option != "--init_from" or value == "null" or re.match(r"[a-z-]{2,}:", value):
            continue
        path = Path(value).expanduser()
        if not (is_file(path) or is_folder(path)):
            raise InputError(f"--init_from {value}: no such file or folder{nearest_entry(path)}")


def _configurations(args: Sequence[str]) -> Iterator[tuple[Path, str]]:
    """Yields the files of `_FILES` on a command line."""
    for option, value in option_values(args):
        if option in _FILES and (value.endswith(YAML) or not _FILES[option]):
            yield Path(value).expanduser(), _FILES[option]


def _check_file(file: Path, group: str, args: Sequence[str]) -> None:
    """Checks the settings of a file, and of the files that it names."""
    settings = load_settings(file)
    if not isinstance(settings, dict):
        raise InputError(f"{file}: contains no settings; a configuration consists of lines `name: value`")
    if group == "data":
        return
    if not group and "class_path" in settings:
        raise InputError(f"{file}: contains one class only; name it as --data {file} or --model {file}")
    if group:
        settings = {group: settings}
    for key in _keys(settings):
        _check_key(key, args)
    for part in ("data", "model"):
        value = settings.get(part)
        if isinstance(value, str) and value.endswith(YAML):
            named = file.parent / Path(value).expanduser()
            if not is_file(named):
                raise InputError(missing_file(value, args))
            _check_file(named, part, args)


def _keys(settings: Mapping[Any, Any]) -> Iterator[str]:
    """Yields the keys of the first two levels, dotted."""
    for key, value in settings.items():
        yield str(key)
        if isinstance(value, dict):
            yield from (f"{key}.{name}" for name in value)


def _check_key(key: str, args: Sequence[str]) -> None:
    top, _, rest = key.rstrip("+").partition(".")
    name = rest.partition(".")[0].rstrip("+")
    if top in complete_groups() and name and name not in settings_of(top):
        raise InputError(unknown_key(f"{top}.{name}", [f"{top}.{setting}" for setting in settings_of(top)], args))
    known = top_level_settings()
    if top in known or top in _OF_PARSER:
        return
    meant = " or ".join(map(repr, _meant(top.replace("-", "_").lower())))
    hint = f"; did you mean {meant}?" if meant else did_you_mean(top, known)
    raise InputError(f"unknown setting {top!r}{hint}{location(top, args)}")


def _meant(name: str) -> list[str]:
    """The settings that a name may mean: what other tools call so, or those of a similar name."""
    grouped = {setting: f"{group}.{setting}" for group in reversed(_GROUPS) for setting in settings_of(group)}
    if found := real_names(name) or ([grouped[name]] if name in grouped else []):
        return found
    similar = get_close_matches(name, top_level_settings(), 1, _VERY_SIMILAR)
    return similar or [grouped[match] for match in get_close_matches(name, grouped, 1)]
