"""Builds objects from `{class_path, init_args}`, as stored in checkpoints and configurations."""

import importlib
from argparse import ArgumentError
from collections.abc import Mapping
from typing import Any, TypeVar

from jsonargparse import ArgumentParser

from seglit.config.explain import explain, refusal
from seglit.errors import InputError

T = TypeVar("T")


def build(kind: type[T], spec: Mapping[str, Any], where: str) -> T:
    """Builds an instance of a class or of its subclass.

    Args:
        kind: The class.
        spec: `class_path` and optionally `init_args`.
        where: File and object, for messages: `run/best.ckpt: its network`.

    Raises:
        InputError: The class is not found, lacks one of the arguments, or rejects a value.
    """
    _check_class(spec["class_path"], where)
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(kind, "built", fail_untyped=False)
    try:
        config = parser.parse_object({"built": dict(spec)})
    except ArgumentError as error:
        message = explain(error, (), parser.get_defaults().keys())
        raise InputError(f"{where} cannot be built: {message}") from error
    try:
        built: T = parser.instantiate(config).built
    except ValueError as error:
        raise InputError(refusal(error)) from error
    return built


def _check_class(class_path: str, where: str) -> None:
    module, _, name = class_path.rpartition(".")
    try:
        exists = hasattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name and not f"{module}.".startswith(f"{error.name}."):
            raise InputError(f"{where} {class_path} needs the package {error.name!r}") from error
        exists = False
    if not exists:
        raise InputError(
            f"{where} {class_path} is not found; run `python -m seglit` from the folder that contains its code"
        )
