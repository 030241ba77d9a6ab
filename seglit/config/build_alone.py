"""Builds one part of a configuration without the others."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from jsonargparse import ArgumentParser, Namespace

T = TypeVar("T")


def build_alone(kind: Callable[..., T], config: Any) -> T:
    """Builds an object of a subclass from its parsed `class_path` and `init_args`."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(cast(type, kind), "part")
    part: T = parser.instantiate(Namespace(part=config)).part  # type: ignore[no-untyped-call]
    return part
