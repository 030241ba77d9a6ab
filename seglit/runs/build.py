"""Builds objects from the `{class_path, init_args}` of checkpoints and run folders, which may be a stranger's.

The parser of the command line imports and calls what a value names, wherever it stands. Here values are data: only the
class itself is imported, and those of arguments that are annotated as modules, or as what makes modules, if
`trusted.py` allows them.
"""

import inspect
from collections.abc import Callable, Collection, Sequence
from enum import Enum
from functools import partial
from pathlib import PurePath
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import msgspec
from torch import nn

from seglit.annotations.reader import Reader
from seglit.errors import InputError, did_you_mean
from seglit.networks.encoder_weights import PRETRAINED
from seglit.runs.plain_data import check_plain, parts_of
from seglit.runs.trusted import NotTrustedError, import_class, is_in

T = TypeVar("T")

_KINDS = (nn.Module, Reader)  # of arguments that may name a class
_CONTAINERS = (Union, UnionType, list, Sequence)
_MAKERS = (type, Callable)  # annotations of arguments that may be a class of modules
_READS_FILES = ("checkpoint_path", "pretrained_cfg", "pretrained_cfg_overlay", "cache_dir")  # arguments of timm


class _Spec(msgspec.Struct, forbid_unknown_fields=True):
    class_path: str
    init_args: dict[str, Any] = {}
    dict_kwargs: dict[str, Any] = {}


def build(kind: type[T], spec: Any, where: str, trust: Collection[str] = ()) -> T:
    """Builds an instance of a class or of its subclass.

    Args:
        kind: The class.
        spec: `class_path` and optionally `init_args`, as a file states them.
        where: File and object, for messages: `run/best.ckpt: its network`.
        trust: Further packages whose classes may be named, see `import_class`.

    Raises:
        NotTrustedError: A class is not trusted, or is named where plain data is expected; it is not imported.
        InputError: The class is not found, lacks one of the arguments, or rejects a value.
    """
    make = _maker(kind, spec, where, trust)
    try:
        return make()
    except InputError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{where} {spec['class_path']} cannot be built ({reason})") from error


def _maker(kind: type[T], spec: Any, where: str, trust: Collection[str]) -> partial[T]:
    """Returns a class that a file states, with its arguments."""
    check_plain(spec, where)
    try:
        parts = msgspec.convert(spec, _Spec)
    except msgspec.ValidationError as error:
        raise InputError(f"{where} is not a class_path with init_args ({error})") from error
    found = import_class(kind, parts.class_path, where, trust)
    where = f"{where} {parts.class_path}"
    hints, is_complete = argument_types(found)
    arguments = {**parts.dict_kwargs, **parts.init_args}
    if not is_in(parts.class_path, trust):
        _check_reads_no_files(arguments, where)
    unknown = [name for name in arguments if is_complete and name not in hints]
    accepted = accepted_arguments(found) if unknown else ()
    if unknown := [name for name in unknown if name not in accepted]:
        raise InputError(f"{where} has no setting {unknown[0]!r}{did_you_mean(unknown[0], hints)}")
    values = {
        name: None
        if value is None and name in PRETRAINED  # left out, also where it is annotated as a str
        else _convert(value, hints.get(name, Any), f"{where}: its argument {name!r}", trust)
        for name, value in arguments.items()
    }
    return partial(found, **values)


def accepted_arguments(kind: type) -> Collection[str]:
    """Returns the arguments of a class as the command line finds them, also those that it takes from its `**kwargs`.

    It does not follow `**kwargs` to arguments that are given beside them.
    """
    from jsonargparse import ArgumentParser  # here, as few records name such arguments; it builds nothing

    found: Collection[str] = ArgumentParser().add_class_arguments(kind, fail_untyped=False)
    return found


def argument_types(kind: type) -> tuple[dict[str, Any], bool]:
    """Returns the annotations of the arguments of a class, and whether there are no others.

    Where an `__init__` has `**kwargs`, the arguments of the next base class follow.
    """
    hints: dict[str, Any] = {}
    for base in kind.__mro__:
        if "__init__" not in vars(base):
            continue
        function = vars(base)["__init__"]
        try:
            parameters = inspect.signature(function).parameters.values()
        except ValueError:  # a class without a signature
            return hints, False
        for parameter in parameters:
            hints.setdefault(parameter.name, _annotation(parameter, function))
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            return hints, True
    return hints, False


def _annotation(parameter: inspect.Parameter, function: Any) -> Any:
    """Returns the type of an argument; Any if it has none, or one that only type checkers import."""
    hint = parameter.annotation
    if isinstance(hint, str):  # `from __future__ import annotations`
        try:
            return eval(hint, inspect.unwrap(function).__globals__)  # noqa: S307 (the class is trusted)
        except NameError:
            return Any
    return Any if hint is parameter.empty else hint


def _convert(value: Any, hint: Any, where: str, trust: Collection[str]) -> Any:
    """Converts plain data to the annotated type of an argument."""
    kind = _named_kind(hint)
    if kind is type and isinstance(value, str) and str not in get_args(hint):
        return import_class(nn.Module, value, where, trust)
    if kind is not None and isinstance(value, dict) and "class_path" in value:
        if kind is type:
            return (_maker if _makes_modules(hint) else build)(nn.Module, value, where, trust)
        return build(kind, value, where, trust)
    if kind is not None and isinstance(value, list):
        return [_convert(item, kind, where, trust) for item in value]
    if class_path := _named_class(value):
        raise NotTrustedError(f"{where} names the class {class_path!r}, but must be plain data")
    for kind in (hint, *get_args(hint)):
        if isinstance(value, str) and isinstance(kind, type) and issubclass(kind, Enum) and value in kind.__members__:
            return kind[value]  # as the parser writes it
    try:
        return msgspec.convert(value, hint, dec_hook=_of_plain)
    except msgspec.ValidationError as error:
        raise InputError(f"{where}: {error}") from error
    except TypeError:  # an annotation that msgspec does not support, such as a union with Callable
        return value


def _named_kind(hint: Any) -> type | None:
    """Returns the class that an annotation allows to be named, itself or in a union or list; `type` of what is called.

    The value of `type[nn.Module]` is a class, that of `Callable[..., nn.Module]` a class with some of its arguments,
    and that of another `Callable` an instance.
    """
    if hint in _MAKERS or get_origin(hint) in _MAKERS:
        return type
    if isinstance(hint, type) and issubclass(hint, _KINDS):
        return hint
    if get_origin(hint) in _CONTAINERS:
        return next(filter(None, map(_named_kind, get_args(hint))), None)
    return None


def _makes_modules(hint: Any) -> bool:
    """Whether an annotation, or one in it, is `Callable[..., nn.Module]`."""
    arguments = get_args(hint)
    if get_origin(hint) is Callable:
        return isinstance(arguments[-1], type) and issubclass(arguments[-1], nn.Module)
    return any(map(_makes_modules, arguments))


def _of_plain(kind: type, value: Any) -> Any:
    """Converts to paths and to numbers and strings of a restricted range, which the parser writes as plain data."""
    return kind(value) if issubclass(kind, (int, float, complex, str, PurePath)) else value


def _named_class(value: Any) -> Any:
    """Returns what a value, or one within it, states as `class_path`; None if none does."""
    mappings = (part for part in parts_of(value) if isinstance(part, dict))
    return next((mapping["class_path"] for mapping in mappings if "class_path" in mapping), None)


def _check_reads_no_files(arguments: dict[str, Any], where: str) -> None:
    """Refuses the arguments by which timm reads another file, which older versions of it unpickle."""
    for part in parts_of(arguments):
        for name in _READS_FILES:
            if isinstance(part, dict) and part.get(name) is not None:
                raise NotTrustedError(f"{where}: its argument {name!r} reads another file")
